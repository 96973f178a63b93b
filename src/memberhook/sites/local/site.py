"""The local site: finds, creates and changes Django users, in the same database transaction as the outcome."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher, get_hasher, make_password
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models.functions import Lower

from memberhook.core.check_result import passed
from memberhook.core.types import Applied, ApplyStatus, Changes, Member, Plan, Role, Tag, UsernameRules, Value
from memberhook.models.tags import upsert_tags
from memberhook.sites.contract import FoundMembers, MemberQuery, MemberSummary, SiteCheck
from memberhook.sites.local.group_roles import group_roles
from memberhook.sites.local.profile import Profile, ProfileWriter, read_profiles
from memberhook.sites.local.user_columns import UnsuitableValueError, to_column, to_value, user_columns

log = logging.getLogger(__name__)

_SITE_LOCK = 0x6D656D73  # PostgreSQL advisory lock: two batches must not create the same member
_SUMMARY_PAGE = 500
_CONSTRAINT = "The site's database rejected the member: a unique value is taken, or a required one is missing."
_BAD_VALUE = "The site's database rejected the member's data: a value is too long or has the wrong type."


class LocalSite:
    """See `sites.contract.Site`. Reads and writes the tags of one connection."""

    sends_welcome = False
    no_welcome = ""
    has_signals = True
    is_remote = False

    def __init__(self, connection_id: int) -> None:
        self.connection_id = connection_id
        self.model = get_user_model()
        self.username_field: str = self.model.USERNAME_FIELD
        self.email_field: str = self.model.get_email_field_name()
        max_length = getattr(self.model._meta.get_field(self.username_field), "max_length", None)
        # If the e-mail address is the username, a username may be anything that an e-mail address may be.
        allowed = r"\S" if self.username_field == self.email_field else r"\w.@+-"
        self.username_rules = UsernameRules(max_length or 150, allowed)
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
        return SiteCheck((passed("database", "Members are users in this database."),))

    def normalize(self, value: Value) -> Value:
        return value

    def find(self, query: MemberQuery) -> FoundMembers:
        """Without `contacts`: links are rows of ours. All fields are returned, requested or not."""
        keys = [int(pk) if str(pk).isdigit() else pk for pk in query.member_ids]
        users = {str(user.pk): user for user in self.model._default_manager.filter(pk__in=keys)} if keys else {}
        by_email: dict[str, list[str]] = defaultdict(list)
        for user in self._with_emails(query.emails) if query.emails else ():
            users[str(user.pk)] = user
            by_email[user.memberhook_email].append(str(user.pk))
        return FoundMembers(
            self._members(users),
            {email: tuple(ids) for email, ids in by_email.items()},
            taken_usernames=self._taken(query.usernames) if query.usernames else frozenset(),
        )

    def members(self, emails: Collection[str] = (), fields: Collection[str] = ()) -> Iterator[MemberSummary]:
        users = self._with_emails(emails) if emails else self.model._default_manager.order_by("pk")
        rows = users.iterator(chunk_size=_SUMMARY_PAGE)
        while page := list(islice(rows, _SUMMARY_PAGE)):
            profiles = read_profiles([user.pk for user in page], group_roles())
            yield from (self._summary(user, profiles[user.pk]) for user in page)

    def _with_emails(self, emails: Collection[str]) -> Any:
        lowered = {email.lower() for email in emails}
        users = self.model._default_manager.annotate(memberhook_email=Lower(self.email_field))
        return users.filter(memberhook_email__in=lowered).order_by("pk")

    def _members(self, users: Mapping[str, Any]) -> dict[str, Member]:
        roles = group_roles() if users else ()
        privileged = {entry.role.slug for entry in roles if entry.role.privileged}
        profiles = read_profiles([user.pk for user in users.values()], roles)
        members = {}
        for pk, user in users.items():
            profile = profiles[user.pk]
            tags = [tag for tag in profile.tags if tag.connection_id == self.connection_id]
            members[pk] = Member(
                id=pk,
                username=user.get_username(),
                email=getattr(user, self.email_field) or "",
                roles=profile.roles,
                fields={name: to_value(getattr(user, name)) for name in self.columns} | profile.fields,
                tags=tuple(Tag(tag.crm_id, tag.slug, tag.title) for tag in tags),
                protected=_is_staff(user) or bool(profile.roles & privileged),
            )
        return members

    def _summary(self, user: Any, profile: Profile) -> MemberSummary:
        first, last = getattr(user, "first_name", ""), getattr(user, "last_name", "")
        display = profile.fields.pop("display_name", None) or f"{first} {last}".strip() or user.get_username()
        tags: dict[str, list[str]] = defaultdict(list)
        for tag in profile.tags:
            tags[tag.connection.name].append(tag.slug)
        return MemberSummary(
            id=str(user.pk),
            username=user.get_username(),
            email=getattr(user, self.email_field),
            first_name=first,
            last_name=last,
            display_name=str(display),
            roles=tuple(sorted(profile.roles)),
            tags={name: tuple(slugs) for name, slugs in tags.items()},
            fields=profile.fields,
        )

    def _taken(self, usernames: Collection[str]) -> frozenset[str]:
        lowered = {username.lower() for username in usernames}
        users = self.model._default_manager.annotate(memberhook_username=Lower(self.username_field))
        taken = users.filter(memberhook_username__in=lowered)
        return frozenset(taken.values_list("memberhook_username", flat=True))

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        upsert_tags(self.connection_id, tags)

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        try:
            return self._apply(plans, bulk=True)
        except (DataError, IntegrityError):  # find out which member caused it, and apply the others
            return self._apply(plans, bulk=False)

    def _apply(self, plans: Sequence[Plan], *, bulk: bool) -> list[Applied]:
        with transaction.atomic():
            writer = ProfileWriter(upsert_tags(self.connection_id, _tags_of(plans)), self.columns, bulk=bulk)
            applied = [self._apply_one(plan, writer) for plan in plans]
            writer.flush()
            return applied

    def _apply_one(self, plan: Plan, writer: ProfileWriter) -> Applied:
        try:
            with transaction.atomic():
                if plan.member is None:
                    return self._create(plan, writer)
                return self._change(plan.member, plan.changes, writer)
        except IntegrityError:
            if self._has_conflict(plan):
                return Applied(status=ApplyStatus.CONFLICT)
            return Applied(status=ApplyStatus.REJECTED, message=_CONSTRAINT)
        except (DataError, ValidationError, ValueError) as error:
            log.warning("The local site rejected a member: %s", type(error).__name__)
            return Applied(status=ApplyStatus.REJECTED, message=_BAD_VALUE)

    def _has_conflict(self, plan: Plan) -> bool:
        """Whether somebody has taken the username or the e-mail address meanwhile, or the member is gone."""
        email = (plan.changes.email or "").lower()
        found = self.find(
            MemberQuery(
                member_ids=[plan.member.id] if plan.member else (),
                emails=[email] if email else (),
                usernames=[plan.username or ""],
            )
        )
        if plan.member is None:
            return bool(found.emails.get(email) or found.taken_usernames)
        return plan.member.id not in found.members or any(pk != plan.member.id for pk in found.emails.get(email, ()))

    def _create(self, plan: Plan, writer: ProfileWriter) -> Applied:
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

    def _change(self, member: Member, changes: Changes, writer: ProfileWriter) -> Applied:
        user = self.model._default_manager.select_for_update().filter(pk=member.id).first()
        if user is None or (_is_staff(user) and not member.protected):
            return Applied(status=ApplyStatus.CONFLICT)
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
        """Set the fields that the user model has columns for. Returns those that changed, and warnings."""
        changed, warnings = [], []
        for name in self.columns.keys() & changes.fields.keys():
            try:
                value = to_column(self.columns[name], changes.fields[name])
            except UnsuitableValueError:
                warnings.append(f"The site's field {name} does not accept the contact's value, so it stays unchanged.")
                continue
            if getattr(user, name) != value:
                setattr(user, name, value)
                changed.append(name)
        return sorted(changed), tuple(sorted(warnings))

    def _changed(self, changes: Changes, columns: Collection[str]) -> tuple[str, ...]:
        """The names of the changes, without columns that keep their value."""
        return tuple(name for name in changes.names() if name not in self.columns or name in columns)


def _tags_of(plans: Iterable[Plan]) -> list[Tag]:
    return [tag for plan in plans for tag in (*plan.changes.tags_removed, *plan.changes.tags_applied)]


def first_hash(password: str, *, generated: bool) -> str:
    """Hash a new member's password.

    A generated password has 120 random bits or more, so a slow hash adds nothing: one round is enough. Django hashes it
    again at full cost at the first log-in, because its hasher sees too few rounds.
    """
    hasher = get_hasher()
    if generated and isinstance(hasher, PBKDF2PasswordHasher):
        return hasher.encode(password, hasher.salt(), iterations=1)
    return make_password(password)


def _is_staff(user: Any) -> bool:
    return bool(getattr(user, "is_staff", False) or getattr(user, "is_superuser", False))
