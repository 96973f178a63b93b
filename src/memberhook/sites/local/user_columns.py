"""Columns of a project's user model that mappings may write (MEMBERHOOK_USER_FIELDS): to the plan's values and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from memberhook import conf
from memberhook.core.field_values import as_text
from memberhook.core.types import Value


class Unfit(ValueError):
    """The column does not take the value; says which."""


def user_columns() -> Mapping[str, models.Field[Any, Any]]:
    """The columns that the setting names and the user model has, by name."""
    own = {field.name: field for field in get_user_model()._meta.concrete_fields}
    return {name: own[name] for name in conf.USER_FIELDS() if name in own}


def to_value(held: Any) -> Value:
    """What a column holds, as the plan writes such things: dates and times as ISO 8601 text, numbers as numbers."""
    if isinstance(held, datetime):
        local = timezone.make_naive(held) if timezone.is_aware(held) else held
        return local.isoformat(timespec="seconds")
    if isinstance(held, date | time):
        return held.isoformat()
    if isinstance(held, Decimal):
        return int(held) if held == held.to_integral_value() else float(held)
    if isinstance(held, list | tuple):
        return tuple(map(str, held))
    return held if held is None or isinstance(held, str | int | float) else str(held)


def to_column(column: models.Field[Any, Any], value: Value) -> Any:
    """What the column holds when it is set to the value; text is cut to its length. Raises `Unfit`.

    None empties it: NULL where the column may be, else its default.
    """
    if value is None:
        return None if column.null else column.get_default()
    if isinstance(column, models.CharField | models.TextField):
        return (", ".join(value) if isinstance(value, tuple) else as_text(value))[: column.max_length]
    try:
        fit = column.to_python(list(value) if isinstance(value, tuple) else value)
    except (ValidationError, TypeError, ValueError) as error:
        raise Unfit(column.name) from error
    if isinstance(fit, datetime) and timezone.is_naive(fit) and settings.USE_TZ:
        return timezone.make_aware(fit)
    return fit
