from __future__ import annotations

import json

import pytest

from memberhook.core.errors import RequestRejected
from memberhook.core.types import Action
from memberhook.intake import signed_events
from memberhook.intake.signed_events import SignedContact


def body(*contacts: object, type: object = "contacts") -> bytes:
    return json.dumps({"type": type, "contacts": list(contacts)}).encode()


def one(contact: object, action: object = "add") -> SignedContact | RequestRejected:
    read = signed_events.read(body({"action": action, "contact": contact}), "WordPress")
    assert read
    return read[0]


def test_each_contact_is_a_request_of_its_own() -> None:
    contacts = [{"action": action.value, "contact": {"id": n}} for n, action in enumerate(Action)]
    read = signed_events.read(body(*contacts), "WordPress")
    assert read
    assert [(e.action, e.request.body) for e in read if isinstance(e, SignedContact)] == [
        (Action.ADD, b'{"id":0}'),
        (Action.UPDATE, b'{"id":1}'),
        (Action.UPDATE_TAGS, b'{"id":2}'),
    ]
    request = read[0].request  # type: ignore[union-attr]
    assert (request.method, request.query, request.contact_id) == ("POST", "", None)
    assert (request.content_type, request.user_agent) == ("application/json", "WordPress")


def test_a_contact_stays_what_it_is() -> None:
    contact = {"id": 7, "first_name": "Eve&role=administrator", "role": "administrator", "wpf_action": "add", "x": [{}]}
    event = one(contact, "update")
    assert isinstance(event, SignedContact)
    assert event.action is Action.UPDATE
    assert json.loads(event.request.body) == contact


def test_half_a_character_comes_through() -> None:
    event = one({"id": 7, "first_name": "\ud83d"})
    assert isinstance(event, SignedContact)
    assert event.request.body == b'{"id":7,"first_name":"\\ud83d"}'


def test_a_test_brings_nothing() -> None:
    assert signed_events.read(b'{"type":"test"}', "") is None


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (7, "no_contact"),
        (["add", {}], "no_contact"),
        ({"action": "add"}, "no_contact"),
        ({"action": "add", "contact": []}, "no_contact"),
        ({"contact": {"id": 7}}, "unknown_action"),
        ({"action": "test", "contact": {"id": 7}}, "unknown_action"),
        ({"action": "ADD", "contact": {"id": 7}}, "unknown_action"),
        ({"action": ["add"], "contact": {"id": 7}}, "unknown_action"),
    ],
)
def test_what_cannot_be_read_is_refused_alone(item: object, code: str) -> None:
    read = signed_events.read(body(item, {"action": "add", "contact": {"id": 7}}), "")
    assert read
    assert isinstance(read[0], RequestRejected)
    assert read[0].code == code
    assert isinstance(read[1], SignedContact)


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 400, "unknown_type"),
        (b"{", 400, "unreadable_body"),
        (b"[]", 400, "unknown_type"),
        (b"7", 400, "unreadable_body"),
        (b"\xff", 400, "wrong_encoding"),
        (b'{"type":"contacts","type":"test"}', 400, "unreadable_body"),
        (body(type="order.created"), 400, "unknown_type"),
        (body(type=["test"]), 400, "unknown_type"),
        (body(), 400, "no_contact"),
        (b'{"type":"contacts","contacts":{"0":{}}}', 400, "no_contact"),
        (body(*[{}] * (signed_events.MOST_CONTACTS + 1)), 413, "too_many_contacts"),
    ],
)
def test_a_request_that_cannot_be_read(raw: bytes, status: int, code: str) -> None:
    with pytest.raises(RequestRejected) as caught:
        signed_events.read(raw, "")
    assert (caught.value.status, caught.value.code) == (status, code)


def test_as_many_as_fit() -> None:
    assert len(signed_events.read(body(*[{}] * signed_events.MOST_CONTACTS), "") or ()) == signed_events.MOST_CONTACTS
