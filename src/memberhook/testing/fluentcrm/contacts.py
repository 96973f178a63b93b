"""What FluentCRM's REST routes for contacts do.

Its one decision: a handler takes a `Call` and returns the JSON of a 200 or raises `RestError`; it runs while the store
is held alone. Recorded from FluentCRM 2.9.84, and measured where no recording shows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from memberhook.testing.fluentcrm import listing, php, rows
from memberhook.testing.fluentcrm.answers import RestError, critical_error, invalid, invalid_fields, not_found
from memberhook.testing.fluentcrm.records import FILLABLE, Contact, Field, Kind
from memberhook.testing.fluentcrm.store import Store, cleaned
from memberhook.testing.fluentcrm.wordpress import is_email, sanitize_email

_KINDS: tuple[Kind, ...] = ("lists", "tags")


@dataclass(frozen=True, slots=True)
class Call:
    """`path`: where the request came in, as paging links repeat it; `contact_id`: the one of the route, else 0."""

    store: Store
    site_url: str
    path: str
    params: dict[str, Any]
    contact_id: int = 0


def _subscriber_row(call: Call, contact: Contact, *shown: Kind, **extra: Any) -> dict[str, Any]:
    relations = {kind: rows.segment_rows(contact, kind, call.store.segments(kind)) for kind in shown}
    return rows.contact_row(contact, call.site_url, extra) | relations


def list_subscribers(call: Call) -> dict[str, Any]:
    with_values = call.params.get("custom_fields") == "true"

    def row(contact: Contact) -> dict[str, Any]:
        values: Any = rows.custom_values(contact, call.store.fields) or []
        extra = {"custom_fields": values} if with_values else {}
        return _subscriber_row(call, contact, "tags", "lists", **extra)

    found = listing.select(call.store, call.params)
    page = listing.paginate(found, call.params, call.path, row)
    return {"subscribers": page, "custom": call.params.get("custom_fields")}


def get_subscriber(call: Call) -> dict[str, Any]:
    """By id, or with the id 0 by `get_by_email`."""
    contact = call.store.contacts.get(call.contact_id)
    if call.contact_id == 0:
        contact = call.store.by_email(sanitize_email(php.text(call.params.get("get_by_email"))))
    if contact is None:
        raise not_found("GET")
    asked = call.params.get("with")
    wanted = asked if isinstance(asked, list) else []
    extra: dict[str, Any] = {}
    if "stats" in wanted:
        extra["stats"] = {"emails": 0, "opens": 0, "clicks": 0}
    if "subscriber.custom_values" in wanted:
        extra["custom_values"] = rows.custom_values(contact, call.store.fields)
    if contact.status in ("unsubscribed", "bounced", "complained"):
        extra |= {"unsubscribe_reason": "", "unsubscribe_date": ""}
    row = _subscriber_row(call, contact, "tags", "lists", **extra)
    row["date_of_birth"] = "" if row["date_of_birth"] == "0000-00-00" else row["date_of_birth"]
    fields = {"custom_fields": rows.field_rows(call.store.fields.values())} if "custom_fields" in wanted else {}
    return {"subscriber": row} | fields


def put_subscriber(call: Call) -> dict[str, Any]:
    """Partial: what is not named stays. The fields stand in `subscriber` or at the top."""
    contact = _existing(call)
    inner = call.params.get("subscriber")
    data: dict[str, Any] = dict(inner) if isinstance(inner, dict) and inner else dict(call.params)
    if data.get("email") is not None:
        _check_email(call.store, data["email"], contact)
    if data.get("date_of_birth") == "":
        data["date_of_birth"] = "0000-00-00"
    values = data.get("custom_values") or []
    named = _values(values)
    dirty = call.store.fill(contact, data)
    call.store.set_custom(contact, named, delete_empty=True)
    shown = _sync(call.store, contact, data, ("attach_tags", "attach_lists", "detach_tags", "detach_lists"))
    row = _subscriber_row(call, contact, *shown)
    return {"message": "Subscriber successfully updated", "contact": row, "isDirty": dirty, "values": values}


def delete_subscriber(call: Call) -> dict[str, Any]:
    call.store.delete(_existing(call))
    return {"message": "Selected Subscriber has been deleted successfully"}


def post_subscriber(call: Call) -> dict[str, Any]:
    data = call.params
    missing = {name: "required" for name in ("email", "status") if php.is_empty(data.get(name))}
    if missing:
        raise RestError(422, invalid_fields(missing))
    _check_email(call.store, data["email"], None, may_exist=data.get("__force_update") == "yes")
    contact, created = _create_or_update(call.store, cleaned(data), force=False)
    message = "Successfully added the subscriber." if created else "contact has been successfully updated."
    shown = [kind for kind in _KINDS if data.get(kind)]
    row = _subscriber_row(call, contact, *shown)
    return {"message": message, "contact": row, "action_type": "created" if created else "updated"}


def bulk_add_update(call: Call) -> dict[str, Any]:
    """Matched by e-mail alone. `created` is always empty: new contacts stand in `updated` too."""
    contacts = call.params.get("contacts")
    if isinstance(contacts, str):
        try:
            contacts = json.loads(contacts)
        except ValueError:
            contacts = []
    updated: list[dict[str, Any]] = []
    invalids: list[Any] = []
    for item in contacts if isinstance(contacts, list) else []:
        data = cleaned(item) if isinstance(item, dict) else item
        if not isinstance(data, dict) or not data.get("email"):
            invalids.append(data)
            continue
        contact, _ = _create_or_update(call.store, data, force=php.is_true(call.params.get("force_update")))
        updated.append({name: contact.columns[name] for name in ("id", "email", "status")})
    message = "Successfully added/updated the subscribers."
    return {"message": message, "created": [], "updated": updated, "invalids": invalids}


def sync_segments(call: Call) -> dict[str, Any]:
    """Attaches and detaches by slug; unknown slugs are passed over, an unknown contact is a crash."""
    store, params = call.store, call.params
    kind: Kind = "tags" if params.get("type") == "tags" else "lists"
    by = "id" if params.get("find_by") == "id" else "slug"
    known = {php.text(getattr(segment, by)).lower(): segment.id for segment in store.segments(kind).values()}
    asked = {way: [php.text(ref).lower() for ref in params.get(way) or []] for way in ("attach", "detach")}
    found = {way: [known[ref] for ref in refs if ref in known] for way, refs in asked.items()}
    ids = [php.integer(ref) for ref in params.get("subscribers") or []]
    for contact_id in ids:
        contact = store.contacts.get(contact_id)
        for way, refs in found.items():
            if refs and contact is None:
                raise critical_error(f"Call to a member function {way}{kind.title()}() on null")
            if refs and contact is not None:
                (store.attach if way == "attach" else store.detach)(contact, kind, refs)
    named = "subscriber" if len(ids) == 1 else "subscribers"
    shown = [store.contacts[key] for key in sorted(set(ids)) if key in store.contacts]
    subscribers = [_subscriber_row(call, contact, "tags", "lists") for contact in shown]
    return {"message": f"Successfully updated the {named}.", "subscribers": subscribers}


def _existing(call: Call) -> Contact:
    contact = call.store.contacts.get(call.contact_id)
    if contact is None:
        raise not_found("PUT")
    return contact


def _check_email(store: Store, email: Any, own: Contact | None, *, may_exist: bool = False) -> None:
    if not isinstance(email, str) or not is_email(email):
        raise invalid("email", "email")
    other = store.by_email(email)
    if other is not None and other is not own and not may_exist:
        raise invalid("email", "taken")


def _sync(store: Store, contact: Contact, data: Mapping[str, Any], names: tuple[str, ...]) -> list[Kind]:
    """Attaches and detaches as told; which relations the answer then shows."""
    shown: list[Kind] = []
    for name in names:
        refs = data.get(name)
        kind: Kind = "tags" if name.endswith("tags") else "lists"
        if refs and isinstance(refs, list):
            (store.detach if name.startswith("detach") else store.attach)(contact, kind, refs)
            shown = [*shown, kind] if kind not in shown else shown
    return shown


def _create_or_update(store: Store, data: Mapping[str, Any], *, force: bool) -> tuple[Contact, bool]:
    """Empty columns are passed over. A contact that is subscribed stays so, unless `force`."""
    columns = {name: value for name, value in data.items() if not php.is_empty(value)}
    contact = store.by_email(data["email"])
    keeps_status = contact is not None and contact.status == "subscribed" and not force
    if keeps_status and columns.get("status") != "unsubscribed":
        columns.pop("status", None)
    created = contact is None
    if contact is None:
        contact = store.add_contact({name: value for name, value in columns.items() if name in FILLABLE})
    else:
        store.fill(contact, columns)
    values = data["custom_values"] if "custom_values" in data else _top_level(data, store.fields)
    store.set_custom(contact, _values(values), delete_empty=False)
    _sync(store, contact, data, ("lists", "tags"))
    return contact, created


def _values(values: Any) -> dict[str, Any]:
    """PHP dies of custom values that are a text; an empty list is none."""
    if values and not isinstance(values, dict | list):
        raise critical_error()
    return dict(php.items(values or {}))


def _top_level(data: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    """Custom values that stand beside the columns; of a field with many values `a, c` is a list."""
    values = {slug: data[slug] for slug in fields if not php.is_empty(data.get(slug))}
    for slug, value in values.items():
        if isinstance(value, str) and fields[slug].type in ("checkbox", "select-multi"):
            values[slug] = [part.strip() for part in value.split(",")]
    return values
