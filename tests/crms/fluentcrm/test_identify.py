"""Every recorded webhook, read as what it says; and the variants of newer versions."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from memberhook.core.errors import RequestRejected
from memberhook.core.types import Contact, Tag, Value
from memberhook.crms.contract import ContactEvent, ContactRef, WebhookRequest
from memberhook.crms.fluentcrm.webhook import identify
from tests.crms.fluentcrm.helpers import recorded_request, webhooks

PHOTO = "://site-a.example/wp-content/plugins/fluent-crm/assets/images/avatar.png"

NOTHING: dict[str, Value] = dict.fromkeys(
    (
        *("user_id", "contact_owner", "company_id", "prefix", "first_name", "last_name", "timezone", "address_line_1"),
        *("address_line_2", "postal_code", "city", "state", "country", "ip", "latitude", "longitude", "phone"),
        *("source", "avatar", "date_of_birth", "last_activity"),
    )
)
"""What the foreground's JSON gives as null."""

ZOE: dict[str, Value] = {
    "hash": "0d4b6e18ed55ea4f96212c64488f5ddf",
    "prefix": "Ms",
    "first_name": "Zoë",
    "last_name": "Faktor",
    "email": "facts-zoe@example.com",
    "address_line_1": "1 Rua da Prova",
    "address_line_2": "Floor 2",
    "postal_code": "1000-001",
    "city": "São Pedro",
    "state": "Lisboa",
    "country": "PT",
    "total_points": "0",
    "life_time_value": "0",
    "phone": "+351 555 0199",
    "status": "subscribed",
    "contact_type": "lead",
    "source": "facts",
    "date_of_birth": "1990-04-01",
    "created_at": "2026-11-23 11:10:49",
    "updated_at": "2026-11-23 11:10:49",
    "full_name": "Zoë Faktor",
    "photo": "http" + PHOTO,
    "interests": ("a", "b"),
    "renewal": "2027-01-31",
}
PIA: dict[str, Value] = {
    "hash": "e56414465aa37f39e9da6328c216fa64",
    "first_name": 'Pia & "Pat" x',
    "last_name": "O'Plus",
    "email": "facts-pia+members@example.com",
    "total_points": "0",
    "life_time_value": "0",
    "status": "subscribed",
    "contact_type": "lead",
    "created_at": "2026-11-23 11:11:56",
    "updated_at": "2026-11-23 11:11:56",
    "full_name": 'Pia & "Pat" x O\'Plus',
    "photo": "http" + PHOTO,
}
BACKGROUND: dict[str, Value] = {
    "id": "1254",
    "hash": "94bbf3cd1933b2a7017ded91eae49147",
    "first_name": 'Zoë "Q" 🐘',
    "last_name": "O'Brien \\ Söhne",
    "email": "zoe.bg+shop@example.com",
    "total_points": "0",
    "life_time_value": "0",
    "phone": "+1 555 0100",
    "status": "subscribed",
    "contact_type": "lead",
    "date_of_birth": "1986-12-09",
    "created_at": "2026-11-23 11:29:35",
    "updated_at": "2026-11-23 11:29:35",
    "full_name": 'Zoë "Q" 🐘 O\'Brien \\ Söhne',
    "photo": "https" + PHOTO,
    "username": "zoe",
    "interests": ("a", "b"),
    "renewal": "2027-01-31",
}
BEA: dict[str, Value] = {
    "id": 1250,
    "hash": "189f25d7c0da38747f233b99440146bd",
    "first_name": "Bea",
    "email": "facts-bea@example.com",
    "total_points": "0",
    "life_time_value": "0",
    "status": "subscribed",
    "contact_type": "lead",
    "created_at": "2026-11-23 11:10:55",
    "updated_at": "2026-11-23 11:10:55",
    "full_name": "Bea",
    "photo": "http" + PHOTO,
}
ADA: dict[str, Value] = {
    "id": 1246,
    "hash": "6c9048add901f3cc085c57ccdb74323e",
    "first_name": "Ada",
    "last_name": "King",
    "email": "facts-ada@example.com",
    "city": "",
    "country": "PT",
    "total_points": "0",
    "life_time_value": "0",
    "phone": "+1 555 0100",
    "status": "subscribed",
    "contact_type": "lead",
    "date_of_birth": "",
    "created_at": "2026-11-23 11:07:57",
    "updated_at": "2026-11-23 11:09:36",
    "full_name": "Ada King",
    "photo": "http" + PHOTO,
    "interests": ("a",),
}


