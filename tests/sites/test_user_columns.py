from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from django.db import models

from memberhook.sites.local.user_columns import UnsuitableValueError, to_column, to_value, user_columns

TEXT = models.CharField(max_length=5)
WHEN = models.DateTimeField(null=True)


@pytest.mark.parametrize(
    ("held", "value"),
    [
        ("text", "text"),
        (True, True),
        (7, 7),
        (None, None),
        (date(1990, 4, 1), "1990-04-01"),
        (time(18, 30), "18:30:00"),
        (datetime(2027, 1, 31, 18, 30, tzinfo=UTC), "2027-01-31T18:30:00"),
        (Decimal("12.50"), 12.5),
        (Decimal("12.00"), 12),
        (["a", 1], ("a", "1")),
    ],
)
def test_what_the_plan_sees(held: Any, value: Any) -> None:
    assert to_value(held) == value
    assert type(to_value(held)) is type(value)


@pytest.mark.parametrize(
    ("column", "value", "held"),
    [
        (TEXT, "abcdefgh", "abcde"),
        (TEXT, ("a", "b"), "a, b"),
        (TEXT, True, "yes"),
        (TEXT, 12.0, "12"),
        (TEXT, None, ""),
        (models.TextField(), "abcdefgh" * 100, "abcdefgh" * 100),
        (models.CharField(max_length=5, null=True), None, None),
        (models.DateField(null=True), "1990-04-01", date(1990, 4, 1)),
        (models.DateField(null=True), None, None),
        (WHEN, "2027-01-31T18:30:00", datetime(2027, 1, 31, 18, 30, tzinfo=UTC)),
        (WHEN, "2027-01-31T18:30:00+02:00", datetime(2027, 1, 31, 16, 30, tzinfo=UTC)),
        (models.BooleanField(default=False), True, True),
        (models.BooleanField(default=False), None, False),
        (models.IntegerField(null=True), "7", 7),
        (models.DecimalField(max_digits=6, decimal_places=2), 12.5, Decimal("12.5")),
        (models.JSONField(default=list), ("a", "b"), ["a", "b"]),
    ],
)
def test_what_the_column_gets(column: Any, value: Any, held: Any) -> None:
    assert to_column(column, value) == held


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (models.DateField(name="birthday"), "in spring"),
        (models.DateField(name="birthday"), "2027-02-30"),
        (models.IntegerField(name="age"), "old"),
        (models.BooleanField(name="active"), "perhaps"),
        (models.DateField(name="birthday"), ("1990-04-01", "1990-04-02")),
    ],
)
def test_what_does_not_fit_is_said(column: Any, value: Any) -> None:
    with pytest.raises(UnsuitableValueError, match=column.name):
        to_column(column, value)


def test_only_columns_that_there_are(settings: Any) -> None:
    settings.MEMBERHOOK_USER_FIELDS = ["last_name", "shoe_size", "objects", "get_full_name", "memberhook_tags"]
    assert list(user_columns()) == ["last_name"]
