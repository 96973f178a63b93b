"""Map a contact to a member's fields by the hook's field map. Pure.

Where several mappings name one site field, the last one that has a value counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from memberhook.core import closed_fields
from memberhook.core.field_values import Result, as_text, is_empty, same, site_value
from memberhook.core.text import storable
from memberhook.core.types import Contact, FieldMapping, FieldType, HookOptions, Value, as_it_is

FIRST_NAME, LAST_NAME, DISPLAY_NAME = "first_name", "last_name", "display_name"
_NAMES = frozenset({FIRST_NAME, LAST_NAME, DISPLAY_NAME})
"""Always one line of text: sites keep them in columns."""

_LOCAL_PART, _LABEL = r"[^\s@<>\"(),:;\[\]\\]+", r"[^\s@.<>\"'(),:;\[\]\\]+"
_EMAIL = re.compile(rf"{_LOCAL_PART}@{_LABEL}(\.{_LABEL})+")
_LONGEST_EMAIL = 254  # RFC 3696, erratum 1690


@dataclass(frozen=True, slots=True)
class Mapped:
    """A contact as the field map presents it to the site.

    `values` and `cleared` are plain fields by the site's names. `email` is the mapped address, else the contact's own;
    it may be unusable. `username`, `email` and `password` are "" and `roles` is () where the contact has none.
    """

    email: str
    username: str
    password: str = field(repr=False)
    roles: tuple[str, ...]
    values: dict[str, Value] = field(repr=False)
    cleared: frozenset[str]
    warnings: tuple[str, ...]


def read(contact: Contact, options: HookOptions) -> Mapped:
    """Map a contact.

    A CRM field that the contact does not have is empty (FluentCRM leaves erased custom fields out of its answers),
    except where the payload is trusted: there it was just not sent.
    """
    values: dict[str, Value] = {}
    cleared: set[str] = set()
    password, warnings = _password(contact, options)
    for mapping in options.field_map:
        name = mapping.site_field.strip()
        if closed_fields.plain_key(name) in closed_fields.OWN_MEANING:
            continue
        if closed_fields.is_closed(name):
            warnings.append(f"No CRM may set the site's field {name}: remove it from the hook's field map.")
            continue
        if options.trust_payload and mapping.crm_field not in contact.fields:
            continue
        reading = site_value(contact.fields.get(mapping.crm_field), _typed(mapping, name))
        if reading.result is Result.VALUE:
            values[name] = reading.value
        elif reading.result is Result.CLEAR:
            cleared.add(name)
        elif reading.warning:
            warnings.append(reading.warning)
    return Mapped(
        email=_text(_own(contact, options, closed_fields.EMAIL)).strip() or contact.email.strip(),
        username=_text(_own(contact, options, closed_fields.USERNAME)),
        password=password,
        roles=_roles(_own(contact, options, closed_fields.ROLE)),
        values=values,
        cleared=frozenset(cleared - values.keys()),
        warnings=tuple(warnings),
    )


def updates(
    mapped: Mapped, held: Iterable[tuple[str, Value]], normalize: Callable[[Value], Value] = as_it_is
) -> dict[str, Value]:
    """The fields of a member to write, given those it has; None empties one. `normalize`: see `SiteSnapshot`."""
    now = dict(held)
    changed = {name: value for name, value in mapped.values.items() if not same(normalize(value), now.get(name))}
    return changed | {name: None for name in mapped.cleared if not is_empty(now.get(name))}


def usable_email(email: str) -> bool:
    """Whether this is one address of the usual form. Whether mail arrives there is not checked."""
    return len(email) <= _LONGEST_EMAIL and email.isprintable() and bool(_EMAIL.fullmatch(email))


def _typed(mapping: FieldMapping, name: str) -> FieldMapping:
    if name in _NAMES and mapping.type is not FieldType.TEXT:
        return replace(mapping, site_field=name, type=FieldType.TEXT)
    return mapping


def _own(contact: Contact, options: HookOptions, name: str) -> Value:
    """The value mapped to a site field with a meaning of its own (see `closed_fields`); None without one."""
    for mapping in reversed(options.field_map):
        value = contact.fields.get(mapping.crm_field)
        if closed_fields.plain_key(mapping.site_field) == name and not is_empty(value):
            return value
    return None


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        return value[0] if len(value) == 1 else ""
    return "" if value is None else as_text(value)


def _roles(value: Value) -> tuple[str, ...]:
    texts = value if isinstance(value, tuple) else (_text(value),)
    return tuple(text for text in texts if text.strip())


def _password(contact: Contact, options: HookOptions) -> tuple[str, list[str]]:
    """The mapped password exactly as it is, and warnings. A blank one is none: nobody's password is a space."""
    value = _own(contact, options, closed_fields.PASSWORD)
    password = _text(value)
    if not is_empty(value) and (isinstance(value, bool | float | tuple) or not storable(password)):
        return "", ["The CRM's field for the password holds something that can be no password, so it is not used."]
    return (password if password.strip() else ""), []