def contact_event(contact_id: str, fields: dict[str, Value]) -> ContactEvent:
    version = fields.get("updated_at")
    assert version is None or isinstance(version, str)
    return ContactEvent(ContactRef(id=contact_id), Contact(contact_id, str(fields["email"]), fields, None, version))


CUSTOM = {"contact_id": "1248", "email": "facts-zoe@example.com", "city": "São Pedro"}
BACKGROUND_CUSTOM = {"contact_id": "1254", "email": "zoe.bg+shop@example.com", "city": ""}

# By line of outgoing-webhooks.jsonl. `case=…` is what the owner had in the address behind the control parameters.
EXPECTED: dict[int, ContactEvent] = {
    1: contact_event("1248", NOTHING | ZOE | {"id": 1248}),
    2: contact_event("1248", ZOE | {"id": "1248"}),
    3: contact_event("1248", ZOE | {"id": "1248", "case": "get"}),
    4: contact_event("1248", {**CUSTOM}),
    5: contact_event("1248", {**CUSTOM}),
    6: contact_event("1248", NOTHING | ZOE | {"id": 1248}),
    7: contact_event("1250", NOTHING | BEA),
    8: contact_event("1246", NOTHING | ADA),
    9: ContactEvent(
        ContactRef(id="1252"),
        None,
        "The contact's name cannot be sent in an address, so the webhook's data is not used. Choose POST there.",
    ),
    10: contact_event("1252", PIA | {"id": "1252"}),
    11: contact_event("1252", NOTHING | PIA | {"id": 1252}),
    12: ContactEvent(
        ContactRef(id="1245"),
        None,
        "The webhook has a field twice, so its data is not used. Choose POST in FluentCRM's webhook.",
    ),
    13: contact_event("1254", BACKGROUND),
    14: contact_event("1254", BACKGROUND),
    15: contact_event("1254", BACKGROUND | {"case": "bg-get"}),
    16: contact_event("1254", {**BACKGROUND_CUSTOM}),
    17: contact_event("1254", {**BACKGROUND_CUSTOM}),
    18: contact_event("1254", BACKGROUND),
}


def test_every_recording_is_expected() -> None:
    assert sorted(EXPECTED) == list(range(1, len(webhooks()) + 1))


@pytest.mark.parametrize("line", EXPECTED)
def test_recorded(line: int) -> None:
    request, query = recorded_request(line)
    assert identify(request) == EXPECTED[line]
    injected = line == 12  # her first name is `Eve&role=administrator&wpf_action=update`
    assert (query.problem is not None) == injected
    assert query.controls["wpf_action"] == "add"
    assert "role" not in query.controls


def test_what_was_identified_once_is_the_same_again() -> None:
    """A worker hands the stored id in as the control parameter."""
    for line, expected in EXPECTED.items():
        request, _ = recorded_request(line)
        assert identify(WebhookRequest(**_parts(request), contact_id=expected.ref.id)) == expected


def _parts(request: WebhookRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in ("method", "query", "content_type", "user_agent", "body")}


def post(data: object, contact_id: str | None = None) -> ContactEvent:
    body = json.dumps(data).encode()
    return identify(WebhookRequest("POST", body=body, content_type="application/json", contact_id=contact_id))


def form(data: dict[str, str]) -> ContactEvent:
    body = urlencode(data).encode()
    return identify(WebhookRequest("POST", body=body, content_type="application/x-www-form-urlencoded"))


def get(query: str, contact_id: str | None = None) -> ContactEvent:
    return identify(WebhookRequest("GET", query=query, contact_id=contact_id))


def payload(found: ContactEvent) -> Contact:
    assert found.payload is not None
    return found.payload


def refused(data: object, contact_id: str | None = None) -> str:
    with pytest.raises(RequestRejected) as caught:
        post(data, contact_id)
    assert caught.value.status == 400
    return caught.value.code


