"""A tag is applied, a webhook arrives at a local server; its answer becomes a note."""

from __future__ import annotations

import json
import threading
from urllib.parse import parse_qs

import pytest

from memberhook.core.errors import UsageError
from memberhook.testing.fluentcrm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.records import Format

from .helpers import Clock, Receiver


@pytest.fixture
def contact(crm: SimulatedFluentCRM) -> int:
    crm.add_tag("Member")
    return crm.add_contact("zoe@example.com", "Zoë", "O'Malley")


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("format", ["json", "form", "get"])
def test_every_format_arrives(
    crm: SimulatedFluentCRM, contact: int, receiver: Receiver, format: Format, background: bool
) -> None:
    crm.add_automation("member", f"{receiver.url}/?k=1", format, background)

    crm.apply_tag(contact, "member")

    assert crm.wait_until_sent(10)
    (received,) = receiver.received
    path, _, query = received.path.partition("?")
    assert path == "/"
    data = query if format == "get" else received.body.decode()
    values = json.loads(data) if format == "json" else {name: found[0] for name, found in parse_qs(data).items()}
    assert (str(values["id"]), values["email"]) == (str(contact), "zoe@example.com")
    assert values["last_name"] == ("O\\'Malley" if background else "O'Malley")
    assert received.method == ("GET" if format == "get" else "POST")
    assert [key for key, _ in received.headers][:4] == ["Host", "User-Agent", "Accept", "Accept-Encoding"]
    assert dict(received.headers)["User-Agent"] == "WordPress/7.1; http://site-a.example"


def test_the_url_is_sent_as_it_was_built(crm: SimulatedFluentCRM, contact: int, receiver: Receiver) -> None:
    """The HTTP library must not encode what FluentCRM leaves unencoded."""
    crm.update_contact(contact, first_name="Eve&role=administrator")
    crm.add_automation("member", receiver.url + "/?k=1", "get", background=False)
    crm.apply_tag(contact, "member")
    assert "&first_name=Eve&role=administrator&last_name=O'Malley&email=zoe@example.com&" in receiver.received[0].path
    assert receiver.received[0].path.endswith("avatar.png&")


def test_only_a_newly_applied_tag_sends(crm: SimulatedFluentCRM, contact: int, receiver: Receiver) -> None:
    crm.add_tag("Other")
    crm.add_automation("member", receiver.url, background=False)
    crm.apply_tag(contact, "member")
    crm.apply_tag(contact, "Member")
    crm.apply_tag(contact, "other")
    crm.update_contact(contact, first_name="Zoe", custom_values={"username": "zoe"})
    assert len(receiver.received) == 1
    crm.remove_tag(contact, "member")
    assert len(receiver.received) == 1
    crm.apply_tag(contact, 1)
    assert len(receiver.received) == 2


@pytest.mark.parametrize(("status", "webhooks"), [("unsubscribed", 0), ("pending", 0), ("transactional", 1)])
def test_contacts_that_may_not_be_mailed_send_nothing(
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


def test_no_answer_is_noted_without_the_key(crm: SimulatedFluentCRM, contact: int) -> None:
    crm.add_automation("member", "http://127.0.0.1:9/?access_key=SECRET", background=False)
    crm.apply_tag(contact, "member")
    (note,) = crm.notes
    assert note.status is None
    assert note.text == "The webhook got no response: NewConnectionError"
    assert "SECRET" not in str(note)


def test_the_background_does_not_delay_who_applies_the_tag(
    crm: SimulatedFluentCRM, contact: int, receiver: Receiver
) -> None:
    receiver.wait = threading.Event()
    crm.add_automation("member", receiver.url)
    crm.apply_tag(contact, "member")
    crm.update_contact(contact, first_name="Changed")
    assert crm.notes == []
    assert not crm.wait_until_sent(0.05)
    receiver.wait.set()
    assert crm.wait_until_sent(10)
    assert [note.status for note in crm.notes] == [200]
    assert json.loads(receiver.received[0].body)["first_name"] == "Zoë"  # as it was when it was tagged


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


def test_mistakes_in_a_test_are_reported(crm: SimulatedFluentCRM, contact: int) -> None:
    for mistake in (
        lambda: crm.apply_tag(contact, "unknown"),
        lambda: crm.apply_tag(99, "member"),
        lambda: crm.add_contact("zoe@example.com"),
        lambda: crm.add_contact("new@example.com", surname="X"),
    ):
        with pytest.raises(UsageError):
            mistake()


def test_time_does_not_pass_by_itself(crm: SimulatedFluentCRM, contact: int, clock: Clock) -> None:
    before = crm.contact(contact)["updated_at"]
    crm.update_contact(contact, first_name="A")
    assert crm.contact(contact)["updated_at"] == before == "2026-11-23 10:00:57"
    clock.at("12:00:00")
    crm.update_contact(contact, first_name="B")
    assert crm.contact(contact)["updated_at"] == "2026-11-23 12:00:00"
