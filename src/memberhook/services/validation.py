"""Model validation for callers without a form."""

from __future__ import annotations

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db.models import Model

from memberhook.core.errors import UsageError

_UNNAMED = {"blank", "invalid", "invalid_choice", "max_length", "null", "unique"}
"""Codes of Django's own messages, which do not name the field."""


def validate(row: Model, *, exclude: Collection[str] = ()) -> None:
    """Raises `UsageError` with the first thing that is wrong with the row."""
    try:
        row.full_clean(exclude=exclude)
    except ValidationError as error:
        raise usage_error(error, row) from error


def usage_error(error: ValidationError, row: Model | None = None) -> UsageError:
    """The first message of a `ValidationError`, with the name of its field where the message does not say it.

    Of an invalid slug in `row`, the value is quoted too.
    """
    name, problems = next(iter(error.error_dict.items())) if hasattr(error, "error_dict") else ("", error.error_list)
    problem = problems[0]
    [message] = problem.messages
    code = problem.code or "bad_value"
    is_slug = row is not None and code == "invalid" and name in ("name", "slug")
    value = f" {getattr(row, name)!r}" if is_slug else ""
    label = f"{name.replace('_', ' ')}{value}: " if name and code in _UNNAMED else ""
    return UsageError(f"{label}{message}", code=code)
