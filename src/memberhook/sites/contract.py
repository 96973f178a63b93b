"""The contract of a site: find members, apply plans, tell roles and fields."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from memberhook.core.check_result import CheckResult
from memberhook.core.http_client import HttpClient
from memberhook.core.types import Applied, Member, Plan, Role, Tag, UsernameRules, Value


@dataclass(frozen=True, slots=True)
class Overflow:
    """What Memberhook keeps of a member for a site that cannot."""

    tags: tuple[Tag, ...] = ()
    fields: Mapping[str, Value] = field(default_factory=dict, repr=False)


class OverflowStore(Protocol):
    """Keeps tags and fields of members, by member id, for one site and connection."""

    def read(self, member_ids: Collection[str]) -> Mapping[str, Overflow]:
        """Tags as the CRM calls them now. Without a connection: what all of them have kept, together."""
        ...

    def write(self, kept: Mapping[str, Overflow]) -> None:
        """In place of what was kept of these members before."""
        ...

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        """See `Site.remember`."""
        ...

    def slugs(self, member_ids: Collection[str]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """The tags of all connections as `Listed.tags` has them, by member id."""
        ...


@dataclass(frozen=True, slots=True)
class SiteContext:
    """A site as seen from one connection: where it is, who we are there, whose tags are looked at and written.

    `connection` is the connection's name and `crm` its kind; both are empty (and `connection_id` 0) where the site is
    only asked about itself. `options` and `facts` are those of the site's row. Local sites need no `http`.
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
    """Whom and what a site is asked about, in any case. `fields`: by the site's names, of each member found."""

    member_ids: Collection[str] = ()
    contact_ids: Collection[str] = ()
    emails: Collection[str] = ()
    usernames: Collection[str] = ()
    fields: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Members by id; for each lower-cased e-mail that was asked for the ids of those who have it; for contacts the id
    of the member that the site itself keeps as linked with them; and, in lower case, the logins asked for that no new
    member can have."""

    members: Mapping[str, Member] = field(default_factory=dict)
    emails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    contacts: Mapping[str, str] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class MemberSummary:
    """A member for people to look at. `tags`: slugs, by the name of the connection that they came from."""

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
    """What a look at a site has found, in order, and the `facts` to keep in its row (JSON; see the kind's module)."""

    results: tuple[CheckResult, ...]
    capabilities: Mapping[str, Any] = field(default_factory=dict)

    @property
    def problem(self) -> CheckResult | None:
        """The first finding without which nothing works."""
        return next((result for result in self.results if result.needed and not result.ok), None)


class Site(Protocol):
    """Answers for many members at once; each plan answers for itself: one bad member never spoils the batch.

    Raises `RetryLater` when the site as a whole can't be reached.
    """

    username_rules: UsernameRules
    sends_welcome: bool
    """The site sends the welcome e-mail itself when it applies a plan that wants one, or says that it can't."""
    no_welcome: str
    """Why members get no welcome e-mail, in one sentence; empty where they do."""
    has_signals: bool
    """Its members are Django users, whom the signals of a host project are about."""
    is_remote: bool
    """What `apply` does stays done, whatever becomes of the journal: it is not part of our transaction."""

    def atomic(self) -> AbstractContextManager[None]:
        """Around find, plan, apply and the journal: what happens inside is kept or lost as one, where the site can."""
        ...

    def check(self) -> SiteCheck:
        """Address, credentials, rights and abilities, each told apart; never raises for what it is to find out."""
        ...

    def roles(self) -> tuple[Role, ...]:
        """As last found: after `find`, without asking the site once more."""
        ...

    def normalize(self, value: Value) -> Value:
        """The value as `find` gives it back once it is stored."""
        ...

    def find(self, query: MemberQuery) -> Found: ...

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        """Takes note of tags as the CRM calls them now, whether or not a member's tags change."""
        ...

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        """Makes the plans true, in order. Applying one again changes nothing."""
        ...

    def members(self, emails: Collection[str] = (), fields: Collection[str] = ()) -> Iterator[MemberSummary]:
        """All members, or those with these e-mails (in any case), in the order of their ids."""
        ...
