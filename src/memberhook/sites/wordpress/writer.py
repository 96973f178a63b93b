"""Applies plans to a WordPress over its own REST API.

Its one decision: what WordPress does not keep is kept by Memberhook after WordPress has taken the rest. Should we die
in between, it is missing at the next find, and so planned once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from memberhook.core.errors import TransientError
from memberhook.core.types import Applied, Changes, Plan, Value
from memberhook.sites.contract import Overflow, OverflowStore
from memberhook.sites.wordpress.users import NAMES, PREFERENCES, User, Users, Write, note
from memberhook.sites.wordpress.values import normalize, sent
from memberhook.sites.wordpress.write_results import Meaning, Verdict, site_field, verdict, without

_TRIES = 4
"""How often one member is sent without what WordPress has not taken before."""


@dataclass(slots=True)
class _Work:
    """A plan on its way: the user as it was read a moment ago, what is to be sent, what has come of it.

    `refused`: the site's names of what WordPress does not take.
    """

    plan: Plan
    changes: Changes
    before: User | None
    body: dict[str, object] = field(repr=False)
    after: User | None = None
    refused: set[str] = field(default_factory=set)
    applied: Applied | None = None


class Writer:
    """`meta`: registered meta key → its JSON type. `notes`: WordPress keeps a note of what a user was created for.
    `taken`: logins (in lower case) that it has called taken or not allowed, though nobody whom we see has them."""

    def __init__(self, users: Users, overflow_store: OverflowStore, meta: Mapping[str, str], *, notes: bool) -> None:
        self._users = users
        self._overflow_store = overflow_store
        self._meta = meta
        self._notes = notes
        self._site = users.rest.site
        self.taken: set[str] = set()

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        users = self._users.by_ids({plan.member.id for plan in plans if plan.member})
        works = [self._work(plan, users) for plan in plans]
        self._send([work for work in works if not work.applied])
        self._keep([work for work in works if not work.applied])
        return [work.applied or Applied(stale=True) for work in works]

    def _work(self, plan: Plan, users: Mapping[str, User]) -> _Work:
        member, changes = plan.member, plan.changes
        before = users.get(member.id) if member else None
        if member and (before is None or (before.privileged and not member.protected)):
            return _Work(plan, changes, before, {}, applied=Applied(stale=True))
        if before and before.privileged:
            changes = replace(changes, email=None, role=None, roles_added=(), roles_removed=(), password=None)
        return _Work(plan, changes, before, self._body(plan, changes, before), after=before)

    def _body(self, plan: Plan, changes: Changes, before: User | None) -> dict[str, object]:
        body: dict[str, object] = {"username": plan.username} if before is None else {}
        if changes.email is not None:
            body["email"] = changes.email
        if changes.password is not None:
            body["password"] = changes.password
        held = before.roles if before else ()
        wanted = _roles(changes, held)
        if set(wanted) != set(held):
            body["roles"] = wanted
        body |= {NAMES[name]: sent(value) or "" for name, value in changes.fields.items() if name in NAMES}
        meta = {name: self._meta_value(name, value) for name, value in changes.fields.items() if name in self._meta}
        if before is None and plan.idempotency_key and self._notes:
            meta |= note(plan.idempotency_key)
        return {**body, **({"meta": meta} if meta else {})}

    def _meta_value(self, name: str, value: Value) -> object:
        as_sent = sent(value)
        return [as_sent] if self._meta[name] == "array" and isinstance(as_sent, str) else as_sent

    def _send(self, works: Sequence[_Work]) -> None:
        """Sends what there is to send; raises `RetryLater` where nothing has come through."""
        todo = [work for work in works if work.body]
        got_through = False
        for _ in range(_TRIES):
            if not todo:
                return
            writes = [Write(work.body, work.after.id if work.after else "") for work in todo]
            again: list[_Work] = []
            for work, answer in zip(todo, self._users.write(writes), strict=True):
                if isinstance(answer.said, TransientError):
                    if not got_through:
                        raise answer.said
                    work.applied = Applied(later=answer.said.message)
                    continue
                got_through = True
                found = verdict(answer.said, self._site)
                if found.meaning is Meaning.DONE:
                    work.after = self._users.user(answer.said)
                elif self._judge(work, found, repeated=answer.again):
                    again.append(work)
            todo = again
        for work in todo:
            work.applied = Applied(error=f"WordPress at {self._site} takes none of the member's fields.")

    def _judge(self, work: _Work, found: Verdict, *, repeated: bool) -> bool:
        """Takes note of what is not done; whether the rest is to be sent again."""
        creates = work.before is None
        if found.meaning is Meaning.NOTHING_DONE:
            needed = found.names & {"email", "password", "roles"} if creates else found.names & {"roles"}
            if needed:
                names = ", ".join(sorted(map(site_field, needed)))
                work.applied = Applied(error=f"WordPress at {self._site} does not take the contact's {names}.")
                return False
            work.refused |= _fields_of(found.names, work.body)
            work.body = without(work.body, found.names)
            return bool(work.body)
        if found.meaning is Meaning.PARTLY_DONE:
            work.refused |= _fields_of(found.names, work.body)
            work.after = self._read(work)
            work.body = without({"meta": work.body.get("meta")}, found.names) if work.after else {}
            return bool(work.body)
        if found.meaning is Meaning.REFUSED:
            work.applied = Applied(error=found.message)
        elif found.meaning is Meaning.BROKEN:
            work.applied = Applied(later=found.message)
        elif creates and repeated and (made := self._read(work)):
            work.after = made  # the call that broke had made it
        elif found.meaning is Meaning.EMAIL_TAKEN and not self._holders(work):
            work.applied = Applied(
                error=f"WordPress at {self._site} says that somebody has the e-mail, or that it is none; its user "
                "sees nobody who has it. Look for the account there."
            )
        elif found.meaning is Meaning.LOGIN_TAKEN and not creates:
            work.applied = Applied(error=f"WordPress at {self._site} changes no account with such a login.")
        else:
            if found.meaning is Meaning.LOGIN_TAKEN:
                self.taken.add((work.plan.username or "").lower())
            work.applied = Applied(stale=True)
        return False

    def _holders(self, work: _Work) -> list[User]:
        """Others who have the e-mail that the member is to get."""
        email = (work.changes.email or "").lower()
        return [user for user in self._users.by_emails([email])[email] if user != work.before] if email else []

    def _read(self, work: _Work) -> User | None:
        """The user as it is now; of a new one, who has both its login and its e-mail."""
        if work.before:
            return self._users.by_ids([work.before.id]).get(work.before.id)
        username = (work.plan.username or "").lower()
        return next((user for user in self._holders(work) if user.username.lower() == username), None)

    def _keep(self, works: Sequence[_Work]) -> None:
        """Keeps what WordPress does not, and says what became of each."""
        kept = dict(self._overflow_store.read([work.after.id for work in works if work.after]))
        fresh: dict[str, Overflow] = {}
        for work in works:
            if work.after is None:
                continue  # gone meanwhile: stale
            before = kept.get(work.after.id, Overflow())
            now = self._kept(work.changes, before)
            if now != before:
                kept[work.after.id] = fresh[work.after.id] = now
            work.applied = self._applied(work, work.after, before, now)
        if fresh:
            self._overflow_store.write(fresh)

    def _kept(self, changes: Changes, before: Overflow) -> Overflow:
        away = {tag.id for tag in (*changes.tags_removed, *changes.tags_applied)}
        tags = (*(tag for tag in before.tags if tag.id not in away), *changes.tags_applied)
        ours = {name: normalize(value) for name, value in changes.fields.items() if self._is_ours(name)}
        fields = {**before.fields, **ours}
        return Overflow(tags, {name: value for name, value in fields.items() if value is not None})

    def _is_ours(self, name: str) -> bool:
        return name not in NAMES and name not in self._meta

    def _applied(self, work: _Work, after: User, kept_before: Overflow, kept: Overflow) -> Applied:
        was, now = _state(work.before, kept_before), _state(after, kept)
        same = {name for name in (*work.changes.fields, "user_email", "role", "tags") if was.get(name) == now.get(name)}
        silent = {"user_pass"} if work.plan.generate_password else set()
        names = tuple(name for name in work.changes.names() if name not in same | silent | work.refused)
        return Applied(
            member_id=after.id,
            username=after.username,
            email=after.email,
            created=_is_creation(work),
            changes=names,
            warnings=tuple(self._warnings(work, names)),
        )

    def _warnings(self, work: _Work, changed: Collection[str]) -> Iterator[str]:
        if work.refused:
            names = ", ".join(sorted(work.refused))
            yield f"WordPress does not take the contact's value of {names}, so it stays as it is there."
        ours = [name for name in changed if name == "tags" or (name in work.changes.fields and self._is_ours(name))]
        if ours:
            names = ", ".join(ours)
            yield f"Kept by Memberhook alone, since WordPress takes it only with the connector plugin: {names}."


def _is_creation(work: _Work) -> bool:
    """Also where an attempt that broke off had made the user."""
    return work.before is None or (work.plan.is_retry and work.before.idempotency_key == work.plan.idempotency_key)


def _roles(changes: Changes, held: Sequence[str]) -> list[str]:
    first = held if changes.role is None else (changes.role,)
    return [slug for slug in dict.fromkeys((*first, *changes.roles_added)) if slug not in changes.roles_removed]


def _fields_of(names: Collection[str], body: Mapping[str, object]) -> set[str]:
    """The site's fields behind the names of a verdict."""
    meta = body.get("meta")
    inner = {f"meta.{name}" for name in meta} if "meta" in names and isinstance(meta, dict) else set()
    return {site_field(name) for name in {*names, *inner} - {"meta", f"meta.{PREFERENCES}"}}


def _state(user: User | None, kept: Overflow) -> dict[str, object]:
    """All that changes are told by, by their names."""
    own = {"user_email": user.email, "role": frozenset(user.roles), **user.fields} if user else {}
    return {**kept.fields, "tags": frozenset(tag.id for tag in kept.tags), **own}
