"""The contract of a site: find members, apply plans, list roles, check."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from memberhook.core.check_result import CheckResult, first_problem
from memberhook.core.http_client import HttpClient
from memberhook.core.types import Applied, Member, Plan, Role, Tag, UsernameRules, Value


@dataclass(frozen=True, slots=True)
class Overflow:
    """What a site cannot store of a member, so Memberhook does."""

    tags: tuple[Tag, ...] = ()
    fields: Mapping[str, Value] = field(default_factory=dict, repr=False)


class OverflowStore(Protocol):
    """Stores tags and fields of members, by member id, for one site and one connection."""

    def read(self, member_ids: Collection[str]) -> Mapping[str, Overflow]:
        """With the CRM's present names of tags. Without a connection: the overflow of all connections together."""
        ...

    def write(self, overflow: Mapping[str, Overflow]) -> None:
        """Replace the overflow of these members."""
        ...

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        """See `Site.upsert_tags`."""
        ...

    def slugs(self, member_ids: Collection[str]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """By member id: the tags of all connections, as in `MemberSummary.tags`."""
        ...


@dataclass(frozen=True, slots=True)
class SiteContext:
    """What a site is opened with: its row, and the connection whose tags are read and written.

    `connection` is the connection's name and `crm` its kind; without a connection both are empty and `connection_id`
    is 0. The local site needs no `http`.
    """

    name: str
    connection_id: int = 0
    connection: str = ""
    crm: str = ""
    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, Any] = field(default_factory=dict)
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    http: HttpClient | None = None
    overflow_store: OverflowStore | None = None


@dataclass(frozen=True, slots=True)
class MemberQuery:
    """Which members to find, and which usernames to test; case is ignored. `fields`: the site's fields to return."""

    member_ids: Collection[str] = ()
    contact_ids: Collection[str] = ()
    emails: Collection[str] = ()
    usernames: Collection[str] = ()
    fields: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class FoundMembers:
    """The answer to a `MemberQuery`.

    `members`: by id; `emails`: lower-cased e-mail → ids of the members who have it; `contacts`: contact id → member id,
    where the site stores links itself; `taken_usernames`: in lower case, those that no new member can have.
    """

    members: Mapping[str, Member] = field(default_factory=dict)
    emails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    contacts: Mapping[str, str] = field(default_factory=dict)
    taken_usernames: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MemberSummary:
    """A member as shown to people. `tags`: connection name → slugs."""

    id: str
    username: str
    email: str
    first_name: str
    last_name: str
    display_name: str
    roles: tuple[str, ...]
    tags: Mapping[str, tuple[str, ...]]
    fields: Mapping[str, Value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SiteCheck:
    """The results of a check, in order, and the site's capabilities: JSON for its row, as its kind defines it."""

    results: tuple[CheckResult, ...]
    capabilities: Mapping[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> CheckResult | None:
        """The first failure that makes the site unusable."""
        return first_problem(self.results)


class Site(Protocol):
    """Handles many members at once. Every plan has its own result: one bad member never affects the others.

    Raises `TransientError` when the site as a whole fails.
    """

    username_rules: UsernameRules
    sends_welcome: bool
    """The site sends the welcome e-mail itself when it applies a plan that wants one, or reports that it cannot."""
    no_welcome: str
    """Why the site sends no welcome e-mails, in one sentence; empty if it does."""
    has_signals: bool
    """Its members are Django users, so the signals of a host project apply to them."""
    is_remote: bool
    """What `apply` does is not part of our transaction: it stays done if the outcome is rolled back."""

    def atomic(self) -> AbstractContextManager[None]:
        """One transaction around find, plan, apply and the outcome, where the site can."""
        ...

    def check(self) -> SiteCheck:
        """Check address, credentials, rights and capabilities one by one. Never raises what calls raise."""
        ...

    def roles(self) -> tuple[Role, ...]:
        """As known from the last `find` or check; makes no call."""
        ...

    def normalize(self, value: Value) -> Value:
        """The value as `find` returns it once it is stored."""
        ...

    def find(self, query: MemberQuery) -> FoundMembers: ...

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        """Update the names of tags, whether or not the tags of a member change."""
        ...

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        """Apply the plans in order; one result for each. Idempotent."""
        ...

    def members(self, emails: Collection[str] = (), fields: Collection[str] = ()) -> Iterator[MemberSummary]:
        """All members, or those with these e-mail addresses (ignoring case), in the order of their ids."""
        ...
