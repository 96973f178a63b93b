"""The simulated FluentCRM's database: contacts with tags, lists and custom values. Not thread-safe: its owner locks.

Its surprising rules are measured on FluentCRM 2.9.84 with WordPress 6.1.9: loose comparison of custom values, and
e-mail addresses compared without case and accents.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from memberhook.core.errors import UsageError
from memberhook.testing.fluentcrm import php
from memberhook.testing.fluentcrm.records import COLUMNS, WRITABLE, Contact, Field, Kind, Segment

_MAX_LENGTH = 192
_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)


class Store:
    """`now` returns the site's local time as text; `tagged` is called with a contact and the tags newly applied."""

    def __init__(self, now: Callable[[], str], tagged: Callable[[Contact, list[int]], None]) -> None:
        self.now = now
        self.contacts: dict[int, Contact] = {}
        self.tags: dict[int, Segment] = {}
        self.lists: dict[int, Segment] = {}
        self.fields: dict[str, Field] = {}
        self._tagged = tagged
        self._by_email: dict[str, int] = {}

    def segments(self, kind: Kind) -> dict[int, Segment]:
        return self.tags if kind == "tags" else self.lists

    def add_segment(self, kind: Kind, title: str, slug: str | None, description: str | None) -> Segment:
        known, now = self.segments(kind), self.now()
        segment = Segment(max(known, default=0) + 1, title, slug or slugify(title), description, now, now)
        known[segment.id] = segment
        return segment

    def find_segment(self, kind: Kind, ref: int | str) -> Segment | None:
        """By id, else by slug or title in any case."""
        known = self.segments(kind)
        if isinstance(ref, int) or ref.isdecimal():
            return known.get(int(ref))
        return next((s for s in known.values() if fold(ref) in (fold(s.slug), fold(s.title))), None)

    def by_email(self, email: str) -> Contact | None:
        found = self._by_email.get(fold(email))
        return None if found is None else self.contacts[found]

    def add_contact(self, columns: Mapping[str, Any]) -> Contact:
        """`id`, `created_at` and `updated_at` may be given."""
        now = self.now()
        values: dict[str, Any] = {"created_at": now, "updated_at": now, "id": max(self.contacts, default=0) + 1}
        values |= columns
        if self.by_email(values["email"]) is not None or values["id"] in self.contacts:
            raise UsageError("The simulated CRM already has a contact with this e-mail or id.", code="taken")
        contact = Contact({name: values.get(name, default) for name, default in COLUMNS.items()})
        self.contacts[contact.id] = contact
        self._index(contact)
        return contact

    def _index(self, contact: Contact) -> None:
        contact.columns["hash"] = hashlib.md5(contact.email.encode(), usedforsecurity=False).hexdigest()
        self._by_email[fold(contact.email)] = contact.id

    def fill(self, contact: Contact, data: Mapping[str, Any]) -> bool:
        """Write the columns in `data` that are writable. `updated_at` changes only if one of them does."""
        columns = {name: sanitized(name, value) for name, value in data.items() if name in WRITABLE}
        changed = {name: value for name, value in columns.items() if contact.columns[name] != value}
        if changed:
            self._by_email.pop(fold(contact.email), None)
            contact.columns.update(changed, updated_at=self.now())
            self._index(contact)
        return bool(changed)

    def set_custom(self, contact: Contact, values: Mapping[str, Any], *, delete_empty: bool) -> None:
        """`""` deletes a value, or is ignored. A value that PHP's `==` considers equal is not written."""
        for slug, value in values.items():
            if value == "":
                if delete_empty:
                    contact.custom.pop(slug, None)
            elif slug not in contact.custom or not php.loosely_equal(contact.custom[slug], value):
                contact.custom[slug] = value if isinstance(value, list) else php.text(value)

    def attach(self, contact: Contact, kind: Kind, ids: Iterable[int]) -> None:
        held = contact.segments(kind)
        new = [key for key in ids if key not in held]
        held.update(dict.fromkeys(new, self.now()))
        if new and kind == "tags":
            self._tagged(contact, new)

    def delete(self, contact: Contact) -> None:
        del self.contacts[contact.id]
        del self._by_email[fold(contact.email)]


def sanitized(name: str, value: Any) -> Any:
    """A column's value as FluentCRM sanitizes it: text without markup, e-mail addresses without odd characters."""
    if not isinstance(value, str):
        return value
    return sanitize_email(value) if name == "email" else _sanitize_text(value)


def _sanitize_text(value: str) -> str:
    """Markup and `%20`-like escapes are removed, white space is collapsed, the text is cut to 192 characters."""
    value = re.sub(r"<[^>]*>", "", value)
    value = re.sub(r"%[0-9A-Fa-f]{2}", "", value)
    return re.sub(r"\s+", " ", value).strip()[:_MAX_LENGTH]


def is_email(value: str) -> bool:
    return bool(_EMAIL.fullmatch(value)) and ".." not in value


def sanitize_email(value: str) -> str:
    """Characters that WordPress allows in no address are dropped; "" if the rest is not one."""
    local, at, domain = value.strip().rpartition("@")
    local = re.sub(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]", "", local)
    cleaned = f"{local}{at}{re.sub(r'[^A-Za-z0-9.-]', '', domain)}"
    return cleaned if is_email(cleaned) else ""


def fold(value: str) -> str:
    """Text as the database compares it (utf8mb4_unicode_520_ci): without case, accents and trailing spaces."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", value) if not unicodedata.combining(c))
    return letters.casefold().rstrip(" ")


def slugify(title: str) -> str:
    """`Course One` → `course-one`."""
    return re.sub(r"[^a-z0-9]+", "-", fold(title)).strip("-")
