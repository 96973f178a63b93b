"""The contract of a CRM: read webhooks, load contacts, write fields back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import HttpClient
from memberhook.core.types import Contact, FieldType, Tag


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A webhook as received, without key and control parameters.

    `query`: the contact data in the URL's query, raw; `contact_id`: the control parameter, which outranks the data.
    """

    method: str
    query: str = ""
    content_type: str = ""
    user_agent: str = ""
    body: bytes = b""
    contact_id: str | None = None


@dataclass(frozen=True, slots=True)
class ContactRef:
    """Who a webhook is about: the CRM's id, or only an e-mail. One of the two is set."""

    id: str | None = None
    email: str | None = None

    def __str__(self) -> str:
        return f"contact {self.id}" if self.id else "the contact with the e-mail of the webhook"


@dataclass(frozen=True, slots=True)
class ContactEvent:
    """What a webhook says: whom it is about, and the contact as far as the payload tells it.

    `payload` is a hint; it is used alone only where the hook trusts it. `payload_problem` says why it is not to be
    believed (it is None then); None where there is nothing to say.
    """

    ref: ContactRef
    payload: Contact | None = None
    payload_problem: str | None = None


@dataclass(frozen=True, slots=True)
class CrmField:
    """A field of the CRM: `name` as in `--map`, `title` as people see it."""

    name: str
    title: str
    type: FieldType
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tags, lists and fields of a connection."""

    tags: tuple[Tag, ...] = ()
    lists: tuple[Tag, ...] = ()
    fields: tuple[CrmField, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """The address of a CRM, and our log-in there."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)


CrmError = TransientError | PermanentError


class CrmClient(Protocol):
    """Calls one account. Raises only `TransientError` and `PermanentError`, when the CRM as a whole fails."""

    def check(self) -> list[CheckResult]:
        """Check address, credentials and rights one by one. Never raises what calls raise."""
        ...

    def catalog(self) -> Catalog: ...

    def load(self, refs: Sequence[ContactRef]) -> Mapping[ContactRef, Contact | CrmError]:
        """An answer for every ref: the contact with tags, lists and custom fields, or the error of this one."""
        ...

    def write_fields(self, writes: Sequence[FieldWrite]) -> Mapping[str, CrmError | None]:
        """Write fields of many contacts. Returns by contact id: None if it is written, else the error."""
        ...

    def contacts(self, tag: Tag | None = None) -> Iterator[ContactPage]:
        """All contacts (with `tag`), page by page, each once, in the order of their ids."""
        ...


@dataclass(frozen=True, slots=True)
class FieldWrite:
    """`fresh`: the contact was just loaded and has this e-mail address, so a write keyed by e-mail is safe."""

    contact_id: str
    email: str
    fields: Mapping[str, str] = field(repr=False)
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class ContactPage:
    contacts: tuple[Contact, ...]
    total: int


@dataclass(frozen=True, slots=True)
class CrmInfo:
    """A registry entry. `identify` is pure; it raises `Refused` when the request names no contact or cannot be read."""

    slug: str
    name: str
    identify: Callable[[WebhookRequest], ContactEvent]
    client: Callable[[Account, HttpClient], CrmClient]
