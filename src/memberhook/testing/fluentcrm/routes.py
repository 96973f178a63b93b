"""FluentCRM's REST routes that Memberhook calls: who may call them, and what they do.

A handler returns the JSON of a 200 or raises `RestError`. FluentCRM ignores filters that it does not understand and
lists everybody; so does this. Recorded from FluentCRM 2.9.84; the rights are read in its source.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from memberhook.testing.fluentcrm import php, rows
from memberhook.testing.fluentcrm.answers import email_taken, invalid_email, not_found
from memberhook.testing.fluentcrm.records import WRITABLE, Contact, Kind, Segment
from memberhook.testing.fluentcrm.store import Store, is_email, sanitize_email, sanitized

NAMESPACE = "/fluent-crm/v2"


@dataclass(frozen=True, slots=True)
class Call:
    """`path`: the request's, as paging links repeat it; `contact_id`: from the route, else 0."""

    store: Store
    site_url: str
    path: str
    params: dict[str, Any]
    contact_id: int = 0


def list_subscribers(call: Call) -> dict[str, Any]:
    with_values = call.params.get("custom_fields") == "true"

    def row(contact: Contact) -> dict[str, Any]:
        values: Any = rows.custom_values(contact, call.store.fields) or []
        return _subscriber_row(call, contact, **({"custom_fields": values} if with_values else {}))

    found = _filtered(call.store, call.params)
    found.sort(key=lambda contact: contact.id, reverse=call.params.get("sort_type") != "ASC")
    return {"subscribers": _paginate(found, call, row), "custom": call.params.get("custom_fields")}


def get_subscriber(call: Call) -> dict[str, Any]:
    """By id, or with the id 0 by `get_by_email`."""
    contact = call.store.contacts.get(call.contact_id)
    if call.contact_id == 0:
        contact = call.store.by_email(sanitize_email(php.text(call.params.get("get_by_email"))))
    if contact is None:
        raise not_found("GET")
    include = call.params.get("with", [])
    extra: dict[str, Any] = {}
    if "stats" in include:
        extra["stats"] = {"emails": 0, "opens": 0, "clicks": 0}
    if "subscriber.custom_values" in include:
        extra["custom_values"] = rows.custom_values(contact, call.store.fields)
    if contact.columns["status"] == "unsubscribed":
        extra |= {"unsubscribe_reason": "", "unsubscribe_date": ""}
    row = _subscriber_row(call, contact, **extra)
    row["date_of_birth"] = "" if row["date_of_birth"] == "0000-00-00" else row["date_of_birth"]
    fields = {"custom_fields": rows.field_rows(call.store.fields.values())} if "custom_fields" in include else {}
    return {"subscriber": row} | fields


def put_subscriber(call: Call) -> dict[str, Any]:
    """Partial: what is not named stays as it is."""
    contact = call.store.contacts.get(call.contact_id)
    if contact is None:
        raise not_found("PUT")
    data = call.params["subscriber"]
    if "email" in data:
        if not is_email(data["email"]):
            raise invalid_email()
        if call.store.by_email(data["email"]) not in (None, contact):
            raise email_taken()
    values = data.get("custom_values") or []
    dirty = call.store.fill(contact, data)
    call.store.set_custom(contact, dict(values), delete_empty=True)
    row = rows.contact_row(contact, call.site_url)
    return {"message": "Subscriber successfully updated", "contact": row, "isDirty": dirty, "values": values}


def bulk_add_update(call: Call) -> dict[str, Any]:
    """Finds contacts by e-mail alone. `created` is always empty: new contacts are in `updated` too."""
    updated: list[dict[str, Any]] = []
    for data in call.params["contacts"]:
        columns = {name: sanitized(name, data[name]) for name in data if name in WRITABLE and data[name]}
        contact = call.store.by_email(columns["email"])
        if contact is None:
            contact = call.store.add_contact(columns)
        else:
            call.store.fill(contact, columns)
        call.store.set_custom(contact, dict(data.get("custom_values") or {}), delete_empty=False)
        updated.append({name: contact.columns[name] for name in ("id", "email", "status")})
    message = "Successfully added/updated the subscribers."
    return {"message": message, "created": [], "updated": updated, "invalids": []}


