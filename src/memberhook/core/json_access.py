"""Typed access to JSON from CRMs and sites. Errors name the path of the bad field, never its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from memberhook.core.error_codes import ErrorCode
from memberhook.core.errors import TransientError


class BadFieldError(Exception):
    """JSON does not have the expected shape. The message says where, what was expected and what was found."""

    def __init__(self, path: str, expected: str, value: object) -> None:
        super().__init__(f"{path or 'the response'}: expected {expected}, found {type_name(value)}")
        self.path = path


@dataclass(frozen=True, slots=True)
class JsonCursor:
    """A JSON value and its path (`subscriber.tags[2].id`). A value of another type raises `BadFieldError`."""

    value: object = field(repr=False)
    path: str = ""

    def member(self, name: str) -> JsonCursor:
        """The member of an object; null if it is missing."""
        return JsonCursor(self.object().get(name), f"{self.path}.{name}" if self.path else name)

    def object(self) -> Mapping[str, object]:
        if not isinstance(self.value, dict):
            raise BadFieldError(self.path, "an object", self.value)
        return self.value

    def items(self) -> list[JsonCursor]:
        if not isinstance(self.value, list):
            raise BadFieldError(self.path, "a list", self.value)
        return [JsonCursor(item, f"{self.path}[{number}]") for number, item in enumerate(self.value)]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise BadFieldError(self.path, "text", self.value)
        return self.value

    def text_or_empty(self) -> str:
        """Text; empty if it is null or missing."""
        return "" if self.value is None else self.text()

    def integer(self) -> int:
        """A whole number ≥ 0, or text of digits."""
        number = whole_number(self.value)
        if number is None:
            raise BadFieldError(self.path, "a whole number", self.value)
        return number

    def identifier(self) -> str:
        """A whole number > 0 as text, without leading zeros."""
        number = whole_number(self.value)
        if not number:
            raise BadFieldError(self.path, "an id", self.value)
        return str(number)


@contextmanager
def reading(sender: str) -> Iterator[None]:
    """Turn `BadFieldError` into `TransientError` (`bad_answer`). `sender`: whose response is read."""
    try:
        yield
    except BadFieldError as error:
        message = f"{sender} sent a response in an unknown format ({error})."
        raise TransientError(message, code=ErrorCode.BAD_ANSWER) from error


def whole_number(value: object) -> int | None:
    """A whole number ≥ 0 of at most 20 digits (an unsigned 64-bit id), given as number or as text; else None."""
    if isinstance(value, str):
        value = value.strip()
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 20 else None
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 10**20 else None
    return None


def object_at(value: object, *path: str) -> Mapping[str, object]:
    """The object at this path; empty if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def type_name(value: object) -> str:
    """The type of a JSON value, for messages."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    names: tuple[tuple[type, str], ...] = ((str, "text"), (list, "a list"), (dict, "an object"))
    return next((name for type_, name in names if isinstance(value, type_)), "a number")