class TestWhoItIs:
    @pytest.mark.parametrize(
        ("data", "ref"),
        [
            ({"id": 5, "email": "a@b.example"}, ContactRef("5")),
            ({"id": "005"}, ContactRef("5")),
            ({"contact_id": "7", "id": "5"}, ContactRef("7")),
            ({"contact_id": "", "id": "5"}, ContactRef("5")),
            ({"contact_id": "order-7", "email": "a@b.example"}, ContactRef(email="a@b.example")),
            ({"id": True, "email": "a@b.example"}, ContactRef(email="a@b.example")),
            ({"id": 0, "email": "a@b.example"}, ContactRef(email="a@b.example")),
            ({"id": -1, "email": "a@b.example"}, ContactRef(email="a@b.example")),
            ({"id": [5], "email": "a@b.example"}, ContactRef(email="a@b.example")),
            ({"email": " A.B@Example.COM "}, ContactRef(email="A.B@Example.COM")),
            ({"user_email": "a@b.example"}, ContactRef(email="a@b.example")),
            ({"email": "", "user_email": "a@b.example"}, ContactRef(email="a@b.example")),
            ({"email": "a@b.example", "user_email": "c@d.example"}, ContactRef(email="a@b.example")),
            ({"Mail": "a@b.example", "name": "x", "n": 1}, ContactRef(email="a@b.example")),
            ({"email": "jürgen@bücher.example"}, ContactRef(email="jürgen@bücher.example")),
        ],
    )
    def test_by_id_or_else_by_e_mail(self, data: object, ref: ContactRef) -> None:
        assert post(data).ref == ref

    @pytest.mark.parametrize(
        "data",
        [
            *({}, [], {"first_name": "Zoe"}, {"email": "no address"}, {"mail": "a@b.example", "boss": "c@d.example"}),
            *({"id": 0}, {"id": True}, {"id": None, "email": None}),
            *({"email": ["a@b.example"]}, {"email": "a b@c.example"}),
        ],
    )
    def test_nobody(self, data: object) -> None:
        assert refused(data) == "no_contact"

    def test_the_refusal_says_what_was_looked_for(self) -> None:
        with pytest.raises(RequestRejected) as caught:
            post({"first_name": "Zoe"})
        assert "no id, contact_id or e-mail address" in caught.value.message
        assert "{{contact.id}}" in caught.value.message

    def test_the_control_parameter_outranks_the_data(self) -> None:
        assert post({"id": 5, "email": "a@b.example"}, "7").ref == ContactRef("7")
        assert post({}, "007") == ContactEvent(ContactRef("7"))
        assert identify(WebhookRequest("GET", contact_id="7")) == ContactEvent(ContactRef("7"))

    def test_data_of_another_contact_are_not_used(self) -> None:
        found = post({"id": 5, "email": "a@b.example"}, "7")
        assert found.payload is None
        assert found.payload_problem is not None
        assert "one contact" in found.payload_problem

    @pytest.mark.parametrize("contact_id", ["", "abc", "0", "-1", "1.0", "5 or 6", "{{contact.id}}", "٣", "9" * 21])
    def test_a_control_parameter_that_is_no_id(self, contact_id: str) -> None:
        assert refused({"id": 5}, contact_id) == "bad_contact_id"


class TestWhatItTells:
    def test_tags_of_newer_versions(self) -> None:
        tags = [{"id": 3, "title": "VIP", "slug": "vip"}, {"id": "4", "title": "Zoë's", "slug": "zoes"}]
        expected = (Tag("3", "vip", "VIP"), Tag("4", "zoes", "Zoë's"))
        found = payload(post({"id": 5, "email": "a@b.example", "tags": tags}))
        assert found.tags == expected
        assert "tags" not in found.fields
        sent = {f"tags[{n}][{key}]": str(value) for n, tag in enumerate(tags) for key, value in tag.items()}
        assert payload(form({"id": "5", "email": "a@b.example", **sent})).tags == expected

    def test_no_tags_differ_from_unknown_tags(self) -> None:
        assert payload(post({"id": 5, "tags": []})).tags == ()
        assert payload(post({"id": 5})).tags is None
        assert payload(post({"id": 5, "tags": [{"slug": "vip"}]})).tags is None
        assert payload(post({"id": 5, "tags": ["vip"]})).tags is None

    def test_lists_by_their_titles(self) -> None:
        lists = [{"id": 1, "title": "News", "slug": "news"}]
        assert payload(post({"id": 5, "lists": lists})).fields["lists"] == ("News",)

    def test_custom_fields_stand_beside_the_built_in_ones_which_win(self) -> None:
        found = payload(post({"id": 5, "city": "Rome", "custom_field": {"city": "Paris", "phone": "1", "club": "x"}}))
        assert found.fields == {"id": 5, "city": "Rome", "club": "x"}

    @pytest.mark.parametrize(
        ("raw", "value"),
        [
            *(("0000-00-00", ""), ("0000-00-00 00:00:00", ""), ("2027-01-31", "2027-01-31"), (None, None)),
            *((5, 5), (1.5, 1.5), (True, True), (2**70, str(2**70)), ([], ()), (["a", 1, None, True], ("a", "1", "1"))),
            *(("a\x00b\x1b\x7f\x85c", "abc"), ("l1\nl2\r\n\tl3", "l1\nl2\r\n\tl3"), ("half \ud83d", "half \ufffd")),
            *(("<b>x</b> & ' \\", "<b>x</b> & ' \\"), (" x ", " x ")),
        ],
    )
    def test_values(self, raw: object, value: Value) -> None:
        assert payload(post({"id": 5, "custom_field": {"f": raw}})).fields["f"] == value
        assert payload(post({"id": 5, "f": raw})).fields["f"] == value

    def test_what_is_no_plain_value_is_left_out(self) -> None:
        data = {"id": 5, "company": {"name": "x"}, "custom_field": {"a": {"b": "c"}, "d": [["e"]], "f": "g"}}
        assert payload(post(data)).fields == {"id": 5, "f": "g"}

    @pytest.mark.parametrize(
        ("updated_at", "version"),
        [
            ("2026-11-23 11:10:49", "2026-11-23 11:10:49"),
            *(("0000-00-00 00:00:00", None), ("yesterday", None), (5, None), (None, None), ("", None)),
        ],
    )
    def test_the_version(self, updated_at: object, version: str | None) -> None:
        assert payload(post({"id": 5, "updated_at": updated_at})).version == version

    def test_without_an_e_mail(self) -> None:
        assert payload(post({"id": 5})).email == ""


