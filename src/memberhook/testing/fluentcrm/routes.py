"""FluentCRM's REST routes: which there are, who may call them, and those for tags, lists and custom fields.

Its one decision: one table says all that is known of a route before it is called. The routes are those that Memberhook
calls and a few beside them. Recorded from FluentCRM 2.9.84; the rights are read in its source.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from memberhook.core.errors import UsageError
from memberhook.testing.fluentcrm import contacts, listing, php, rows
from memberhook.testing.fluentcrm.answers import invalid
from memberhook.testing.fluentcrm.contacts import Call
from memberhook.testing.fluentcrm.records import Kind
from memberhook.testing.fluentcrm.store import Store

NAMESPACE = "/fluent-crm/v2"


@dataclass(frozen=True, slots=True)
class Route:
    """`right`: FluentCRM's permission; `allow`: the route's `Allow` header; `timed`: a 200 carries `__bench`."""

    method: str
    pattern: re.Pattern[str]
    right: str
    allow: str
    handler: Callable[[Call], dict[str, Any]]
    timed: bool = True


def list_tags(call: Call) -> dict[str, Any]:
    subscribed = _still_claimed(call.store, "tags", subscribed=True)
    counted = php.is_empty(call.params.get("exclude_counts"))

    def row(tag: Any) -> dict[str, Any]:
        return rows.segment_row(tag, "tags") | ({"subscribersCount": subscribed[tag.id]} if counted else {})

    found = listing.segments(call.store.tags.values(), call.params)
    answer: dict[str, Any] = {"tags": listing.paginate(found, call.params, call.path, row)}
    if not php.is_empty(call.params.get("all_tags")):
        tags = call.store.tags.values()
        answer["all_tags"] = [{"id": str(tag.id), "title": tag.title, "slug": tag.slug} for tag in tags]
    return answer


def post_tag(call: Call) -> dict[str, Any]:
    title = php.text(call.params.get("title"))
    if not title:
        raise invalid("title", "required")
    description = php.text(call.params.get("description"))
    try:
        tag = call.store.add_segment("tags", title, php.text(call.params.get("slug")), description)
    except UsageError as error:
        raise invalid("slug", "unique") from error
    row = rows.segment_row(tag, "tags")
    item = {name: row[name] for name in ("title", "slug", "description", "updated_at", "created_at", "id")}
    return {"lists": item, "item": item, "message": "Successfully saved the tag."}


def list_lists(call: Call) -> dict[str, Any]:
    """Unlike tags: a bare list beside the total."""
    everyone, subscribed = (_still_claimed(call.store, "lists", subscribed=only) for only in (False, True))
    counted = php.is_empty(call.params.get("exclude_counts"))

    def row(item: Any) -> dict[str, Any]:
        counts = {"totalCount": everyone[item.id], "subscribersCount": subscribed[item.id]}
        return rows.segment_row(item, "lists") | (counts if counted else {})

    found = listing.segments(call.store.lists.values(), call.params)
    page = listing.paginate(found, call.params, call.path, row)
    return {"lists": page["data"], "pagination": {"total": page["total"]}}


def list_fields(call: Call) -> dict[str, Any]:
    return {"fields": rows.field_rows(call.store.fields.values())}


def _still_claimed(store: Store, kind: Kind, *, subscribed: bool) -> Counter[int]:
    """How many contacts have each tag or list."""
    contacts = (c for c in store.contacts.values() if not subscribed or c.status == "subscribed")
    return Counter(key for contact in contacts for key in contact.segments(kind))


def _route(
    methods: str, path: str, right: str, allow: str, handler: Callable[[Call], dict[str, Any]], *, timed: bool = True
) -> Route:
    pattern = re.compile(NAMESPACE + path.replace("{id}", "([0-9]+)") + "/?")
    return Route(methods, pattern, right, allow, handler, timed)


_READ, _WRITE, _DELETE = "fcrm_read_contacts", "fcrm_manage_contacts", "fcrm_manage_contacts_delete"
_CATS, _SETTINGS = "fcrm_manage_contact_cats", "fcrm_manage_settings"
_ALL, _ONE, _TWO = "GET, POST, DELETE", "GET, DELETE, PUT", "GET, POST"

ROUTES = (
    _route("GET", "/subscribers", _READ, _ALL, contacts.list_subscribers),
    _route("POST", "/subscribers", _WRITE, _ALL, contacts.post_subscriber),
    _route("POST", "/subscribers/bulk-add-update", _WRITE, "POST", contacts.bulk_add_update),
    _route("POST", "/subscribers/sync-segments", _WRITE, "POST", contacts.sync_segments),
    _route("GET", "/subscribers/{id}", _READ, _ONE, contacts.get_subscriber),
    _route("PUT", "/subscribers/{id}", _WRITE, _ONE, contacts.put_subscriber),
    _route("DELETE", "/subscribers/{id}", _DELETE, _ONE, contacts.delete_subscriber),
    _route("GET", "/tags", _CATS, _TWO, list_tags),
    _route("POST", "/tags", _CATS, _TWO, post_tag),
    _route("GET", "/lists", _CATS, _TWO, list_lists, timed=False),
    _route("GET", "/custom-fields/contacts", _SETTINGS, "GET, PUT", list_fields),
)
