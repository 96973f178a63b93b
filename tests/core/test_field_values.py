from __future__ import annotations

import math

import pytest

from memberhook.core.field_values import Result, same, site_value
from memberhook.core.types import FieldMapping, FieldType
from tests.core.world import typed

T = FieldType


@pytest.mark.parametrize(
    ("type_", "value", "read"),
    [
        (T.TEXT, ' Pia & "Pat"\n x ', 'Pia & "Pat" x'),
        (T.TEXT, ("a", " ", "b"), "a, b"),
        (T.TEXT, ("x <img", "src=y>"), "x"),
        (T.MULTILINE, ("x <img", "src=y>"), "x"),
        (T.TEXT, 12.0, "12"),
        (T.TEXT, 1.5, "1.5"),
        (T.TEXT, True, "yes"),
        (T.MULTILINE, " a\r\nb ", "a\nb"),
        (T.MULTILINE, ("a", "b"), "a\nb"),
        (T.NUMBER, " 12 ", 12),
        (T.NUMBER, "-12.50", -12.5),
        (T.NUMBER, "3.0", 3),
        (T.NUMBER, "1e3", 1000),
        (T.NUMBER, 2.0, 2),
        (T.NUMBER, ("7",), 7),
        (T.NUMBER, 0, 0),
        (T.NUMBER, True, 1),
        (T.DATE, "2027-01-31", "2027-01-31"),
        (T.DATE, "2027-01-31 18:30:00", "2027-01-31"),
        (T.DATE, "2024-02-29T00:00", "2024-02-29"),
        (T.DATETIME, "2027-01-31", "2027-01-31T00:00:00"),
        (T.DATETIME, "2027-01-31 18:30", "2027-01-31T18:30:00"),
        (T.DATETIME, " 2027-01-31T18:30:05 ", "2027-01-31T18:30:05"),
        (T.DATETIME, "2027-01-31T18:30:05.123Z", "2027-01-31T18:30:05+00:00"),
        (T.DATETIME, "2027-01-31 18:30:05+05:30", "2027-01-31T18:30:05+05:30"),
        *[(T.CHECKBOX, yes, True) for yes in ("yes", "1", "TRUE", " On ", True, 1, 0.5, ("anything",))],
        *[(T.CHECKBOX, no, False) for no in ("no", "0", "False", "OFF", False, 0, 0.0)],
        (T.SELECT, " <b>gold</b>", "gold"),
        (T.MULTISELECT, ("a", " b ", ""), ("a", "b")),
        (T.MULTISELECT, "a, b", ("a, b",)),
        (T.MULTISELECT, 5, ("5",)),
        (T.RAW, " <b>x</b>\n", " <b>x</b>\n"),
        (T.RAW, ("", " a"), ("", " a")),
        (T.RAW, False, False),
        (T.AUTO, ("<i>a</i>", " b"), ("a", "b")),
        (T.AUTO, True, True),
        (T.AUTO, 0, 0),
        (T.AUTO, 1.5, 1.5),
        (T.AUTO, " a\nb ", "a b"),
    ],
)
def test_values_are_read_by_their_type(type_, value, read):
    reading = site_value(value, typed(type_))
    assert (reading.result, reading.warning) == (Result.VALUE, "")
    assert same(reading.value, read)
    assert type(reading.value) is type(read)


@pytest.mark.parametrize("type_", list(T))
@pytest.mark.parametrize("value", [None, "", ()])
def test_empty_keeps_or_clears(type_, value):
    assert site_value(value, typed(type_)).result is Result.KEEP
    assert site_value(value, typed(type_, clears=True)).result is Result.CLEAR


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (T.DATE, "0000-00-00"),
        (T.DATETIME, "0000-00-00 00:00:00"),
        (T.DATE, "0000-00-00T00:00"),
        (T.AUTO, "0000-00-00"),
        (T.TEXT, "<b> </b>"),
        (T.NUMBER, "  "),
        (T.CHECKBOX, " "),
        (T.CHECKBOX, ("", " ")),
        (T.MULTISELECT, ("",)),
        (T.AUTO, ("\0",)),
    ],
)
def test_what_only_looks_filled_is_empty(type_, value):
    assert site_value(value, typed(type_)).result is Result.KEEP


@pytest.mark.parametrize(
    ("type_", "value", "problem"),
    [
        (T.NUMBER, "12,5", "is no number like 12 or 12.5"),
        (T.NUMBER, "١٢", "is no number"),
        (T.NUMBER, "nan", "is no number"),
        (T.NUMBER, "1e999", "is no number that can be stored"),
        (T.NUMBER, "9" * 5000, "is no number"),
        (T.NUMBER, ("1", "2"), "has several values where one is needed"),
        *[(type_, math.nan, "is no number that can be stored") for type_ in T],
        *[
            (T.DATE, text, "is no date like 2027-01-31")
            for text in ("31.01.2027", "01/31/2027", "20270131", "2027-02-30")
        ],
        *[
            (T.DATE, text, "is no date")
            for text in ("2027-01-31 24:00", "2027-1-3", "\uff12027-01-31", "2027-W05-1", "soon")
        ],
        (T.DATETIME, "2027-01-31 25:00:00", "is no date and time like 2027-01-31 18:30:00"),
        (T.DATETIME, "2027-01-31 10:00+99:00", "is no date and time"),
        (T.DATE, 1801353600, "is no date"),
        (T.CHECKBOX, "maybe", "is neither yes nor no"),
        (T.RAW, "a\0", "has characters that cannot be stored"),
        (T.RAW, ("\ud800",), "has characters that cannot be stored"),
    ],
)
def test_what_cannot_be_read_is_reported(type_, value, problem):
    reading = site_value(value, FieldMapping("renewal", "crm_renewal", type_, clears=True))
    assert (reading.result, reading.value) == (Result.UNREADABLE, None)
    assert problem in reading.warning
    assert "crm_renewal" in reading.warning
    assert "the site's renewal stays" in reading.warning


def test_a_warning_shows_the_value_but_not_a_password():
    assert '"12,5"' in site_value("12,5", typed(T.NUMBER)).warning
    for site, crm in (("user_pass", "x"), ("x", "wp_password"), ("api-Token", "x"), ("pwd", "x")):
        reading = site_value("12,5", typed(T.NUMBER, site=site, crm=crm))
        assert reading.result is Result.UNREADABLE
        assert "12,5" not in reading.warning


def test_a_long_value_is_shown_in_part():
    assert len(site_value("x" * 5000, typed(T.DATE)).warning) < 250


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [(True, 1, False), (False, 0, False), (1, 1.0, True), ("1", 1, False), (("a",), "a", False), (None, "", False)],
)
def test_same(one, other, equal):
    assert same(one, other) is equal


def test_a_value_is_not_in_the_repr_of_its_reading():
    assert "tulip" not in repr(site_value("tulip", typed(T.TEXT)))