class TestBackslashes:
    """Background mode puts one before every quote and backslash; then the id is text."""

    @pytest.mark.parametrize(
        ("data", "name"),
        [
            ({"id": "5", "n": "O\\'Brien"}, "O'Brien"),
            ({"id": "5", "n": 'a \\\\ b \\"c\\"'}, 'a \\ b "c"'),
            ({"contact_id": "5", "n": "O\\'Brien"}, "O'Brien"),
            ({"id": 5, "n": "O\\'Brien"}, "O\\'Brien"),
            ({"id": "5", "n": "O'Brien"}, "O'Brien"),
            ({"id": "5", "n": "O\\'Brien", "m": "L'Oréal"}, "O\\'Brien"),
            ({"id": "5", "n": "C:\\temp"}, "C:\\temp"),
            ({"id": "5", "n": "O\\'Brien", "custom_field": {"x": ["y", "it's"]}}, "O\\'Brien"),
        ],
    )
    def test_taken_back_only_where_all_text_has_them(self, data: dict[str, Any], name: str) -> None:
        assert payload(post(data)).fields["n"] == name

    def test_in_everything_that_is_text(self) -> None:
        data = {"id": "5", "email": "o\\'b@c.example", "custom_field": {"x": ["it\\'s"]}}
        found = payload(post(data | {"tags": [{"id": "1", "slug": "s", "title": "T\\'s"}]}))
        assert (found.email, found.fields["x"], found.tags) == ("o'b@c.example", ("it's",), (Tag("1", "s", "T's"),))

    def test_in_forms_and_addresses(self) -> None:
        assert payload(form({"id": "5", "n": "O\\'Brien"})).fields["n"] == "O'Brien"
        assert payload(get("id=5&hash=x&email=o%5C'b@c.example")).email == "o'b@c.example"


class TestAddresses:
    def test_a_plus_stays_a_plus(self) -> None:
        found = payload(get("id=5&hash=x&phone=+351%20555&email=a+b@c.example"))
        assert (found.fields["phone"], found.email) == ("+351 555", "a+b@c.example")

    def test_of_custom_data(self) -> None:
        assert get("email=a+b@c.example&city=Rome") == ContactEvent(
            ContactRef(email="a+b@c.example"),
            Contact(None, "a+b@c.example", {"email": "a+b@c.example", "city": "Rome"}),
        )

    def test_tags_in_an_address_are_not_believed(self) -> None:
        found = payload(get("id=5&hash=x&email=a@b.example&tags[0][id]=1&tags[0][slug]=vip"))
        assert found.tags is None
        assert "tags" not in found.fields

    def test_a_second_e_mail_in_raw_data_is_a_field_like_others(self) -> None:
        found = payload(get("id=5&hash=x&email=a@b.example&custom_field%5Bwork%5D=c@d.example"))
        assert (found.email, found.fields["work"]) == ("a@b.example", "c@d.example")
