"""A tag is applied, a webhook arrives at a local server; what it answers is noted."""

from __future__ import annotations

import json
import threading
from urllib.parse import parse_qs

import pytest

from memberhook.core.errors import UsageError
from memberhook.testing.fluentcrm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.outgoing import Sender
from memberhook.testing.fluentcrm.records import Body, Format

from .helpers import API, Clock, Receiver, call

VARIANTS: tuple[tuple[Format, Body, bool], ...] = (
    ("json", "raw", False),
    ("form", "raw", False),
    ("get", "raw", False),
    ("json", "custom", False),
    ("form", "custom", False),
    ("get", "custom", False),
    ("json", "raw", True),
    ("form", "raw", True),
    ("get", "raw", True),
    ("json", "custom", True),
    ("form", "custom", True),
    ("get", "custom", True),
)
CUSTOM = (("contact_id", "{{contact.id}}"), ("email", "{{contact.email}}"))


@pytest.fixture
def contact(crm: SimulatedFluentCRM) -> int:
    crm.add_tag("Member")
    return crm.add_contact("zoe@example.com", "Zoë", "O'Malley")


@pytest.mark.parametrize(("format", "body", "background"), VARIANTS)
def test_every_variant_arrives(
    crm: SimulatedFluentCRM, contact: int, receiver: Receiver, format: Format, body: Body, background: bool
) -> None:
    headers = (("X-Contact", "{{contact.last_name}}"),)
    crm.add_automation("member", f"{receiver.url}/?k=1", format, body, CUSTOM, headers, background)

    crm.apply_tag(contact, "member")

    assert crm.wait_until_sent(10)
    (received,) = receiver.received
    path, _, query = received.path.partition("?")
    assert path == "/"
    data = query if format == "get" else received.body.decode()
    read = json.loads(data) if format == "json" else {name: values[0] for name, values in parse_qs(data).items()}
    name = "O\\'Malley" if background else "O'Malley"
    assert str(read["contact_id" if body == "custom" else "id"]) == str(contact)
    assert read["email"] == "zoe@example.com"
    assert body == "custom" or read["last_name"] == name
    assert received.method == ("GET" if format == "get" else "POST")
    sent = dict(received.headers)
    assert [key for key, _ in received.headers][:5] == ["Host", "User-Agent", "Accept", "Accept-Encoding", "X-Contact"]
    assert sent["X-Contact"] == "O'Malley"
    assert sent["User-Agent"] == "WordPress/7.1; http://site-a.example"


def test_the_address_goes_out_as_it_was_built(crm: SimulatedFluentCRM, contact: int, receiver: Receiver) -> None:
    """The HTTP library must not mend what FluentCRM leaves unencoded."""
    crm.update_contact(contact, first_name="Eve&role=administrator")
    crm.add_automation("member", receiver.url + "/?k=1", "get", background=False)
    crm.apply_tag(contact, "member")
    assert "&first_name=Eve&role=administrator&last_name=O'Malley&email=zoe@example.com&" in receiver.received[0].path
    assert receiver.received[0].path.endswith("avatar.png&")


def test_only_applying_a_tag_anew_sends(crm: SimulatedFluentCRM, contact: int, receiver: Receiver) -> None:
    crm.add_automation("member", receiver.url, background=False)
    crm.apply_tag(contact, "member")
    crm.apply_tag(contact, "Member")
    crm.update_contact(contact, first_name="Zoe", custom_values={"username": "zoe"})
    assert len(receiver.received) == 1
    crm.remove_tag(contact, "member")
    assert len(receiver.received) == 1
    crm.apply_tag(contact, 1)
    assert len(receiver.received) == 2


def test_another_tag_sends_nothing(crm: SimulatedFluentCRM, contact: int, receiver: Receiver) -> None:
    crm.add_tag("Other")
    crm.add_automation("member", receiver.url, background=False)
    crm.apply_tag(contact, "other")
    assert receiver.received == []
    assert crm.notes == []


@pytest.mark.parametrize(
    ("status", "webhooks"), [("unsubscribed", 0), ("pending", 0), ("bounced", 0), ("transactional", 1)]
)
def test_who_may_not_be_written_to_sends_nothing(
    crm: SimulatedFluentCRM, contact: int, receiver: Receiver, status: str, webhooks: int
) -> None:
    crm.add_automation("member", receiver.url, background=False)
    crm.update_contact(contact, status=status)
    crm.apply_tag(contact, "member")
    assert len(receiver.received) == webhooks
    assert [tag["slug"] for tag in crm.contact(contact)["tags"]] == ["member"]


def test_the_answer_becomes_the_note(crm: SimulatedFluentCRM, contact: int, receiver: Receiver) -> None:
    receiver.status, receiver.text = 500, "ü" * 3000
    crm.add_automation("member", f"{receiver.url}/hooks/main?access_key=K", background=False)
    crm.apply_tag(contact, "member")
    (note,) = crm.notes
    assert (note.contact_id, note.url_without_query, note.status) == (contact, f"{receiver.url}/hooks/main", 500)
    assert note.text == "ü" * 2000
    assert 0 < note.seconds < 5


def test_no_answer_is_noted_without_the_key(crm: SimulatedFluentCRM, contact: int) -> None:
    crm.add_automation("member", "http://127.0.0.1:9/?access_key=SECRET", background=False)
    crm.apply_tag(contact, "member")
    (note,) = crm.notes
    assert note.status is None
    assert note.text == "The webhook got no answer: NewConnectionError"
    assert "SECRET" not in str(note)


