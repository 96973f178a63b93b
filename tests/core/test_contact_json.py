from __future__ import annotations

import json

import pytest
from hypothesis import given

from memberhook.core.contact_json import NoContact, from_json, to_json
from memberhook.core.errors import PermanentError
from memberhook.core.types import Contact, Tag
from tests.core import strategies


@given(strategies.contacts())
def test_it_comes_back_as_it_was(contact: Contact) -> None:
    text = to_json(contact)
    assert from_json(text) == contact
    assert text.isascii()
    assert "\0" not in text


def test_tags_that_are_not_known_are_not_none_at_all() -> None:
    for tags in (None, (), (Tag("1", "a", "A"),)):
        assert from_json(to_json(Contact("1", "a@x.co", {"x": ("\0", "\ud800")}, tags, "2026"))).tags == tags


@pytest.mark.parametrize("problem", [None, 'The webhook has a field twice "\ud800".'])
def test_why_there_is_no_contact_comes_back(problem: str | None) -> None:
    assert from_json(to_json(NoContact(problem))) == NoContact(problem)


def stored(**wrong: object) -> str:
    """A contact as it is stored, with these values over it."""
    return json.dumps(json.loads(to_json(Contact("1", "a@x.co"))) | wrong)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"problem"',
        '{"problem":null,"id":"1"}',
        "null",
        "[]",
        "{}",
        '{"id":1}',
        to_json(Contact("1", "a"))[:-9] + "}",
        '{"problem":5}',
        "[" * 100_000,
        stored(id=5),
        stored(id={"a": 1}),
        stored(email=None),
        stored(email=5),
        stored(fields={"x": {"a": 1}}),
        stored(fields={"x": ["a", 1]}),
        stored(fields=[]),
        stored(tags={}),
        stored(tags=[["1", "a", "A"]]),
        stored(tags=[{"id": ["1"], "slug": "a", "title": "A"}]),
        stored(version=7),
    ],
)
def test_anything_else_fails_for_good(text: str) -> None:
    with pytest.raises(PermanentError) as caught:
        from_json(text)
    assert caught.value.code == "unreadable_delivery"
