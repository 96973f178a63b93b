"""A WordPress without the connector plugin: what its own REST API can do, and what it cannot said for each member.

Its one decision: what it does not keep (links, tags, fields that are no registered meta) is kept by Memberhook and
found with the rest, so that a plan sees no difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from memberhook.core.types import Applied, Member, Plan, Role, Tag, Value
from memberhook.sites.contract import Found, MemberQuery, MemberSummary, Overflow, OverflowStore, SiteCheck, SiteContext
from memberhook.sites.wordpress.check import check
from memberhook.sites.wordpress.known_roles import INSTALLED
from memberhook.sites.wordpress.rest_client import Rest
from memberhook.sites.wordpress.site_data import SiteCapabilities
from memberhook.sites.wordpress.users import User, Users
from memberhook.sites.wordpress.values import USERNAME_RULES, normalize
from memberhook.sites.wordpress.writer import Writer

_NAMED = frozenset({"first_name", "last_name", "display_name"})
"""Fields that `Listed` has a place of its own for."""


class CoreSite:
    """See `sites.base.Site`. Of the place's facts it reads `roles`, `batch`, `meta` and `notes` (see check.py)."""

    username_rules = USERNAME_RULES
    sends_welcome = True
    no_welcome = "WordPress sends no welcome e-mail over its own REST API; that takes the connector plugin."
    has_signals = False
    is_remote = True

    def __init__(self, context: SiteContext, rest: Rest, overflow_store: OverflowStore) -> None:
        self._rest = rest
        self._overflow_store = overflow_store
        self._users = Users(rest, batch=bool(context.capabilities.get("batch")))
        notes = bool(context.capabilities.get("notes"))
        self._writer = Writer(self._users, overflow_store, context.capabilities.get("meta") or {}, notes=notes)
        self._roles = SiteCapabilities.of(context.capabilities).roles or INSTALLED

    def atomic(self) -> AbstractContextManager[None]:
        return nullcontext()

    def check(self) -> SiteCheck:
        return check(self._rest)

    def roles(self) -> tuple[Role, ...]:
        return self._roles

    def normalize(self, value: Value) -> Value:
        return normalize(value)

    def find(self, query: MemberQuery) -> Found:
        """WordPress keeps no link with a contact. Fields are all there, asked for or not."""
        holders = self._users.by_emails({email.lower() for email in query.emails})
        users = self._users.by_ids(query.member_ids) if query.member_ids else {}
        users.update({user.id: user for found in holders.values() for user in found})
        usernames = {username.lower() for username in query.usernames}
        taken = {user.username.lower() for user in self._users.by_logins(usernames)} | (self._writer.taken & usernames)
        kept = self._overflow_store.read(users.keys()) if users else {}
        return Found(
            {pk: self._member(user, kept.get(pk, Overflow())) for pk, user in users.items()},
            {email: tuple(user.id for user in found) for email, found in holders.items() if found},
            taken=frozenset(taken),
        )

    def _member(self, user: User, kept: Overflow) -> Member:
        return Member(
            id=user.id,
            username=user.username,
            email=user.email,
            roles=frozenset(user.roles),
            fields={**kept.fields, **user.fields},
            tags=tuple(kept.tags),
            protected=user.privileged,
            idempotency_key=user.idempotency_key,
        )

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        self._overflow_store.upsert_tags(tags)

    def members(self, emails: Collection[str] = (), fields: Collection[str] = ()) -> Iterator[MemberSummary]:
        if emails:
            holders = self._users.by_emails({email.lower() for email in emails})
            found = {user.id: user for users in holders.values() for user in users}
            yield from self._summary([found[pk] for pk in sorted(found, key=int)], fields)
            return
        for page in self._users.pages():
            yield from self._summary(page, fields)

    def _summary(self, users: Sequence[User], fields: Collection[str]) -> Iterator[MemberSummary]:
        ids = [user.id for user in users]
        kept, tags = self._overflow_store.read(ids), self._overflow_store.slugs(ids)
        for user in users:
            member = self._member(user, kept.get(user.id, Overflow()))
            first, last, name = (str(user.fields[key] or "") for key in ("first_name", "last_name", "display_name"))
            yield MemberSummary(
                id=user.id,
                username=user.username,
                email=user.email,
                first_name=first,
                last_name=last,
                display_name=name,
                roles=tuple(sorted(user.roles)),
                tags=tags.get(user.id, {}),
                fields={key: member.fields[key] for key in sorted({*fields} - _NAMED) if member.fields.get(key)},
            )

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        return self._writer.apply(plans)
