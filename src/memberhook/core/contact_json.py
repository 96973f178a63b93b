"""What a delivery stores of the contact in its webhook, as JSON and back: the contact, or why it cannot be used."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from memberhook.core.errors import PermanentError
from memberhook.core.types import Contact, Tag, Value, value_from_json


@dataclass(frozen=True, slots=True)
class NoContact:
    """The webhook's data was not usable. `problem` says why; None if it had no data."""

    problem: str | None


def to_json(stored: Contact | NoContact) -> str:
    """Escaped to ASCII: NUL and halves of surrogate pairs, which databases refuse, come through."""
    return json.dumps(asdict(stored), separators=(",", ":"))


def from_json(text: str) -> Contact | NoContact:
    """Raises `PermanentError` for what `to_json` has not written."""
    try:
        data = json.loads(text)
        if data.keys() == {"problem"}:
            return NoContact(_checked(data["problem"], str, None))
        fields = {name: _value(value) for name, value in data["fields"].items()}
        tags = data["tags"]
        return Contact(
            _checked(data["id"], str, None),
            _checked(data["email"], str),
            fields,
            None if tags is None else tuple(_tag(tag) for tag in _checked(tags, list)),
            _checked(data["version"], str, None),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PermanentError(
            "What is stored of this webhook cannot be read. Have the CRM send it again.", code="unreadable_delivery"
        ) from error


def _checked(value: Any, *kinds: type | None) -> Any:
    """The value if it is of one of these types. Raises `TypeError`."""
    if not any(value is None if kind is None else type(value) is kind for kind in kinds):
        raise TypeError(type(value).__name__)
    return value


def _value(value: Any) -> Value:
    if type(value) is list:
        return value_from_json([_checked(item, str) for item in value])
    return value_from_json(_checked(value, str, int, float, bool, None))


def _tag(data: Any) -> Tag:
    tag = Tag(**data)
    for text in (tag.id, tag.slug, tag.title):
        _checked(text, str)
    return tag
