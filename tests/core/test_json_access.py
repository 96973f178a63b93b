"""Narrowing foreign JSON: what passes, and what the error says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberhook.core.json_access import BadFieldError, JsonCursor, type_name, whole_number

ANSWER = JsonCursor({"subscriber": {"id": "007", "name": None, "tags": [{"id": 3}, {"id": True}], "total": 0}})


def test_what_passes() -> None:
    subscriber = ANSWER.member("subscriber")
    assert subscriber.member("id").identifier() == "7"
    assert subscriber.member("id").text() == "007"
    assert subscriber.member("name").text_or_empty() == ""
    assert subscriber.member("missing").text_or_empty() == ""
    assert subscriber.member("total").integer() == 0
    assert [tag.path for tag in subscriber.member("tags").items()] == ["subscriber.tags[0]", "subscriber.tags[1]"]


def test_errors_say_where_and_what_but_not_the_value() -> None:
    subscriber = ANSWER.member("subscriber")
    for read, message in (
        (
            lambda: subscriber.member("tags").items()[1].member("id").identifier(),
            "subscriber.tags[1].id: expected an id",
        ),
        (lambda: subscriber.member("total").identifier(), "subscriber.total: expected an id, found a number"),
        (lambda: subscriber.member("name").text(), "subscriber.name: expected text, found nothing"),
        (lambda: subscriber.member("id").items(), "subscriber.id: expected a list, found text"),
        (lambda: subscriber.member("id").member("x"), "subscriber.id: expected an object, found text"),
        (lambda: subscriber.member("name").integer(), "subscriber.name: expected a whole number, found nothing"),
        (lambda: JsonCursor([]).object(), "the response: expected an object, found a list"),
    ):
        with pytest.raises(BadFieldError) as caught:
            read()
        assert str(caught.value).startswith(message)


def test_values_are_no_part_of_a_repr() -> None:
    assert "secret" not in repr(JsonCursor({"password": "secret"}, "a"))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *((0, 0), (5, 5), ("5", 5), (" 12 ", 12), ("007", 7), ("18446744073709551615", 2**64 - 1)),
        *((True, None), (False, None), (-1, None), ("-1", None), (1.0, None), ("1.0", None), ("", None), ("+1", None)),
        *((None, None), ([], None), ({}, None), ("٣", None), ("²", None), ("1_0", None), (10**20, None)),
        ("9" * 21, None),
    ],
)
def test_whole_numbers(value: object, number: int | None) -> None:
    assert whole_number(value) == number


def test_type_names() -> None:
    assert [type_name(value) for value in (None, True, 1, 1.5, "", [], {})] == [
        *("nothing", "true or false", "a number", "a number", "text", "a list", "an object"),
    ]


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.integers()))
def test_an_identifier_is_always_plain_digits(value: object) -> None:
    try:
        found = JsonCursor(value).identifier()
    except BadFieldError:
        return
    assert found.isascii()
    assert found.isdigit()
    assert found[0] != "0"
