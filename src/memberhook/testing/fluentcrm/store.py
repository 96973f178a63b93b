"""What the simulated FluentCRM's database does: contacts with tags, lists and custom values, changed by its rules.

Its one decision: the rules that surprise (loose comparison of custom values, e-mails compared without case and
accents, tags known by id, slug or title) live here, measured on FluentCRM 2.9.84. Not thread-safe: its owner locks.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from memberhook.core.errors import UsageError
from memberhook.testing.fluentcrm import php
from memberhook.testing.fluentcrm.records import COLUMNS, FILLABLE, STATUSES, Contact, Field, Kind, Segment
from memberhook.testing.fluentcrm.wordpress import fold, sanitize_email, sanitize_text, slugify

_NUMBERS = frozenset({"user_id", "company_id", "contact_owner"})


class Store:
    """`now` gives the site's local time as text; `tagged` is told of each contact and the tags newly applied to it."""

    def __init__(
        self, now: Callable[[], str], rng: random.Random, tagged: Callable[[Contact, list[int]], None]
    ) -> None:
        self.now = now
        self.contacts: dict[int, Contact] = {}
        self.tags: dict[int, Segment] = {}
        self.lists: dict[int, Segment] = {}
        self.fields: dict[str, Field] = {}
        self._rng = rng
        self._tagged = tagged
        self._by_email: dict[str, int] = {}
        self._last_id = 0

    def segments(self, kind: Kind) -> dict[int, Segment]:
        return self.tags if kind == "tags" else self.lists

    def add_segment(self, kind: Kind, title: str, slug: str | None, description: str | None = "") -> Segment:
        """Raises UsageError when the slug is taken."""
        known = self.segments(kind)
        slug = slug or slugify(title, self._rng)
        if any(fold(other.slug) == fold(slug) for other in known.values()):
            raise UsageError(f"The simulated CRM has {kind} with the slug {slug!r} already.", code="taken")
        now = self.now()
        segment = Segment(max(known, default=0) + 1, sanitize_text(title), slug, description, now, now)
        known[segment.id] = segment
        return segment

    def find_segment(self, kind: Kind, ref: int | str) -> Segment | None:
        """By id, else by slug or title in any case."""
        known = self.segments(kind)
        if isinstance(ref, int) or ref.isdecimal():
            return known.get(int(ref))
        wanted = fold(ref)
        return next((s for s in known.values() if wanted in (fold(s.slug), fold(s.title))), None)

    def by_email(self, email: str) -> Contact | None:
        found = self._by_email.get(fold(email))
        return None if found is None else self.contacts[found]

    def add_contact(self, columns: Mapping[str, Any]) -> Contact:
        """A row of its own with the columns' defaults; `id`, `created_at` and `updated_at` may be given."""
        now = self.now()
        given: dict[str, Any] = {"created_at": now, "updated_at": now, "id": self._last_id + 1, **columns}
        if self.by_email(given["email"]) is not None or given["id"] in self.contacts:
            raise UsageError("The simulated CRM has a contact with this e-mail or id already.", code="taken")
        contact = Contact({name: given.get(name, default) for name, default in COLUMNS.items()})
        self.contacts[contact.id] = contact
        self._last_id = max(self._last_id, contact.id)
        self._index(contact)
        return contact

    def _index(self, contact: Contact) -> None:
        contact.columns["hash"] = hashlib.md5(contact.email.encode(), usedforsecurity=False).hexdigest()
        self._by_email[fold(contact.email)] = contact.id

    def fill(self, contact: Contact, data: Mapping[str, Any]) -> bool:
        """Writes the columns of `data` that can be written; `updated_at` moves only if one of them changed."""
        clean = {name: value for name, value in cleaned(data).items() if name in FILLABLE}
        changed = {name: value for name, value in clean.items() if contact.columns[name] != value}
        if changed:
            self._by_email.pop(fold(contact.email), None)
            contact.columns.update(changed, updated_at=self.now())
            self._index(contact)
        return bool(changed)

    def set_custom(self, contact: Contact, values: Mapping[str, Any], *, delete_empty: bool) -> None:
        """`""` deletes a value, or is ignored; a value that PHP's `==` finds equal is not written."""
        for slug, value in values.items():
            if value == "":
                if delete_empty:
                    contact.custom.pop(slug, None)
            elif slug not in contact.custom or not php.loosely_equal(contact.custom[slug], value):
                contact.custom[slug] = _stored(value)

    def attach(self, contact: Contact, kind: Kind, refs: Iterable[Any]) -> None:
        """By id, slug or title; an unknown name of three letters or more becomes a new tag or list."""
        held = contact.segments(kind)
        new = []
        for ref in refs:
            segment = self._named(kind, ref)
            if segment is None and _is_name(ref):
                segment = self.add_segment(kind, str(ref), None, None)
            if segment is not None and segment.id not in held:
                held[segment.id] = self.now()
                new.append(segment.id)
        if new and kind == "tags":
            self._tagged(contact, new)

    def detach(self, contact: Contact, kind: Kind, refs: Iterable[Any]) -> None:
        for ref in refs:
            segment = self._named(kind, ref)
            if segment is not None:
                contact.segments(kind).pop(segment.id, None)

    def _named(self, kind: Kind, ref: Any) -> Segment | None:
        return self.find_segment(kind, ref) if isinstance(ref, int | str) else None

    def delete(self, contact: Contact) -> None:
        del self.contacts[contact.id]
        del self._by_email[fold(contact.email)]


def cleaned(data: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as FluentCRM cleans them: texts without mark-up, e-mails without odd characters, no unknown status."""
    clean = dict(data)
    for name, value in data.items():
        if not value or name not in COLUMNS or isinstance(value, list | dict):
            continue
        if name in _NUMBERS:
            clean[name] = php.integer(value)
        elif name == "email":
            clean[name] = sanitize_email(php.text(value))
        else:
            clean[name] = sanitize_text(php.text(value))
    if clean.get("status") is not None and clean["status"] not in STATUSES:
        del clean["status"]
    return clean


def _stored(value: Any) -> Any:
    """Lists, objects and null are kept; every other value becomes text, `true` "1" and `false` "0"."""
    if value is None or isinstance(value, list | dict):
        return value
    return "0" if value is False else php.text(value)


def _is_name(ref: Any) -> bool:
    return isinstance(ref, str) and len(ref) >= 3 and not ref.isdecimal()
