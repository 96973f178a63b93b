"""A contact as JSON and back, for what is stored with a delivery."""

from __future__ import annotations

import json
from dataclasses import asdict

from memberhook.core.errors import PermanentError
from memberhook.core.types import Contact, Tag


def to_json(contact: Contact) -> str:
    """Escaped to ASCII: NUL and halves of surrogate pairs, which databases refuse, come through."""
    return json.dumps(asdict(contact), separators=(",", ":"))


def from_json(text: str) -> Contact:
    """Raises `PermanentError` for what `to_json` has not written."""
    try:
        data = json.loads(text)
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in data["fields"].items()}
        tags = None if data["tags"] is None else tuple(Tag(**tag) for tag in data["tags"])
        return Contact(data["id"], data["email"], fields, tags, data["version"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PermanentError(
            "What is stored of this webhook cannot be read. Have the CRM send it again.", code="unreadable_delivery"
        ) from error
