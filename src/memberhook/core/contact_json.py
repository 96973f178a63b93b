"""What a delivery stores of the contact in its webhook, as JSON and back: the contact, or why it cannot be used."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from memberhook.core.errors import PermanentError
from memberhook.core.types import Contact, Tag, value_from_json


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
            return NoContact(data["problem"])
        fields = {name: value_from_json(value) for name, value in data["fields"].items()}
        tags = None if data["tags"] is None else tuple(Tag(**tag) for tag in data["tags"])
        return Contact(data["id"], data["email"], fields, tags, data["version"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PermanentError(
            "What is stored of this webhook cannot be read. Have the CRM send it again.", code="unreadable_delivery"
        ) from error
