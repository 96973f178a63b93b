"""What a contact could write into her own data, and what nobody would send: never more than a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberhook.core.errors import RequestRejected
from memberhook.crms.contract import ContactEvent, ContactRef, WebhookRequest
from memberhook.crms.fluentcrm.webhook import identify
from tests.crms.fluentcrm.helpers import recorded_body

EVE = "eve@example.com"
VICTIM = "victim@example.com"
RAW = "id=1245&hash=x&first_name={name}&last_name=Mallory&email=eve@example.com&full_name={name}%20Mallory"
CUSTOM = "email=eve@example.com&first_name={name}&city=Rome"


def get(query: str) -> ContactEvent:
    return identify(WebhookRequest("GET", query=query))


def code(query: str) -> str:
    with pytest.raises(RequestRejected) as caught:
        get(query)
    return caught.value.code


class TestAnotherContact:
    @pytest.mark.parametrize("name", ["Eve&id=5", "Eve&contact_id=5", "Eve&id=abc", "Eve&id=5@example.com"])
    def test_a_second_id_in_raw_data(self, name: str) -> None:
        assert code(RAW.format(name=name)) == "doubled_contact_field"

    def test_the_same_id_again_is_harmless_but_its_data_are_not_used(self) -> None:
        found = get(RAW.format(name="Eve&id=1245&x"))
        assert (found.ref, found.payload) == (ContactRef("1245"), None)

    @pytest.mark.parametrize("name", [f"Eve&email={VICTIM}", f"Eve&user_email={VICTIM}", f"Eve&x={VICTIM}"])
    def test_an_e_mail_beside_the_id_changes_nothing(self, name: str) -> None:
        assert get(RAW.format(name=name)).ref == ContactRef("1245")

    @pytest.mark.parametrize(
        "name", [f"Eve&email={VICTIM}", f"Eve&user_email={VICTIM}", f"Eve&x={VICTIM}", f"Eve&email[]={VICTIM}"]
    )
    def test_a_second_e_mail_in_custom_data_without_an_id(self, name: str) -> None:
        assert code(CUSTOM.format(name=name)) == "no_contact"

    @pytest.mark.parametrize(
        "query", [f"user_email={EVE}&first_name=Eve&email={VICTIM}", f"first_name=Eve&email={VICTIM}&mail={EVE}"]
    )
    def test_wherever_her_own_stands(self, query: str) -> None:
        assert code(query) == "no_contact"

    def test_the_same_e_mail_again_is_harmless(self) -> None:
        assert get(CUSTOM.format(name=f"Eve&x={EVE}")).ref == ContactRef(email=EVE)

    @pytest.mark.parametrize("name", ["Eve&id=5", "Eve&id=5&hash=x"])
    def test_an_id_behind_her_own_text_is_not_believed(self, name: str) -> None:
        found = get(CUSTOM.format(name=name))
        assert (found.ref, found.payload) == (ContactRef(email=EVE), None)
        assert "Put the id first" in (found.payload_problem or "")

    def test_nor_where_there_is_nothing_else(self) -> None:
        assert code("first_name=Eve&id=5") == "no_contact"

    def test_her_e_mail_address_can_hold_parameters_too(self) -> None:
        """WordPress takes `&` and `=` before the `@`."""
        assert get("email=a&id=5&x=@example.com&first_name=Eve&mail=eve@example.com").ref == ContactRef(email=EVE)

    def test_an_id_that_is_no_number_is_nobodys(self) -> None:
        assert code("id=5;6&x=1") == "no_contact"

    def test_forms_with_two_ids(self) -> None:
        with pytest.raises(RequestRejected) as caught:
            identify(WebhookRequest("POST", body=b"id=1&id=2"))
        assert caught.value.code == "doubled_contact_field"


class TestHerOwnData:
    @pytest.mark.parametrize("name", ["Eve&city=Rome", "Eve&last_name=Queen", "Eve&custom_field[role]=x&a", "A&B"])
    def test_what_shows_twice_or_is_cut_makes_all_of_it_useless(self, name: str) -> None:
        found = get(RAW.format(name=name))
        assert (found.ref, found.payload) == (ContactRef("1245"), None)
        assert "is not used" in (found.payload_problem or "")

    def test_names_of_parameters_are_shown_only_where_they_are_known(self) -> None:
        assert "(city)" in (get("id=1&city=a&city=b").payload_problem or "")
        assert "secret" not in (get("id=1&secret=a&secret=b").payload_problem or "")

    def test_an_injected_e_mail_in_custom_data_is_no_ones(self) -> None:
        """A hook that trusts payloads finds members by their e-mail."""
        found = get(f"contact_id=5&first_name=Eve&email={VICTIM}&mail={EVE}")
        assert found.ref == ContactRef("5")
        assert found.payload is not None
        assert found.payload.email == ""

    def test_nothing_of_it_becomes_a_tag(self) -> None:
        found = get("id=5&hash=x&address_line_1=Road&tags%5B0%5D%5Bid%5D=1&tags%5B0%5D%5Bslug%5D=vip&email=a@b.example")
        assert found.payload is not None
        assert found.payload.tags is None


def test_nothing_of_a_payload_is_a_control_parameter() -> None:
    data = {"id": 5, "email": EVE, "role": "administrator", "wpf_action": "add", "send_notification": "true"}
    found = identify(WebhookRequest("POST", body=json.dumps(data).encode()))
    assert found.ref == ContactRef("5")
    assert set(ContactEvent.__dataclass_fields__) == {"ref", "payload", "payload_problem", "body"}


def test_messages_hold_nothing_of_the_data() -> None:
    for query in (CUSTOM.format(name=f"Eve&email={VICTIM}"), RAW.format(name="Eve&id=5"), "first_name=Eve&id=5"):
        with pytest.raises(RequestRejected) as caught:
            get(query)
        assert not any(part in caught.value.message for part in ("Eve", EVE, VICTIM, "Mallory"))


CODES = {"bad_contact_id", "doubled_contact_field", "no_contact", "unreadable_body", "wrong_encoding"}
TYPES = (
    "",
    "application/json",
    "application/x-www-form-urlencoded",
    "text/html; charset=latin1",
    "multipart/form-data",
)
PIECES = st.sampled_from(
    [
        *("id", "contact_id", "email", "tags", "custom_field", "full_name", "=", "&", "[", "]", "[]", "5"),
        *("a@b.example", "%00", "%5C", "'", '"', "%EB", "+", "{", "}", ":", ",", "\\", "\\ud800", "null", "[0]"),
    ]
)
TEXTS = st.text(max_size=40) | st.lists(PIECES, max_size=25).map("".join)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["id", "contact_id", "email", "user_email", "tags", "lists", "custom_field", "updated_at", "x"])
BODIES = (
    st.binary(max_size=60)
    | TEXTS.map(lambda text: text.encode("utf-8", "replace"))
    | st.dictionaries(NAMES, VALUES, max_size=5).map(lambda data: json.dumps(data).encode())
)


def outcome(request: WebhookRequest) -> ContactEvent | RequestRejected:
    try:
        return identify(request)
    except RequestRejected as error:
        return error


@given(
    st.builds(
        WebhookRequest,
        method=st.sampled_from(["GET", "POST", "PUT"]),
        query=TEXTS,
        content_type=st.sampled_from(TYPES),
        body=BODIES,
        contact_id=st.none() | st.text(max_size=5) | st.just("5"),
    )
)
def test_whatever_comes_it_is_identified_or_refused(request: WebhookRequest) -> None:
    found = outcome(request)
    if isinstance(found, RequestRejected):
        assert (found.status, found.code in CODES) == (400, True)
        return
    assert (found.ref.id is None) != (found.ref.email is None)
    assert found.ref.id is None or (found.ref.id.isascii() and found.ref.id.isdigit() and found.ref.id[0] != "0")
    assert found.payload is None or found.payload_problem is None
    if found.payload is not None:
        for value in found.payload.fields.values():
            for text in value if isinstance(value, tuple) else [value]:
                assert not isinstance(text, str) or not any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text)


@given(st.text("Evid=5&contact_@xample.c[]%+ '", max_size=30))
def test_no_name_makes_raw_data_another_contacts(name: str) -> None:
    found = outcome(WebhookRequest("GET", query=RAW.format(name=name)))
    assert isinstance(found, RequestRejected) or found.ref == ContactRef("1245")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_no_name_makes_a_body_another_contacts(name: str) -> None:
    data = recorded_body("get-subscriber")["subscriber"] | {"first_name": name}
    found = identify(WebhookRequest("POST", body=json.dumps(data).encode()))
    assert found.ref == ContactRef(str(data["id"]))
