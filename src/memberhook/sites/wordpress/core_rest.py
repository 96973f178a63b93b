"""A WordPress without the connector plugin: what its own REST API can do, and what it cannot said for each member.

Its one decision: what it does not keep (links, tags, fields that are no registered meta) is kept by Memberhook and
found with the rest, so that a plan sees no difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from memberhook.core.types import Member, Plan, Role, Tag, Value
from memberhook.core.types import Applied
from memberhook.sites.contract import Checked, Found, Keeper, Kept, Listed, Place, Wanted
from memberhook.sites.wordpress.check import check
from memberhook.sites.wordpress.known_roles import INSTALLED
from memberhook.sites.wordpress.site_data import Facts
from memberhook.sites.wordpress.users import User, Users
from memberhook.sites.wordpress.values import LOGIN_RULES, stored
from memberhook.sites.wordpress.writer import Writer
from memberhook.sites.wordpress.rest_client import Rest

_NAMED = frozenset({"first_name", "last_name", "display_name"})
"""Fields that `Listed` has a place of its own for."""


class CoreSite:
    """See `sites.base.Site`. Of the place's facts it reads `roles`, `batch`, `meta` and `notes` (see check.py)."""

    login_rules = LOGIN_RULES
    sends_welcome = True
    no_welcome = "WordPress sends no welcome e-mail over its own REST API; that takes the connector plugin."
    has_signals = False
    is_remote = True

    def __init__(self, place: Place, rest: Rest, keeper: Keeper) -> None:
        self._rest = rest
        self._keeper = keeper
        self._users = Users(rest, batch=bool(place.facts.get("batch")))
        notes = bool(place.facts.get("notes"))
        self._writer = Writer(self._users, keeper, place.facts.get("meta") or {}, notes=notes)
        self._roles = Facts.of(place.facts).roles or INSTALLED

    def atomic(self) -> AbstractContextManager[None]:
        return nullcontext()

    def check(self) -> Checked:
        return check(self._rest)

    def roles(self) -> tuple[Role, ...]:
        return self._roles

    def stored(self, value: Value) -> Value:
        return stored(value)

    def find(self, wanted: Wanted) -> Found:
        """WordPress keeps no link with a contact. Fields are all there, asked for or not."""
        holders = self._users.by_emails({email.lower() for email in wanted.emails})
        users = self._users.by_ids(wanted.member_ids) if wanted.member_ids else {}
        users.update({user.id: user for found in holders.values() for user in found})
        logins = {login.lower() for login in wanted.logins}
        taken = {user.login.lower() for user in self._users.by_logins(logins)} | (self._writer.taken & logins)
        kept = self._keeper.read(users.keys()) if users else {}
        return Found(
            {pk: self._member(user, kept.get(pk, Kept())) for pk, user in users.items()},
            {email: tuple(user.id for user in found) for email, found in holders.items() if found},
            taken=frozenset(taken),
        )

    def _member(self, user: User, kept: Kept) -> Member:
        return Member(
            id=user.id,
            login=user.login,
            email=user.email,
            roles=frozenset(user.roles),
            fields={**kept.fields, **user.fields},
            tags=tuple(kept.tags),
            protected=user.privileged,
            created_for=user.created_for,
        )

    def remember(self, tags: Collection[Tag]) -> None:
        self._keeper.remember(tags)

    def members(self, emails: Collection[str] = (), fields: Collection[str] = ()) -> Iterator[Listed]:
        if emails:
            holders = self._users.by_emails({email.lower() for email in emails})
            found = {user.id: user for users in holders.values() for user in users}
            yield from self._listed([found[pk] for pk in sorted(found, key=int)], fields)
            return
        for page in self._users.pages():
            yield from self._listed(page, fields)

    def _listed(self, users: Sequence[User], fields: Collection[str]) -> Iterator[Listed]:
        ids = [user.id for user in users]
        kept, tags = self._keeper.read(ids), self._keeper.slugs(ids)
        for user in users:
            member = self._member(user, kept.get(user.id, Kept()))
            first, last, name = (str(user.fields[key] or "") for key in ("first_name", "last_name", "display_name"))
            yield Listed(
                id=user.id,
                login=user.login,
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
