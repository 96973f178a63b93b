"""The contract of a site: find members, apply plans, tell roles and fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from memberhook.members.types import LoginRules, Member, Plan, Role, Tag


@dataclass(frozen=True, slots=True)
class Found:
    """Members by id, and for each lower-cased e-mail that was asked for the ids of those who have it."""

    members: Mapping[str, Member] = field(default_factory=dict)
    emails: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one plan.

    `stale`: the site has changed since the plan was made (the login is taken by now, the member is gone); nothing was
    done, find and plan again. `error`: the site refused this member for good, in words; nothing was done. `warnings`:
    what the site could not take over, beside those of the plan.
    """

    member_id: str = ""
    login: str = ""
    email: str = ""
    created: bool = False
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    stale: bool = False
    error: str | None = None


class Site(Protocol):
    """Answers for many members at once; each plan answers for itself: one bad member never spoils the batch.

    Raises `RetryLater` when the site as a whole can't be reached.
    """

    login_rules: LoginRules
    sends_welcome: bool
    """The site sends the welcome e-mail itself when it applies a plan that wants one."""
    has_signals: bool
    """Its members are Django users, whom the signals of a host project are about."""

    def atomic(self) -> AbstractContextManager[None]:
        """Around find, plan, apply and the journal: what happens inside is kept or lost as one, where the site can."""
        ...

    def roles(self) -> tuple[Role, ...]: ...

    def find(self, member_ids: Collection[str], emails: Collection[str]) -> Found: ...

    def taken(self, logins: Collection[str]) -> frozenset[str]:
        """Those of the logins that somebody has, in lower case."""
        ...

    def remember(self, tags: Collection[Tag]) -> None:
        """Takes note of tags as the CRM calls them now, whether or not a member's tags change."""
        ...

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        """Makes the plans true, in order. Applying one again changes nothing."""
        ...