@pytest.mark.parametrize("format", ["json", "get"])
def test_a_slow_receiver_is_hung_up_on_and_not_asked_again(clock: Clock, receiver: Receiver, format: Format) -> None:
    receiver.wait = threading.Event()
    crm = SimulatedFluentCRM(clock, send=Sender(seconds=0.2))
    crm.add_tag("Member")
    crm.add_automation("member", receiver.url, format, background=False)
    crm.apply_tag(crm.add_contact("ada@example.com"), "member")
    assert [note.status for note in crm.notes] == [None]
    assert crm.notes[0].text == "The webhook got no answer: ReadTimeoutError"
    assert len(receiver.received) == 1
    crm.close()


def test_a_redirect_is_followed(crm: SimulatedFluentCRM, contact: int, receiver: Receiver) -> None:
    receiver.status, receiver.location = 307, "/elsewhere"
    crm.add_automation("member", receiver.url, background=False)
    crm.apply_tag(contact, "member")
    assert [received.path for received in receiver.received] == ["/", "/elsewhere"]
    assert receiver.received[0].body == receiver.received[1].body
    assert crm.notes[0].status == 200


def test_the_background_does_not_hold_up_who_applies_the_tag(
    crm: SimulatedFluentCRM, contact: int, receiver: Receiver
) -> None:
    receiver.wait = threading.Event()
    crm.add_automation("member", receiver.url)
    crm.apply_tag(contact, "member")
    assert crm.notes == []
    assert not crm.wait_until_sent(0.05)
    receiver.wait.set()
    assert crm.wait_until_sent(10)
    assert [note.status for note in crm.notes] == [200]


def test_it_shows_the_contact_as_it_was_when_tagged(crm: SimulatedFluentCRM, contact: int, receiver: Receiver) -> None:
    receiver.wait = threading.Event()
    crm.add_automation("member", receiver.url)
    crm.apply_tag(contact, "member")
    crm.update_contact(contact, first_name="Changed")
    receiver.wait.set()
    assert crm.wait_until_sent(10)
    assert json.loads(receiver.received[0].body)["first_name"] == "Zoë"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/subscribers/1", {"attach_tags": ["member"]}),
        ("POST", "/subscribers/sync-segments", {"type": "tags", "attach": ["member"], "subscribers": [1]}),
        ("POST", "/subscribers/bulk-add-update", {"contacts": [{"email": "zoe@example.com", "tags": [1]}]}),
        ("POST", "/subscribers", {"email": "new@example.com", "status": "subscribed", "tags": [1]}),
    ],
)
def test_tags_applied_over_the_api_send_too(
    crm: SimulatedFluentCRM, contact: int, receiver: Receiver, method: str, path: str, body: object
) -> None:
    crm.add_automation("member", receiver.url, background=False)
    assert call(crm, method, API + path, body=body).status == 200
    assert len(receiver.received) == 1
    assert len(crm.notes) == 1


def test_the_webhooks_of_a_call_that_crashes_half_way_are_sent(
    crm: SimulatedFluentCRM, contact: int, receiver: Receiver
) -> None:
    crm.add_automation("member", receiver.url, background=False)
    body = {"type": "tags", "attach": ["member"], "subscribers": [contact, 999]}
    assert call(crm, "POST", API + "/subscribers/sync-segments", body=body).status == 500
    assert len(receiver.received) == 1


def test_many_at_once_send_one_each(crm: SimulatedFluentCRM, receiver: Receiver) -> None:
    crm.add_tag("Member")
    crm.add_automation("member", receiver.url)
    contacts = [crm.add_contact(f"many{number}@example.com") for number in range(40)]
    threads = [threading.Thread(target=crm.apply_tag, args=(number, "member")) for number in contacts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert crm.wait_until_sent(30)
    assert sorted(json.loads(received.body)["id"] for received in receiver.received) == sorted(map(str, contacts))
    assert sorted(note.contact_id for note in crm.notes) == contacts


def test_a_line_break_cannot_add_a_header(crm: SimulatedFluentCRM, contact: int, receiver: Receiver) -> None:
    headers = (("X-Name", "{{contact.first_name}} 🎉\nX-Other: 1"),)
    crm.add_automation("member", receiver.url, headers=headers, background=False)
    crm.apply_tag(contact, "member")
    sent = dict(receiver.received[0].headers)
    assert sent["X-Name"].encode("latin-1").decode() == "Zoë 🎉 X-Other: 1"
    assert "X-Other" not in sent


def test_what_is_not_there_is_told(crm: SimulatedFluentCRM, contact: int) -> None:
    for wrong in (
        lambda: crm.apply_tag(contact, "no-such-tag"),
        lambda: crm.apply_tag(999, "member"),
        lambda: crm.add_automation("no-such-tag", "http://127.0.0.1/"),
        lambda: crm.add_automation("member", "http://127.0.0.1/", "xml"),  # type: ignore[arg-type]  # what is refused
        lambda: crm.add_contact("zoe@example.com"),
        lambda: crm.add_contact("new@example.com", surname="X"),
        lambda: crm.update_contact(contact, status="happy"),
    ):
        with pytest.raises(UsageError):
            wrong()


def test_time_does_not_pass_by_itself(crm: SimulatedFluentCRM, contact: int, clock: Clock) -> None:
    before = crm.contact(contact)["updated_at"]
    crm.update_contact(contact, first_name="A")
    assert crm.contact(contact)["updated_at"] == before == "2026-11-23 10:00:57"
    clock.at("12:00:00")
    crm.update_contact(contact, first_name="B")
    assert crm.contact(contact)["updated_at"] == "2026-11-23 12:00:00"
