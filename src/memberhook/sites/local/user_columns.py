"""Columns of the user model that a mapping may write (MEMBERHOOK_USER_FIELDS), converted to field values and back."""

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


class UnsuitableValueError(ValueError):
    """The column does not accept the value."""


def user_columns() -> Mapping[str, models.Field[Any, Any]]:
    """By name, the columns that the setting names and the user model has."""
    own = {field.name: field for field in get_user_model()._meta.concrete_fields}
    return {name: own[name] for name in conf.USER_FIELDS() if name in own}


def to_value(content: Any) -> Value:
    """A column's content as a field value: dates and times become ISO 8601 text, numbers stay numbers."""
    if isinstance(content, datetime):
        local = timezone.make_naive(content) if timezone.is_aware(content) else content
        return local.isoformat(timespec="seconds")
    if isinstance(content, date | time):
        return content.isoformat()
    if isinstance(content, Decimal):
        return int(content) if content == content.to_integral_value() else float(content)
    if isinstance(content, list | tuple):
        return tuple(map(str, content))
    return content if content is None or isinstance(content, str | int | float) else str(content)


def to_column(column: models.Field[Any, Any], value: Value) -> Any:
    """A field value as the column's content; text is cut to its length. Raises `UnsuitableValueError`.

    None becomes NULL if the column allows it, else the column's default.
    """
    if value is None:
        return None if column.null else column.get_default()
    if isinstance(column, models.CharField | models.TextField):
        return (", ".join(value) if isinstance(value, tuple) else as_text(value))[: column.max_length]
    try:
        converted = column.to_python(list(value) if isinstance(value, tuple) else value)
    except (ValidationError, TypeError, ValueError) as error:
        raise UnsuitableValueError(column.name) from error
    if isinstance(converted, datetime) and timezone.is_naive(converted) and settings.USE_TZ:
        return timezone.make_aware(converted)
    return converted