def list_tags(call: Call) -> dict[str, Any]:
    return {"tags": _paginate(_sorted(call, "tags"), call, lambda tag: rows.segment_row(tag, "tags"))}


def list_lists(call: Call) -> dict[str, Any]:
    """Unlike tags: a plain list next to the total."""
    found = _paginate(_sorted(call, "lists"), call, lambda item: rows.segment_row(item, "lists"))
    return {"lists": found["data"], "pagination": {"total": found["total"]}}


def list_fields(call: Call) -> dict[str, Any]:
    return {"fields": rows.field_rows(call.store.fields.values())}


def _subscriber_row(call: Call, contact: Contact, **extra: Any) -> dict[str, Any]:
    kinds: tuple[Kind, ...] = ("tags", "lists")
    segments = {kind: rows.segment_rows(contact, kind, call.store.segments(kind)) for kind in kinds}
    return rows.contact_row(contact, call.site_url, extra) | segments


def _filtered(store: Store, params: Mapping[str, Any]) -> list[Contact]:
    """By ids or e-mail addresses (an advanced filter with a single condition), or by `tags[]`."""
    if params.get("filter_type") == "advanced":
        [[condition]] = json.loads(params["advanced_filters"])
        name, operator, values = condition["source"][1], condition["operator"], condition["value"]
        if name in ("id", "email") and operator == "in":
            named = (store.contacts.get(value) if name == "id" else store.by_email(value) for value in values)
            return list({contact.id: contact for contact in named if contact is not None}.values())
    tags = {int(tag) for tag in params.get("tags", [])}
    return [contact for contact in store.contacts.values() if not tags or tags & contact.tags.keys()]


def _sorted(call: Call, kind: Kind) -> list[Segment]:
    newest_first = call.params.get("sort_order") != "ASC"
    return sorted(call.store.segments(kind).values(), key=lambda segment: segment.id, reverse=newest_first)


def _paginate(found: list[Any], call: Call, row: Callable[[Any], Any]) -> dict[str, Any]:
    """One page; `row` makes the JSON of one item. The links to other pages have lost all filters."""
    per_page, current = int(call.params.get("per_page", 15)), int(call.params.get("page", 1))
    last = math.ceil(len(found) / per_page)
    start = (current - 1) * per_page
    shown = found[start : start + per_page]
    return {
        "total": len(found),
        "per_page": per_page,
        "current_page": current,
        "last_page": last,
        "next_page_url": f"{call.path}?page={current + 1}" if current < last else None,
        "prev_page_url": f"{call.path}?page={current - 1}" if current > 1 else None,
        "from": start + 1 if shown else None,
        "to": start + len(shown) if shown else None,
        "data": [row(item) for item in shown],
    }


@dataclass(frozen=True, slots=True)
class Route:
    """`right`: the FluentCRM permission that it needs."""

    method: str
    pattern: re.Pattern[str]
    right: str
    handler: Callable[[Call], dict[str, Any]]


def _route(method: str, path: str, right: str, handler: Callable[[Call], dict[str, Any]]) -> Route:
    return Route(method, re.compile(NAMESPACE + path.replace("{id}", "([0-9]+)") + "/?"), right, handler)


ROUTES = (
    _route("GET", "/subscribers", "fcrm_read_contacts", list_subscribers),
    _route("POST", "/subscribers/bulk-add-update", "fcrm_manage_contacts", bulk_add_update),
    _route("GET", "/subscribers/{id}", "fcrm_read_contacts", get_subscriber),
    _route("PUT", "/subscribers/{id}", "fcrm_manage_contacts", put_subscriber),
    _route("GET", "/tags", "fcrm_manage_contact_cats", list_tags),
    _route("GET", "/lists", "fcrm_manage_contact_cats", list_lists),
    _route("GET", "/custom-fields/contacts", "fcrm_manage_settings", list_fields),
)
