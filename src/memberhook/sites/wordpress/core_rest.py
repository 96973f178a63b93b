"""A WordPress without the connector plugin, over core's REST API.

What that API cannot store (tags, and fields that are not registered meta) goes into the overflow store and is found
together with the rest, so that a plan sees no difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from memberhook.core.types import Applied, Member, Plan, Role, Tag, Value
from memberhook.sites.contract import (
    FoundMembers,
    MemberQuery,
    MemberSummary,
    Overflow,
    OverflowStore,
    SiteCheck,
    SiteContext,
)
from memberhook.sites.wordpress.rest.rest_client import RestClient
from memberhook.sites.wordpress.role_discovery import INSTALLED_ROLES
from memberhook.sites.wordpress.site_check import check
from memberhook.sites.wordpress.site_data import SiteCapabilities
from memberhook.sites.wordpress.users_api import User, UsersApi
from memberhook.sites.wordpress.values import USERNAME_RULES, normalize
from memberhook.sites.wordpress.writer import UserWriter

_SUMMARY_FIELDS = frozenset({"first_name", "last_name", "display_name"})
"""Attributes of their own in a `MemberSummary`."""


class CoreRestSite:
    """See `sites.contract.Site`."""

    username_rules = USERNAME_RULES
    sends_welcome = True
    no_welcome = "WordPress's REST API sends no welcome e-mails; that needs the connector plugin."
    has_signals = False
    is_remote = True

    def __init__(self, context: SiteContext, rest: RestClient, overflow_store: OverflowStore) -> None:
        self._rest = rest
        self._overflow_store = overflow_store
        self._users = UsersApi(rest, batch=bool(context.capabilities.get("batch")))
        self._writer = UserWriter(
            self._users,
            overflow_store,
            context.capabilities.get("meta_types") or {},
            stores_key=bool(context.capabilities.get("stores_idempotency_key")),
        )
        self._roles = SiteCapabilities.of(context.capabilities).roles or INSTALLED_ROLES

    def atomic(self) -> AbstractContextManager[None]:
        return nullcontext()

    def check(self) -> SiteCheck:
        return check(self._rest)

    def roles(self) -> tuple[Role, ...]:
        return self._roles

    def normalize(self, value: Value) -> Value:
        return normalize(value)

    def find(self, query: MemberQuery) -> FoundMembers:
        """Without `contacts`: WordPress stores no links. All fields are returned, requested or not."""
        by_email = self._users.by_emails({email.lower() for email in query.emails})
        users = self._users.by_ids(query.member_ids) if query.member_ids else {}
        users.update({user.id: user for found in by_email.values() for user in found})
        usernames = {username.lower() for username in query.usernames}
        taken = {user.username.lower() for user in self._users.by_usernames(usernames)}
        overflow = self._overflow_store.read(users.keys()) if users else {}
        return FoundMembers(
            {pk: self._member(user, overflow.get(pk, Overflow())) for pk, user in users.items()},
            {email: tuple(user.id for user in found) for email, found in by_email.items() if found},
            taken_usernames=frozenset(taken | (self._writer.taken & usernames)),
        )

    def _member(self, user: User, overflow: Overflow) -> Member:
        return Member(
            id=user.id,
            username=user.username,
            email=user.email,
            roles=frozenset(user.roles),
            fields={**overflow.fields, **user.fields},
            tags=tuple(overflow.tags),
            protected=user.protected,
            idempotency_key=user.idempotency_key,
        )

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        self._overflow_store.upsert_tags(tags)

    def members(self, emails: Collection[str] = (), fields: Collection[str] = ()) -> Iterator[MemberSummary]:
        if emails:
            by_email = self._users.by_emails({email.lower() for email in emails})
            found = {user.id: user for users in by_email.values() for user in users}
            yield from self._summaries([found[pk] for pk in sorted(found, key=int)], fields)
            return
        for page in self._users.pages():
            yield from self._summaries(page, fields)

    def _summaries(self, users: Sequence[User], fields: Collection[str]) -> Iterator[MemberSummary]:
        ids = [user.id for user in users]
        overflow, tags = self._overflow_store.read(ids), self._overflow_store.slugs(ids)
        for user in users:
            values = self._member(user, overflow.get(user.id, Overflow())).fields
            first, last, display = (str(user.fields[key] or "") for key in ("first_name", "last_name", "display_name"))
            yield MemberSummary(
                id=user.id,
                username=user.username,
                email=user.email,
                first_name=first,
                last_name=last,
                display_name=display,
                roles=tuple(sorted(user.roles)),
                tags=tags.get(user.id, {}),
                fields={key: values[key] for key in sorted({*fields} - _SUMMARY_FIELDS) if values.get(key)},
            )

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        return self._writer.apply(plans)
