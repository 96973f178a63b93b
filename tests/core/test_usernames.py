from __future__ import annotations

import itertools

import pytest

from memberhook.core.mapping import read
from memberhook.core.types import UsernameFormat, UsernameRules
from memberhook.core.usernames import candidates, preferred
from tests.core.world import RULES, contact, options

WORDPRESS = UsernameRules(60, r"A-Za-z0-9 _.\-@")
FIRST_LAST = options(username_format=UsernameFormat.FIRST_LAST)
FIRST_NUMBER = options(username_format=UsernameFormat.FIRST_NUMBER)


def first(count, who, opts, rules=RULES):
    return list(itertools.islice(candidates(read(who, opts), opts.username_format, rules), count))


def test_by_email():
    assert first(3, contact(), options()) == ["ada@example.com", "ada@example.com-2", "ada@example.com-3"]


def test_by_first_and_last_name():
    who = contact(fields={"first_name": " Zoë  Maria", "last_name": "O'Plus"})
    assert first(2, who, FIRST_LAST) == ["zoe-maria-oplus", "zoe-maria-oplus-2"]


def test_by_first_name_and_number():
    assert first(3, contact(), FIRST_NUMBER) == ["ada1", "ada2", "ada3"]


def test_a_mapped_username_comes_before_every_format():
    for username_format in UsernameFormat:
        opts = options(("user_login", "nick"), username_format=username_format)
        assert first(2, contact(fields={"nick": " <b>Countess</b> "}), opts) == ["Countess", "Countess-2"]
        assert first(1, contact(fields={"nick": ""}), opts) == first(
            1, contact(), options(username_format=username_format)
        )


@pytest.mark.parametrize("opts", [FIRST_LAST, FIRST_NUMBER])
def test_without_names_the_local_part_takes_their_place(opts):
    nameless = contact("info@example.com", fields={"first_name": "", "last_name": None})
    assert first(1, nameless, opts)[0] in {"info", "info1"}


def test_the_last_resort():
    assert first(2, contact("?!", fields={"first_name": "?"}), FIRST_LAST) == ["king", "king-2"]
    assert first(2, contact("**@x.co", fields={"nick": "@"}), options(("user_login", "nick"))) == ["member", "member-2"]


def test_other_scripts_stay_where_the_site_takes_them():
    who = contact(fields={"first_name": "Ада", "last_name": "Кинг"})
    assert first(1, who, FIRST_LAST) == ["ада-кинг"]
    assert first(1, who, FIRST_LAST, WORDPRESS) == ["ada"]


def test_characters_are_transliterated_or_dropped():
    opts = options(("user_login", "nick"))
    assert first(1, contact(fields={"nick": "Zoë & Søn/ﬁ"}), opts, WORDPRESS) == ["Zoe  Sonfi"]
    assert first(1, contact("Ada+X@Example.com"), options(), UsernameRules(60, "a-z0-9")) == ["adaxexamplecom"]


def test_a_username_is_normalised_as_it_will_be_at_log_in():
    assert first(1, contact(fields={"nick": "ﬁⅧ"}), options(("user_login", "nick"))) == ["fiVIII"]


def test_long_ones_are_cut_with_room_for_the_number():
    who = contact("a" * 70 + "@example.com")
    assert first(3, who, options(), WORDPRESS) == ["a" * 60, "a" * 58 + "-2", "a" * 58 + "-3"]


def test_without_signs_and_letters_there_are_still_numbers():
    assert first(2, contact(), options(), UsernameRules(20, "a-z0-9")) == ["adaexamplecom", "adaexamplecom2"]
    assert first(2, contact(), options(), UsernameRules(20, "0-9")) == ["2", "3"]


def test_from_the_sixteenth_on_numbers_are_drawn_from_the_contact():
    ada, other = (first(20, contact(email), FIRST_NUMBER) for email in ("ada@example.com", "ada@example.org"))
    assert ada[:15] == other[:15] == [f"ada{n}" for n in range(1, 16)]
    assert [len(username) - 3 for username in ada[15:]] == [5, 6, 7, 8, 9]
    assert not set(ada[15:]) & set(other[15:])
    assert ada == first(20, contact("Ada@example.com"), FIRST_NUMBER)


@pytest.mark.parametrize(
    ("email", "opts", "expected"),
    [("o'neil@x.co", options(), "o'neil@x.co"), ("a@x.co", FIRST_LAST, "ada-king"), ("a@x.co", FIRST_NUMBER, "ada1")],
)
def test_the_preferred_one_is_as_if_the_site_accepted_everything(email, opts, expected):
    assert preferred(read(contact(email), opts), opts.username_format) == expected
