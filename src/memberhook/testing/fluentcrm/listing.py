"""Which contacts a listing of the simulated FluentCRM holds, in which order, on which page.

Its one decision: what FluentCRM does not understand in a filter it ignores, and then lists everybody; so do we
(measured on 2.9.84). Several tags are OR, groups of an advanced filter are OR, its parts are AND.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from memberhook.testing.fluentcrm import php
from memberhook.testing.fluentcrm.answers import RestError, page, sql_error
from memberhook.testing.fluentcrm.records import COLUMNS, FILLABLE, STATUSES, Contact, Kind, Segment
from memberhook.testing.fluentcrm.store import Store
from memberhook.testing.fluentcrm.wordpress import fold, like, sanitize_text

_SEARCHED = (
    *("email", "first_name", "last_name", "address_line_1", "address_line_2"),
    *("postal_code", "city", "state", "country", "phone", "status"),
)

_COMPARED = ("in", "not_in", "contains", "not_contains", "=", "!=", ">", "<", "LIKE")


@dataclass(frozen=True, slots=True)
class _Part:
    """One condition of an advanced filter; `values` are ready to be compared: ids as numbers, texts folded."""

    provider: str
    name: str
    operator: str
    values: list[Any]


def select(store: Store, params: Mapping[str, Any]) -> list[Contact]:
    """The contacts that the query's parameters ask for, all pages of them, in order."""
    if params.get("filter_type") == "advanced":
        groups = _groups(params.get("advanced_filters"))
        found = _candidates(store, groups)
        if groups:
            found = [c for c in found if any(all(_passes(c, part) for part in group) for group in groups)]
    else:
        found = list(store.contacts.values())
        for kind in ("tags", "lists"):
            found = _with_segments(store, found, kind, params.get(kind))
        statuses = [s for s in _summary(params.get("statuses")) if s in STATUSES]
        found = [c for c in found if not statuses or c.status in statuses]
    search = sanitize_text(php.text(params.get("search")))
    if search:
        everywhere = params.get("custom_fields") == "true"
        found = [contact for contact in found if _search(contact, search, everywhere)]
    return _sorted(found, params)


def paginate(found: list[Any], params: Mapping[str, Any], path: str, row: Callable[[Any], Any]) -> dict[str, Any]:
    """One page as FluentCRM shows it; `row` makes the JSON of one item. The next page's URL has lost all filters."""
    per_page = php.integer(params.get("per_page", 15))
    current = max(php.integer(params.get("page", 1)), 1)
    if per_page == 0:
        raise RestError(500, page("WordPress &rsaquo; Error", "There has been a critical error on this website."))
    if per_page < 0:
        raise sql_error("You have an error in your SQL syntax")
    last = math.ceil(len(found) / per_page)
    start = (current - 1) * per_page
    shown = found[start : start + per_page]
    return {
        "total": len(found),
        "per_page": per_page,
        "current_page": current,
        "last_page": last,
        "next_page_url": f"{path}?page={current + 1}" if current < last else None,
        "prev_page_url": f"{path}?page={current - 1}" if current > 1 else None,
        "from": start + 1 if shown else None,
        "to": start + len(shown) if shown else None,
        "data": [row(item) for item in shown],
    }


def segments(known: Iterable[Segment], params: Mapping[str, Any]) -> list[Segment]:
    """Tags or lists: `search` in title, slug and description, by `sort_by` and `sort_order`, newest first."""
    search = php.text(params.get("search"))
    name = params.get("sort_by") if params.get("sort_by") in ("id", "title", "slug") else "id"
    reverse = php.text(params.get("sort_order", "DESC")).upper() != "ASC"
    found = [s for s in known if any(like(f"%{search}%", text) for text in (s.title, s.slug, s.description or ""))]
    return sorted(found, key=lambda s: (s.id if name == "id" else fold(getattr(s, str(name))), s.id), reverse=reverse)


def _summary(value: Any) -> list[Any]:
    """PHP's cast to a list: nothing is empty, one value is a list of one."""
    if value is None or value == "":
        return []
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]


def _with_segments(store: Store, found: list[Contact], kind: Kind, wanted: Any) -> list[Contact]:
    """`tags[]` by id or slug. One value that isn't a list finds nobody."""
    if not wanted:
        return found
    refs = wanted if isinstance(wanted, list) else []
    named = (store.find_segment(kind, ref) for ref in refs if isinstance(ref, int | str))
    ids = {segment.id for segment in named if segment is not None}
    return [contact for contact in found if ids & contact.segments(kind).keys()]


