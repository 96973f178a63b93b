"""What the simulated FluentCRM stores: contacts, tags and lists, fields, users, automations, notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

_NAMES = (
    *("id", "user_id", "hash", "contact_owner", "company_id", "prefix", "first_name", "last_name", "email", "timezone"),
    *("address_line_1", "address_line_2", "postal_code", "city", "state", "country", "ip", "latitude", "longitude"),
    *("total_points", "life_time_value", "phone", "status", "contact_type", "source", "avatar", "date_of_birth"),
    *("created_at", "last_activity", "updated_at"),
)
_DEFAULTS = {"total_points": "0", "life_time_value": "0", "status": "subscribed", "contact_type": "lead"}

COLUMNS: dict[str, str | None] = {name: _DEFAULTS.get(name) for name in _NAMES}
"""A contact's columns with their defaults, in FluentCRM's order."""

WRITABLE = frozenset(COLUMNS) - {"id", "hash", "created_at", "updated_at", "last_activity"}

FULL_RIGHTS = frozenset(
    {"fcrm_read_contacts", "fcrm_manage_contacts", "fcrm_manage_contact_cats", "fcrm_manage_settings"}
)
"""FluentCRM's permissions, as far as the simulated routes need them."""

Kind = Literal["tags", "lists"]
Format = Literal["json", "form", "get"]


@dataclass(slots=True)
class Segment:
    """A tag or a list."""

    id: int
    title: str
    slug: str
    description: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class Field:
    """A custom field. `type`: as FluentCRM names it (text, textarea, number, select-one, select-multi, …)."""

    slug: str
    type: str
    label: str
    options: tuple[str, ...] = ()


@dataclass(slots=True)
class Contact:
    """`tags` and `lists`: id → since when."""

    columns: dict[str, Any]
    custom: dict[str, Any] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)
    lists: dict[int, str] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return int(self.columns["id"])

    @property
    def email(self) -> str:
        return str(self.columns["email"])

    def segments(self, kind: Kind) -> dict[int, str]:
        return self.tags if kind == "tags" else self.lists


@dataclass(frozen=True, slots=True)
class User:
    """A WordPress user with an application password; `rights` are FluentCRM's permissions."""

    username: str
    password: str = field(repr=False)
    rights: frozenset[str] = FULL_RIGHTS


@dataclass(frozen=True, slots=True)
class Automation:
    """Sends an Outgoing Webhook with "Full Subscriber Data (Raw)" whenever `tag` is applied to a contact."""

    tag: int
    url: str
    format: Format = "json"
    background: bool = True


@dataclass(frozen=True, slots=True)
class Note:
    """What FluentCRM stores with a contact's step: the start of the response, or (`status` is None) why none came."""

    contact_id: int
    url_without_query: str
    status: int | None
    text: str
