"""What the simulated FluentCRM stores: contacts, tags and lists, fields, users, automations, notes.

Its one decision: a contact keeps its columns under FluentCRM's own names, in the order of the recordings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from memberhook.core.errors import UsageError

_NAMES = (
    *("id", "user_id", "hash", "contact_owner", "company_id", "prefix", "first_name", "last_name", "email", "timezone"),
    *("address_line_1", "address_line_2", "postal_code", "city", "state", "country", "ip", "latitude", "longitude"),
    *("total_points", "life_time_value", "phone", "status", "contact_type", "source", "avatar", "date_of_birth"),
    *("created_at", "last_activity", "updated_at"),
)
_DEFAULTS = {"total_points": "0", "life_time_value": "0", "status": "subscribed", "contact_type": "lead"}

COLUMNS: dict[str, str | None] = {name: _DEFAULTS.get(name) for name in _NAMES}
"""A contact's columns with what they hold at first, in FluentCRM's order."""

FILLABLE = frozenset(COLUMNS) - {"id", "hash", "created_at", "updated_at", "last_activity"}

STATUSES = ("subscribed", "pending", "unsubscribed", "transactional", "bounced", "complained", "spammed")

FULL_RIGHTS = frozenset(
    {
        "fcrm_read_contacts",
        "fcrm_manage_contacts",
        "fcrm_manage_contacts_delete",
        "fcrm_manage_contact_cats",
        "fcrm_manage_settings",
    }
)
READ_RIGHTS = frozenset({"fcrm_read_contacts", "fcrm_manage_contact_cats", "fcrm_manage_settings"})

Rights = Literal["full", "read-only", "none"] | frozenset[str]
Kind = Literal["tags", "lists"]
Format = Literal["json", "form", "get"]
Body = Literal["raw", "custom"]


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
    """A custom field. Types as FluentCRM names them: text, textarea, number, select-one, select-multi, radio,
    checkbox, date, date_time."""

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

    @property
    def status(self) -> str:
        return str(self.columns["status"])

    def segments(self, kind: Kind) -> dict[int, str]:
        return self.tags if kind == "tags" else self.lists


@dataclass(frozen=True, slots=True)
class User:
    """A WordPress user with an application password; `rights` are FluentCRM's permissions by name."""

    username: str
    password: str = field(repr=False)
    rights: frozenset[str] = FULL_RIGHTS


@dataclass(frozen=True, slots=True)
class Step:
    """An Outgoing Webhook step as its author set it up. `custom` and `headers`: name → text with merge codes."""

    url: str
    format: Format = "json"
    body: Body = "raw"
    custom: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    background: bool = True
    with_tags: bool = False

    def __post_init__(self) -> None:
        if self.format not in ("json", "form", "get") or self.body not in ("raw", "custom"):
            raise UsageError(f"An Outgoing Webhook has no format {self.format!r} with body {self.body!r}.")


@dataclass(frozen=True, slots=True)
class Automation:
    """Started by `tag` being applied; sends the webhook of `step`."""

    id: int
    tag: int
    step: Step


@dataclass(frozen=True, slots=True)
class Note:
    """What FluentCRM keeps beside a contact's step: the first 2,000 characters of the answer.

    `status` is None when no answer came; `seconds` is how long the sender waited.
    """

    contact_id: int
    url_without_query: str
    status: int | None
    text: str
    seconds: float


def rights_named(rights: Rights | Iterable[str]) -> frozenset[str]:
    """The permissions that `full`, `read-only` and `none` stand for; permissions by name are kept as they are.

    Managers of FluentCRM Pro need `fcrm_manage_contact_cats` even to list tags and lists, and `fcrm_manage_settings`
    even to list custom fields (read in the source of 2.9.84), so `read-only` has both.
    """
    if not isinstance(rights, str):
        return frozenset(rights)
    named = {"full": FULL_RIGHTS, "read-only": READ_RIGHTS, "none": frozenset[str]()}
    if rights not in named:
        raise UsageError(f"There are no rights named {rights!r}: say full, read-only or none.")
    return named[rights]