def _search(contact: Contact, search: str, everywhere: bool) -> bool:
    columns = contact.columns
    if any(like(f"%{search}%", php.text(columns[name])) for name in _SEARCHED):
        return True
    first, space, last = search.partition(" ")
    if space and (
        like(f"%{first}%", php.text(columns["first_name"])) or like(f"%{last}%", php.text(columns["last_name"]))
    ):
        return True
    return everywhere and any(like(f"%{search}%", php.json_encode(value)) for value in contact.custom.values())


def _sorted(found: list[Contact], params: Mapping[str, Any]) -> list[Contact]:
    name = params.get("sort_by", "id")
    reverse = php.text(params.get("sort_type", "DESC")).upper() != "ASC"
    if name == "id":
        return sorted(found, key=lambda c: c.id, reverse=reverse)
    by_id = sorted(found, key=lambda c: c.id)
    if name not in FILLABLE:
        return by_id
    return sorted(by_id, key=lambda c: fold(php.text(c.columns[str(name)])), reverse=reverse)


def _groups(filters: Any) -> list[list[_Part]]:
    """The parts that can be understood; a group without any is no group."""
    if isinstance(filters, str):
        try:
            filters = json.loads(filters)
        except ValueError:
            return []
    groups = filters if isinstance(filters, list) else []
    understood = [[_part(item) for item in group] for group in groups if isinstance(group, list)]
    kept = [[part for part in group if part is not None] for group in understood]
    return [group for group in kept if group]


def _part(item: Any) -> _Part | None:
    """None for what FluentCRM ignores: unknown providers and operators, and no value at all."""
    source = item.get("source") if isinstance(item, dict) else None
    if not isinstance(source, list) or len(source) != 2:
        return None
    provider, name = (php.text(part) for part in source)
    operator, values = php.text(item.get("operator")), _summary(item.get("value"))
    if provider == "subscriber" and operator and name not in COLUMNS:
        raise sql_error(f"Unknown column '{name}' in 'WHERE'")
    if provider == "segment":
        known = name in ("tags", "lists") and operator in ("in", "not_in") and bool(values)
    else:
        known = operator in ("is_null", "not_null") or (operator in _COMPARED and bool(values))
        known = known and provider in ("subscriber", "custom_fields")
    if not known:
        return None
    numbers = provider == "segment" or (provider, name) == ("subscriber", "id")
    cast: Callable[[Any], Any] = php.integer if numbers else lambda value: fold(php.text(value))
    return _Part(provider, name, operator, [cast(value) for value in values])


def _candidates(store: Store, groups: list[list[_Part]]) -> list[Contact]:
    """Those that a single group can hold: by their ids or addresses without a look at all others, else everybody."""
    for part in groups[0] if len(groups) == 1 else []:
        if (part.provider, part.operator) == ("subscriber", "in") and part.name in ("id", "email"):
            get = store.contacts.get if part.name == "id" else store.by_email
            named = (get(value) for value in part.values)
            return list({contact.id: contact for contact in named if contact is not None}.values())
    return list(store.contacts.values())


def _passes(contact: Contact, part: _Part) -> bool:
    if part.provider == "segment":
        kind: Kind = "tags" if part.name == "tags" else "lists"
        holds = not contact.segments(kind).keys().isdisjoint(part.values)
        return holds is (part.operator == "in")
    held = contact.columns[part.name] if part.provider == "subscriber" else contact.custom.get(part.name)
    if part.operator in ("is_null", "not_null"):
        empty = held is None or held == ""
        return empty is (part.operator == "is_null")
    if held is None:
        return False
    if part.name == "id":
        return _compare(part.operator, int(held), part.values)
    return _compare(part.operator, fold(held if isinstance(held, str) else php.json_encode(held)), part.values)


def _compare(operator: str, held: Any, wanted: list[Any]) -> bool:
    """Operators for one value look at the first of a list only."""
    if operator in ("in", "not_in"):
        return (held in wanted) is (operator == "in")
    if operator in ("contains", "not_contains"):
        return like(f"%{wanted[0]}%", str(held)) is (operator == "contains")
    if operator in ("=", "!="):
        return (held == wanted[0]) is (operator == "=")
    if operator == "LIKE":
        return like(str(wanted[0]), str(held))
    return bool(held > wanted[0] if operator == ">" else held < wanted[0])
