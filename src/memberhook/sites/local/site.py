"""The local site: members are Django users. Everything in one database transaction, together with the journal."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher, get_hasher, make_password
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models.functions import Lower

from memberhook.core.check_result import CheckResult
from memberhook.core.types import Applied, Changes, Member, Plan, Role, Tag, UsernameRules, Value
from memberhook.models.members import MemberField, MemberTag
from memberhook.models.tags import upsert_tags
from memberhook.sites.contract import Found, MemberQuery, MemberSummary, Site, SiteCheck, SiteContext
from memberhook.sites.local.group_roles import group_roles, roles_of
from memberhook.sites.local.profile import RestWriter
from memberhook.sites.local.summaries import summaries
from memberhook.sites.local.user_columns import Unfit, to_column, to_value, user_columns

log = logging.getLogger(__name__)

_BREAKS_A_RULE = "The site's database refused the member: a value has to be unique and is taken, or one is missing."
_SITE_LOCK = 0x6D656D73  # advisory lock of PostgreSQL: two batches never make one member twice


def open_site(context: SiteContext) -> Site:
    return LocalSite(context.connection_id)


class LocalSite:
    """`connection_id`: the tags of which connection are looked at and written."""

    sends_welcome = False
    no_welcome = ""
    has_signals = True
    is_remote = False

    def __init__(self, connection_id: int) -> None:
        self.connection_id = connection_id
        self.model = get_user_model()
        self.username_field: str = self.model.USERNAME_FIELD
        self.email_field: str = self.model.get_email_field_name()
        longest = getattr(self.model._meta.get_field(self.username_field), "max_length", None)
        # Where the e-mail is the login, the login may be whatever an e-mail may be.
        allowed = r"\S" if self.username_field == self.email_field else r"\w.@+-"
        self.username_rules = UsernameRules(longest or 150, allowed)
        self.columns = user_columns()

    @contextmanager
    def atomic(self) -> Iterator[None]:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SITE_LOCK])
            yield

    def roles(self) -> tuple[Role, ...]:
        return tuple(entry.role for entry in group_roles())

    def check(self) -> SiteCheck:
        return SiteCheck((CheckResult("database", True, "Members are users of this database."),))

    def normalize(self, value: Value) -> Value:
        return value

    def members(self, emails: Collection[str] = (), fields: Collection[str] = ()) -> Iterator[MemberSummary]:
        return summaries(emails)

    def find(self, query: MemberQuery) -> Found:
        """Links are rows of ours, so `wanted.contact_ids` is not looked at; fields are all there, asked for or not."""
        emails = {email.lower() for email in query.emails}
        keys = [int(pk) if str(pk).isdigit() else pk for pk in query.member_ids]
        users = {str(user.pk): user for user in self.model._default_manager.filter(pk__in=keys)} if keys else {}
        by_email: dict[str, list[str]] = defaultdict(list)
        holders = self.model._default_manager.annotate(memberhook_email=Lower(self.email_field))
        for user in holders.filter(memberhook_email__in=emails).order_by("pk") if emails else ():
            users[str(user.pk)] = user
            by_email[user.memberhook_email].append(str(user.pk))
        return Found(
            self._members(users),
            {email: tuple(ids) for email, ids in by_email.items()},
            taken=self._taken(query.usernames) if query.usernames else frozenset(),
        )

    def _members(self, users: Mapping[str, Any]) -> dict[str, Member]:
        keys = [user.pk for user in users.values()]
        entries = group_roles() if users else ()
        privileged = {entry.role.slug for entry in entries if entry.role.privileged}
        held = roles_of(keys, entries)
        fields: dict[Any, dict[str, Value]] = defaultdict(dict)
        for row in MemberField.objects.filter(member__in=keys):
            fields[row.member_id][row.key] = tuple(row.value) if isinstance(row.value, list) else row.value
        tags: dict[Any, list[Tag]] = defaultdict(list)
        held_tags = MemberTag.objects.filter(member__in=keys, tag__connection_id=self.connection_id)
        for held_tag in held_tags.select_related("tag"):
            tag = held_tag.tag
            tags[held_tag.member_id].append(Tag(tag.crm_id, tag.slug, tag.title))
        return {
            pk: Member(
                id=pk,
                username=user.get_username(),
                email=getattr(user, self.email_field) or "",
                roles=held[user.pk],
                fields={name: to_value(getattr(user, name)) for name in self.columns} | fields[user.pk],
                tags=tuple(tags[user.pk]),
                protected=_is_staff(user) or bool(held[user.pk] & privileged),
            )
            for pk, user in users.items()
        }

    def _taken(self, usernames: Collection[str]) -> frozenset[str]:
        query = {username.lower() for username in usernames}
        users = self.model._default_manager.annotate(memberhook_login=Lower(self.username_field))
        return frozenset(users.filter(memberhook_login__in=query).values_list("memberhook_login", flat=True))

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        upsert_tags(self.connection_id, tags)

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        try:
            return self._apply(plans, together=True)
        except (DataError, IntegrityError):
            return self._apply(plans, together=False)  # to find out whose it is, and spare the others

    def _apply(self, plans: Sequence[Plan], *, together: bool) -> list[Applied]:
        """`together`: what new members have beside their user is written for all of them at once."""
        with transaction.atomic():
            writer = RestWriter(upsert_tags(self.connection_id, _tags_of(plans)), self.columns, together=together)
            applied = [self._apply_one(plan, writer) for plan in plans]
            writer.flush()
            return applied

    def _apply_one(self, plan: Plan, writer: RestWriter) -> Applied:
        try:
            with transaction.atomic():
                if plan.member is None:
                    return self._create(plan, writer)
                return self._change(plan.member, plan.changes, writer)
        except IntegrityError:
            return Applied(stale=True) if self._has_moved_on(plan) else Applied(error=_BREAKS_A_RULE)
        except (DataError, ValidationError, ValueError) as error:
            log.warning("The local site refused a member: %s", type(error).__name__)
            return Applied(error="The site refused the member's data: a value is too long or of the wrong kind.")

    def _has_moved_on(self, plan: Plan) -> bool:
        """Whether somebody has the login or the e-mail by now, or the member is gone."""
        email = (plan.changes.email or "").lower()
        found = self.find(
            MemberQuery(
                member_ids=[plan.member.id] if plan.member else (),
                emails=[email] if email else (),
                usernames=[plan.username or ""],
            )
        )
        if plan.member is None:
            return bool(found.emails.get(email) or found.taken)
        return plan.member.id not in found.members or any(pk != plan.member.id for pk in found.emails.get(email, ()))

    def _create(self, plan: Plan, writer: RestWriter) -> Applied:
        changes = plan.changes
        user = self.model()
        setattr(user, self.email_field, changes.email or "")
        if self.username_field != self.email_field:
            setattr(user, self.username_field, plan.username)
        user.password = first_hash(changes.password or "", generated=plan.generate_password)
        columns, warnings = self._set_columns(user, changes)
        user.save(force_insert=True)
        writer.write_new(user, changes)
        names = self._changed(changes, columns)
        names = tuple(name for name in names if name != "user_pass" or not plan.generate_password)
        return self._applied(user, names, warnings, created=True)

    def _change(self, member: Member, changes: Changes, writer: RestWriter) -> Applied:
        user = self.model._default_manager.select_for_update().filter(pk=member.id).first()
        if user is None or (_is_staff(user) and not member.protected):
            return Applied(stale=True)
        columns, warnings = self._set_columns(user, changes)
        names = self._changed(changes, columns)
        if changes.email is not None:
            setattr(user, self.email_field, changes.email)
            columns.append(self.email_field)
        if changes.password is not None:
            if user.check_password(changes.password):
                names = tuple(name for name in names if name != "user_pass")
            else:
                user.set_password(changes.password)
                columns.append("password")
        if columns:
            user.save(update_fields=columns)
        writer.write(user, changes)
        return self._applied(user, names, warnings)

    def _applied(
        self, user: Any, names: tuple[str, ...], warnings: tuple[str, ...], *, created: bool = False
    ) -> Applied:
        email = getattr(user, self.email_field) or ""
        return Applied(str(user.pk), user.get_username(), email, created=created, changes=names, warnings=warnings)

    def _set_columns(self, user: Any, changes: Changes) -> tuple[list[str], tuple[str, ...]]:
        """Sets what the user model has a column for. Which ones differ now, and warnings of what did not fit."""
        differing, warnings = [], []
        for name in self.columns.keys() & changes.fields.keys():
            try:
                fit = to_column(self.columns[name], changes.fields[name])
            except Unfit:
                warnings.append(f"The site's field {name} does not take the contact's value, so it stays as it is.")
                continue
            if getattr(user, name) != fit:
                setattr(user, name, fit)
                differing.append(name)
        return sorted(differing), tuple(sorted(warnings))

    def _changed(self, changes: Changes, columns: Collection[str]) -> tuple[str, ...]:
        """The names of what changes, without columns that stayed as they were."""
        return tuple(name for name in changes.names() if name not in self.columns or name in columns)


def _tags_of(plans: Iterable[Plan]) -> list[Tag]:
    """The tags that the plans take away or give."""
    return [tag for plan in plans for tag in (*plan.changes.tags_removed, *plan.changes.tags_applied)]


def first_hash(password: str, *, generated: bool) -> str:
    """The stored form of a new member's password.

    A generated one has 120 random bits or more, which no slow hash makes safer: one round will do, and Django hashes
    it again at full cost at the first log-in (its hasher sees that the rounds are too few).
    """
    hasher = get_hasher()
    if generated and isinstance(hasher, PBKDF2PasswordHasher):
        return hasher.encode(password, hasher.salt(), iterations=1)
    return make_password(password)


def _is_staff(user: Any) -> bool:
    return bool(getattr(user, "is_staff", False) or getattr(user, "is_superuser", False))
