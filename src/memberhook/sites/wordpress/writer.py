"""Applies plans to a WordPress over core's REST API.

What WordPress cannot store goes into the overflow store once WordPress has accepted the rest. If Memberhook dies in
between, the next plan finds it missing and writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from memberhook.core.errors import TransientError
from memberhook.core.types import Applied, ApplyStatus, Changes, Plan, Value
from memberhook.sites.contract import Overflow, OverflowStore
from memberhook.sites.wordpress.users_api import PREFERENCES, REST_NAMES, User, UsersApi, Write, idempotency_meta
from memberhook.sites.wordpress.values import normalize, to_json
from memberhook.sites.wordpress.write_results import WriteOutcome, WriteResult, interpret, site_field, without

_ATTEMPTS = 4
"""How often one member is sent, each time without the fields that WordPress has rejected."""
_CONFLICT = Applied(status=ApplyStatus.CONFLICT)


@dataclass(slots=True)
class _Job:
    """A plan being applied. `before`: the user as just read; `after`: as written; `body`: what is still to be sent.

    `rejected`: the site's fields that WordPress does not accept. `applied`: the result, once it is known.
    """

    plan: Plan
    changes: Changes
    before: User | None
    body: dict[str, object] = field(repr=False)
    after: User | None = None
    rejected: set[str] = field(default_factory=set)
    applied: Applied | None = None


class UserWriter:
    """`meta_types`: registered meta key → its JSON type. `stores_key`: WordPress can store idempotency keys.

    `taken`: usernames (in lower case) that WordPress has rejected though no visible user has them.
    """

    def __init__(
        self, users: UsersApi, overflow_store: OverflowStore, meta_types: Mapping[str, str], *, stores_key: bool
    ) -> None:
        self._users = users
        self._overflow_store = overflow_store
        self._meta_types = meta_types
        self._stores_key = stores_key
        self._site = users.rest.site
        self.taken: set[str] = set()

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        users = self._users.by_ids({plan.member.id for plan in plans if plan.member})
        jobs = [self._job(plan, users) for plan in plans]
        self._send([job for job in jobs if not job.applied])
        self._finish([job for job in jobs if not job.applied])
        return [job.applied or _CONFLICT for job in jobs]

    def _job(self, plan: Plan, users: Mapping[str, User]) -> _Job:
        member, changes = plan.member, plan.changes
        before = users.get(member.id) if member else None
        if member and (before is None or (before.protected and not member.protected)):
            return _Job(plan, changes, before, {}, applied=_CONFLICT)
        if before and before.protected:  # again, as the plan has done already
            changes = replace(changes, email=None, role=None, roles_added=(), roles_removed=(), password=None)
        return _Job(plan, changes, before, self._body(plan, changes, before), after=before)

    def _body(self, plan: Plan, changes: Changes, before: User | None) -> dict[str, object]:
        body: dict[str, object] = {"username": plan.username} if before is None else {}
        if changes.email is not None:
            body["email"] = changes.email
        if changes.password is not None:
            body["password"] = changes.password
        held = before.roles if before else ()
        roles = _roles(changes, held)
        if set(roles) != set(held):
            body["roles"] = roles
        body |= {REST_NAMES[name]: to_json(value) or "" for name, value in changes.fields.items() if name in REST_NAMES}
        meta = {
            name: self._meta_value(name, value) for name, value in changes.fields.items() if name in self._meta_types
        }
        if before is None and plan.idempotency_key and self._stores_key:
            meta |= idempotency_meta(plan.idempotency_key)
        return {**body, **({"meta": meta} if meta else {})}

    def _meta_value(self, name: str, value: Value) -> object:
        as_json = to_json(value)
        return [as_json] if self._meta_types[name] == "array" and isinstance(as_json, str) else as_json

    def _send(self, jobs: Sequence[_Job]) -> None:
        """Send the requests. Raises `TransientError` if WordPress responds to none of it."""
        pending = [job for job in jobs if job.body]
        any_response = False
        for _ in range(_ATTEMPTS):
            if not pending:
                return
            writes = [Write(job.body, job.after.id if job.after else "") for job in pending]
            resend: list[_Job] = []
            for job, response in zip(pending, self._users.write(writes), strict=True):
                if isinstance(response.result, TransientError):
                    if not any_response:
                        raise response.result
                    job.applied = _try_later(response.result.message)
                    continue
                any_response = True
                result = interpret(response.result, self._site)
                if result.outcome is WriteOutcome.WRITTEN:
                    job.after = self._users.user(response.result)
                elif self._handle(job, result, is_resend=response.is_resend):
                    resend.append(job)
            pending = resend
        for job in pending:
            job.applied = _rejected(f"WordPress at {self._site} accepts none of the member's fields.")

    def _handle(self, job: _Job, result: WriteResult, *, is_resend: bool) -> bool:
        """Record what was not written. Returns whether to send the rest again."""
        creates = job.before is None
        if result.outcome is WriteOutcome.FIELDS_REJECTED:
            required = result.fields & ({"email", "password", "roles"} if creates else {"roles"})
            if required:
                names = ", ".join(sorted(map(site_field, required)))
                job.applied = _rejected(f"WordPress at {self._site} does not accept the contact's {names}.")
                return False
            job.rejected |= _site_fields(result.fields, job.body)
            job.body = without(job.body, result.fields)
            return bool(job.body)
        if result.outcome is WriteOutcome.META_REJECTED:
            job.rejected |= _site_fields(result.fields, job.body)
            job.after = self._read_again(job)
            job.body = without({"meta": job.body.get("meta")}, result.fields) if job.after else {}
            return bool(job.body)
        if result.outcome is WriteOutcome.REJECTED:
            job.applied = _rejected(result.message)
        elif result.outcome is WriteOutcome.FAILED:
            job.applied = _try_later(result.message)
        elif creates and is_resend and (created := self._read_again(job)):
            job.after = created  # by the batch that failed
        elif result.outcome is WriteOutcome.EMAIL_REJECTED and not self._others_with_email(job):
            job.applied = _rejected(
                f"WordPress at {self._site} rejects the e-mail address: it is invalid, or belongs to an account that "
                "Memberhook's user cannot see. Look for the account there."
            )
        elif result.outcome is WriteOutcome.USERNAME_REJECTED and not creates:
            job.applied = _rejected(f"WordPress at {self._site} does not change accounts with such a username.")
        else:
            if result.outcome is WriteOutcome.USERNAME_REJECTED:
                self.taken.add((job.plan.username or "").lower())
            job.applied = _CONFLICT
        return False

    def _others_with_email(self, job: _Job) -> list[User]:
        email = (job.changes.email or "").lower()
        return [user for user in self._users.by_emails([email])[email] if user != job.before] if email else []

    def _read_again(self, job: _Job) -> User | None:
        """The user as it is now; a new one by username and e-mail address."""
        if job.before:
            return self._users.by_ids([job.before.id]).get(job.before.id)
        username = (job.plan.username or "").lower()
        return next((user for user in self._others_with_email(job) if user.username.lower() == username), None)

    def _finish(self, jobs: Sequence[_Job]) -> None:
        """Store the overflow, and set the results."""
        stored = dict(self._overflow_store.read([job.after.id for job in jobs if job.after]))
        changed: dict[str, Overflow] = {}
        for job in jobs:
            if job.after is None:
                continue  # deleted meanwhile: a conflict
            before = stored.get(job.after.id, Overflow())
            after = self._overflow(job.changes, before)
            if after != before:
                stored[job.after.id] = changed[job.after.id] = after
            job.applied = self._applied(job, job.after, before, after)
        if changed:
            self._overflow_store.write(changed)

    def _overflow(self, changes: Changes, before: Overflow) -> Overflow:
        replaced = {tag.id for tag in (*changes.tags_removed, *changes.tags_applied)}
        tags = (*(tag for tag in before.tags if tag.id not in replaced), *changes.tags_applied)
        new = {name: normalize(value) for name, value in changes.fields.items() if self._is_overflow(name)}
        fields = {**before.fields, **new}
        return Overflow(tags, {name: value for name, value in fields.items() if value is not None})

    def _is_overflow(self, name: str) -> bool:
        return name not in REST_NAMES and name not in self._meta_types

    def _applied(self, job: _Job, user: User, overflow_before: Overflow, overflow: Overflow) -> Applied:
        before, after = _state(job.before, overflow_before), _state(user, overflow)
        names = (*job.changes.fields, "user_email", "role", "tags")
        same = {name for name in names if before.get(name) == after.get(name)}
        generated = {"user_pass"} if job.plan.generate_password else set()
        changed = tuple(name for name in job.changes.names() if name not in same | generated | job.rejected)
        return Applied(
            member_id=user.id,
            username=user.username,
            email=user.email,
            created=_is_created(job),
            changes=changed,
            warnings=tuple(self._warnings(job, changed)),
        )

    def _warnings(self, job: _Job, changed: Collection[str]) -> Iterator[str]:
        if job.rejected:
            names = ", ".join(sorted(job.rejected))
            yield f"WordPress does not accept the contact's value of {names}, so it stays unchanged there."
        overflow = [
            name for name in changed if name == "tags" or (name in job.changes.fields and self._is_overflow(name))
        ]
        if overflow:
            names = ", ".join(overflow)
            yield f"Stored in Memberhook only, because WordPress accepts it only with the connector plugin: {names}."


def _rejected(message: str) -> Applied:
    return Applied(status=ApplyStatus.REJECTED, message=message)


def _try_later(message: str) -> Applied:
    return Applied(status=ApplyStatus.TRY_LATER, message=message)


def _is_created(job: _Job) -> bool:
    """Also if an earlier attempt at this plan created the user and then broke off."""
    return job.before is None or (job.plan.is_retry and job.before.idempotency_key == job.plan.idempotency_key)


def _roles(changes: Changes, held: Sequence[str]) -> list[str]:
    first = held if changes.role is None else (changes.role,)
    return [slug for slug in dict.fromkeys((*first, *changes.roles_added)) if slug not in changes.roles_removed]


def _site_fields(names: Collection[str], body: Mapping[str, object]) -> set[str]:
    """The site's fields of the names in a `WriteResult`."""
    meta = body.get("meta")
    all_meta = {f"meta.{name}" for name in meta} if "meta" in names and isinstance(meta, dict) else set()
    return {site_field(name) for name in {*names, *all_meta} - {"meta", f"meta.{PREFERENCES}"}}


def _state(user: User | None, overflow: Overflow) -> dict[str, object]:
    """What changes are recognized by, by the names of changes."""
    of_user = {"user_email": user.email, "role": frozenset(user.roles), **user.fields} if user else {}
    return {**overflow.fields, "tags": frozenset(tag.id for tag in overflow.tags), **of_user}
