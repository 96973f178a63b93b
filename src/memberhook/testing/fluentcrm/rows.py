"""The JSON of contacts, tags, lists and fields, with the keys, order and types of the recordings (FluentCRM 2.9.84).

`id` is a number, most other numbers are text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from memberhook.testing.fluentcrm.records import Contact, Field, Kind, Segment
from memberhook.testing.fluentcrm.store import fold

_PHOTO = "/wp-content/plugins/fluent-crm/assets/images/avatar.png"
_MODEL = {"tags": "FluentCrm\\App\\Models\\Tag", "lists": "FluentCrm\\App\\Models\\Lists"}


def contact_row(contact: Contact, site_url: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All columns, then `extra`, then what FluentCRM computes: `full_name` and `photo`."""
    columns = contact.columns
    full_name = f"{columns['first_name'] or ''} {columns['last_name'] or ''}".strip()
    computed = {"full_name": full_name, "photo": columns["avatar"] or site_url + _PHOTO}
    return {**columns, **(extra or {}), **computed}


def custom_values(contact: Contact, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The values of defined fields; those of undefined ones stay hidden."""
    return {slug: value for slug, value in contact.custom.items() if slug in fields}


def segment_rows(contact: Contact, kind: Kind, known: Mapping[int, Segment]) -> list[dict[str, Any]]:
    """A contact's tags or lists by title, each with a pivot that says since when."""
    held = contact.segments(kind)
    rows = []
    for segment in sorted((known[key] for key in held), key=lambda s: (fold(s.title), s.id)):
        pivot = {
            "subscriber_id": str(contact.id),
            "object_id": str(segment.id),
            "object_type": _MODEL[kind],
            "created_at": held[segment.id],
            "updated_at": held[segment.id],
        }
        rows.append({**segment_row(segment, kind), "pivot": pivot})
    return rows


def segment_row(segment: Segment, kind: Kind) -> dict[str, Any]:
    row = asdict(segment)
    if kind == "tags":
        return row
    dates = {name: row.pop(name) for name in ("created_at", "updated_at")}
    return {**row, "is_public": "0", **dates}


def field_rows(fields: Iterable[Field]) -> list[dict[str, Any]]:
    rows = []
    for field in fields:
        row: dict[str, Any] = {"type": field.type, "label": field.label, "slug": field.slug}
        rows.append(row | ({"options": list(field.options)} if field.options else {}))
    return rows


def webhook_data(contact: Contact, site_url: str, fields: Mapping[str, Field]) -> dict[str, Any]:
    """The contact as "Full Subscriber Data" sends it: no tags, no lists, custom fields under `custom_field`."""
    return contact_row(contact, site_url) | {"custom_field": custom_values(contact, fields) or []}
