"""The contract of a CRM: a reader of its webhooks, and a client that loads contacts and writes fields back."""

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
    """The contact that an event is about: the CRM's id, or only an e-mail. One of the two is set."""

    id: str | None = None
    email: str | None = None

    def __str__(self) -> str:
        return f"contact {self.id}" if self.id else "the contact with the e-mail of the webhook"


@dataclass(frozen=True, slots=True)
class ContactEvent:
    """One event of a webhook: which contact it is about, and the contact as far as the payload has it.

    `payload` is used only where the hook trusts it. `payload_problem` says why it cannot be used (it is None then);
    None where there is nothing to say. `body`: the event's part of a request that brings several; only this part is
    stored with its delivery.
    """

    ref: ContactRef
    payload: Contact | None = None
    payload_problem: str | None = None
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An event that concerns no member: it is answered 2xx, and nothing is stored. `event`: as the CRM calls it."""

    event: str
    reason: str


@dataclass(frozen=True, slots=True)
class CrmField:
    """A field of the CRM: `name` as in `--map`, `title` for people."""

    name: str
    title: str
    type: FieldType
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """Tags, lists and fields of a CRM."""

    tags: tuple[Tag, ...] = ()
    lists: tuple[Tag, ...] = ()
    fields: tuple[CrmField, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """The address of a CRM and our credentials there."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)


CrmError = TransientError | PermanentError


class CrmClient(Protocol):
    """The API of one account. Raises only `TransientError` or `PermanentError`, when the CRM as a whole fails."""

    def check(self) -> list[CheckResult]:
        """Credentials and permissions, with a result for each; never raises for what it checks."""
        ...

    def catalog(self) -> Catalog: ...

    def load(self, refs: Sequence[ContactRef]) -> Mapping[ContactRef, Contact | CrmError]:
        """An answer for every ref: the contact with tags, lists and custom fields, or why it cannot be loaded."""
        ...

    def write_fields(self, writes: Sequence[FieldWrite]) -> Mapping[str, CrmError | None]:
        """Write fields of many contacts. Return what went wrong by contact id, None where it is done."""
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
    """A registry entry. `read` is pure: the events of a request, in order, none or one or many.

    It raises `RequestRejected` when the request cannot be read or should name a contact and does not.
    """

    slug: str
    name: str
    read: Callable[[WebhookRequest], Sequence[ContactEvent | Skipped]]
    client: Callable[[Account, HttpClient], CrmClient]
