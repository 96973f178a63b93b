"""Converts FluentCRM's contacts, from its webhooks and its API, to ours. Pure.

Both give a contact the same fields. Custom fields are called `custom_field` in webhooks, `custom_values` in responses
for one contact, and `custom_fields` in listings (recorded from FluentCRM 2.9.84).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from memberhook.core.json_access import BadFieldError, JsonCursor
from memberhook.core.types import Contact, FieldType, Tag, Value
from memberhook.crms.contract import CrmField

_T = FieldType

# The columns of a contact as recorded, and what FluentCRM computes from them.
_BUILT_IN = {
    "prefix": ("Name prefix", _T.TEXT),
    "first_name": ("First name", _T.TEXT),
    "last_name": ("Last name", _T.TEXT),
    "email": ("E-mail", _T.TEXT),
    "phone": ("Phone", _T.TEXT),
    "date_of_birth": ("Date of birth", _T.DATE),
    "address_line_1": ("Address line 1", _T.TEXT),
    "address_line_2": ("Address line 2", _T.TEXT),
    "postal_code": ("Postal code", _T.TEXT),
    "city": ("City", _T.TEXT),
    "state": ("State", _T.TEXT),
    "country": ("Country (two letters)", _T.TEXT),
    "timezone": ("Time zone", _T.TEXT),
    "source": ("Source", _T.TEXT),
    "status": ("Status", _T.SELECT),
    "contact_type": ("Contact type", _T.SELECT),
    "avatar": ("Avatar (URL)", _T.TEXT),
    "id": ("Contact ID", _T.TEXT),
    "user_id": ("WordPress user ID", _T.TEXT),
    "full_name": ("Full name", _T.TEXT),
    "photo": ("Photo (URL)", _T.TEXT),
    "lists": ("Lists (titles)", _T.MULTISELECT),
    "ip": ("IP address", _T.TEXT),
    "latitude": ("Latitude", _T.NUMBER),
    "longitude": ("Longitude", _T.NUMBER),
    "total_points": ("Total points", _T.NUMBER),
    "life_time_value": ("Lifetime value", _T.NUMBER),
    "company_id": ("Company ID", _T.TEXT),
    "contact_owner": ("Contact owner (user ID)", _T.TEXT),
    "hash": ("Hash", _T.TEXT),
    "created_at": ("Created", _T.DATETIME),
    "updated_at": ("Changed", _T.DATETIME),
    "last_activity": ("Last activity", _T.DATETIME),
}
BUILT_IN: tuple[CrmField, ...] = tuple(CrmField(name, title, type_) for name, (title, type_) in _BUILT_IN.items())
BUILT_IN_NAMES = frozenset(field.name for field in BUILT_IN)

# `type` of a custom field → ours (recorded from FluentCRM 2.9.84, the types its settings offer).
_TYPES = {
    "text": _T.TEXT,
    "textarea": _T.MULTILINE,
    "number": _T.NUMBER,
    "date": _T.DATE,
    "date_time": _T.DATETIME,
    "select-one": _T.SELECT,
    "radio": _T.SELECT,
    "select-multi": _T.MULTISELECT,
    "checkbox": _T.MULTISELECT,
}
_CUSTOM = ("custom_field", "custom_values", "custom_fields")
_ZERO_DATES = frozenset({"0000-00-00", "0000-00-00 00:00:00"})
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_VERSION = re.compile(r"[1-9]\d{3}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?.*")
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")


def clean(text: str) -> str:
    """Remove control characters other than tabs and line breaks; replace lone surrogates by U+FFFD."""
    return text if text.isprintable() else _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def email_in(raw: object) -> str | None:
    """The value if it is an e-mail address, in its original case; else None."""
    text = clean(raw).strip() if isinstance(raw, str) else ""
    return text if len(text) <= 320 and _EMAIL.fullmatch(text) else None


def fields_of(row: Mapping[str, object]) -> dict[str, Value]:
    """Built-in and custom fields by name; built-in names win. Lists by title. Nested values are left out."""
    fields: dict[str, Value] = {}
    for holder in _CUSTOM:
        custom = row.get(holder)
        if isinstance(custom, dict):
            flat = {clean(str(slug)): raw for slug, raw in custom.items() if _is_flat(raw)}
            fields.update({slug: _value(raw) for slug, raw in flat.items() if slug not in BUILT_IN_NAMES})
    fields.update({clean(name): _value(raw) for name, raw in row.items() if name not in _CUSTOM and _is_flat(raw)})
    lists = tags_or_none(row.get("lists"))
    if lists is not None:
        fields["lists"] = tuple(item.title for item in lists)
    if tags_or_none(row.get("tags")) is not None:
        fields.pop("tags", None)
    return fields


def tags_of(rows: JsonCursor) -> tuple[Tag, ...]:
    """Tags (or lists) from a list of objects with id, slug and title. Raises `BadFieldError`."""
    return tuple(
        Tag(
            row.member("id").identifier(),
            clean(row.member("slug").text_or_empty()),
            clean(row.member("title").text_or_empty()),
        )
        for row in rows.items()
    )


def tags_or_none(raw: object) -> tuple[Tag, ...] | None:
    """Tags (or lists); None if this is not a list of them."""
    try:
        return tags_of(JsonCursor(raw))
    except BadFieldError:
        return None


def version_of(row: Mapping[str, object]) -> str | None:
    """`updated_at`: the CRM's local time without a time zone, as text that sorts by time."""
    updated = row.get("updated_at")
    return updated if isinstance(updated, str) and _VERSION.fullmatch(updated) else None


def contact_of(row: JsonCursor) -> Contact:
    """A contact from the API. Raises `BadFieldError` if it lacks id, e-mail or tags."""
    return Contact(
        id=row.member("id").identifier(),
        email=clean(row.member("email").text()).strip(),
        fields=fields_of(row.object()),
        tags=tags_of(row.member("tags")),
        version=version_of(row.object()),
    )


def custom_fields_of(rows: JsonCursor) -> tuple[CrmField, ...]:
    """Definitions of custom fields, except those named like a built-in field. Raises `BadFieldError`."""
    return tuple(_custom_field(row) for row in rows.items() if row.member("slug").text() not in BUILT_IN_NAMES)


def _custom_field(row: JsonCursor) -> CrmField:
    slug, options = row.member("slug").text(), row.member("options")
    return CrmField(
        name=slug,
        title=clean(row.member("label").text_or_empty()) or slug,
        type=_TYPES.get(row.member("type").text_or_empty(), _T.AUTO),
        options=() if options.value is None else _texts(item.value for item in options.items()),
    )


def _is_flat(raw: object) -> bool:
    if isinstance(raw, list):
        return not any(isinstance(item, dict | list) for item in raw)
    return not isinstance(raw, dict)


def _value(raw: object) -> Value:
    if isinstance(raw, str):
        return "" if raw in _ZERO_DATES else clean(raw)
    if isinstance(raw, list):
        return _texts(raw)
    if isinstance(raw, int) and abs(raw) >= 2**63:  # too large for databases
        return str(raw)
    return raw if isinstance(raw, int | float) else None


def _texts(items: Iterable[object]) -> tuple[str, ...]:
    return tuple(clean(_text(item)) for item in items if item is not None)


def _text(item: object) -> str:
    return str(int(item)) if isinstance(item, bool) else str(item)
