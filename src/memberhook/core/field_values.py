"""Convert one value of a CRM to one value of a site, by the type of the field. Pure.

Formats as recorded from FluentCRM 2.9.84: dates `YYYY-MM-DD`, date-times `YYYY-MM-DD hh:mm:ss` without an offset, an
empty date `0000-00-00`, multi-selects as lists of text, numbers often as text.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from memberhook.core.closed_fields import is_secret
from memberhook.core.text import lines, one_line, shown, storable
from memberhook.core.types import FieldMapping, FieldType, Value

Single = str | int | float | bool


class Result(enum.Enum):
    KEEP = "keep"
    """Empty in the CRM; the site's value stays."""
    CLEAR = "clear"
    """Empty in the CRM; the mapping says that this clears the site's field."""
    VALUE = "value"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Reading:
    """`value` is set for VALUE alone, `warning` for UNREADABLE alone; the site's value stays as it is then."""

    result: Result
    value: Value = field(default=None, repr=False)
    warning: str = ""


class _Unreadable(ValueError):
    """Its text continues a sentence after "which"."""


def site_value(value: Value, mapping: FieldMapping) -> Reading:
    """The value for the site's field when the CRM's has `value`."""
    try:
        read = _READERS[mapping.type](_possible(value))
    except _Unreadable as problem:
        return Reading(Result.UNREADABLE, warning=_warning(value, mapping, str(problem)))
    if is_empty(read):
        return Reading(Result.CLEAR if mapping.clears else Result.KEEP)
    return Reading(Result.VALUE, read)


def is_empty(value: Value) -> bool:
    return value is None or value in ("", ())


def same(one: Value, other: Value) -> bool:
    """Whether two values of a site are the same; unlike Python, yes is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _warning(value: Value, mapping: FieldMapping, problem: str) -> str:
    secret = is_secret(mapping.site_field, mapping.crm_field)
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    content = "a value (not shown here)" if secret else shown(text)
    return (
        f"The CRM's field {mapping.crm_field} holds {content}, which {problem}; "
        f"the site's {mapping.site_field} stays as it is."
    )


def _possible(value: Value) -> Value:
    if isinstance(value, float) and not math.isfinite(value):
        raise _Unreadable("is no number that can be stored")
    return value


def _single(value: Value) -> Single | None:
    """The one value of a list of one; None for nothing at all."""
    if isinstance(value, tuple):
        if len(value) > 1:
            raise _Unreadable("has several values where one is needed")
        return value[0] if value else None
    return value


def as_text(value: Single) -> str:
    """A single value as text: `yes` and `no`, whole numbers without a point."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def _text(value: Value) -> str | None:
    """The joined items are cleaned once more: harmless parts may form a tag together."""
    if isinstance(value, tuple):
        return one_line(", ".join(part for item in value if (part := one_line(item))))
    return None if value is None else one_line(as_text(value))


def _multiline(value: Value) -> str | None:
    if isinstance(value, tuple):
        return lines("\n".join(part for item in value if (part := lines(item))))
    return None if value is None else lines(as_text(value))


def _many(value: Value) -> tuple[str, ...]:
    """A list. Text with commas is one item: the name of an option may have a comma, and FluentCRM sends lists."""
    items = value if isinstance(value, tuple) else () if value is None else (as_text(value),)
    return tuple(item for item in map(one_line, items) if item)


def _auto(value: Value) -> Value:
    if isinstance(value, tuple):
        return _many(value)
    if isinstance(value, str):
        text = one_line(value)
        return None if _NO_DATE.fullmatch(text) else text
    return value


def _raw(value: Value) -> Value:
    texts = value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
    if not all(map(storable, texts)):
        raise _Unreadable("has characters that cannot be stored")
    return value


_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_EXACT = 2**53  # up to here a float is exact for whole numbers


def _number(value: Value) -> int | float | None:
    number = _single(value)
    if isinstance(number, str):
        text = number.strip()
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            raise _Unreadable("is no number like 12 or 12.5")
        number = float(text) if re.search(r"[.eE]", text) else int(text)
    if isinstance(number, float):
        if not math.isfinite(number):
            raise _Unreadable("is no number that can be stored")
        return int(number) if number.is_integer() and abs(number) <= _EXACT else number
    return None if number is None else int(number)


_YES = frozenset({"yes", "1", "true", "on"})
_NO = frozenset({"no", "0", "false", "off"})


def _checkbox(value: Value) -> bool | None:
    if isinstance(value, tuple):
        return True if _many(value) else None
    if value is None or not isinstance(value, str):
        return None if value is None else bool(value)
    word = one_line(value).lower()
    if word and word not in _YES | _NO:
        raise _Unreadable("is neither yes nor no")
    return word in _YES if word else None


_NO_DATE = re.compile(r"0000-00-00(?:[T ][0-9:]{5,8})?")
_DATE = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ](?P<time>(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?)(?:\.[0-9]+)?"
    r"(?P<offset>Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def _moment(value: Value, like: str) -> datetime | None:
    """Date and time as they are; without a time, midnight. Other formats are not guessed: 03.04. may be two dates."""
    moment = _single(value)
    text = "" if moment is None else one_line(as_text(moment))
    if not text or _NO_DATE.fullmatch(text):
        return None
    match = _DATE.fullmatch(text)
    try:
        if match:
            return datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}{match['offset'] or ''}")
    except ValueError:
        pass  # there is no such day
    raise _Unreadable(f"is no {like}")


def _date(value: Value) -> str | None:
    moment = _moment(value, "date like 2027-01-31")
    return moment.date().isoformat() if moment else None


def _datetime(value: Value) -> str | None:
    moment = _moment(value, "date and time like 2027-01-31 18:30:00")
    return moment.isoformat(timespec="seconds") if moment else None


_READERS: Mapping[FieldType, Callable[[Value], Value]] = {
    FieldType.AUTO: _auto,
    FieldType.TEXT: _text,
    FieldType.MULTILINE: _multiline,
    FieldType.NUMBER: _number,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.CHECKBOX: _checkbox,
    FieldType.SELECT: _text,
    FieldType.MULTISELECT: _many,
    FieldType.RAW: _raw,
}
