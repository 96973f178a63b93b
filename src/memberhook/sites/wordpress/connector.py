"""A WordPress with the connector plugin: finds and applies many members in one call each.

Its one decision: how a call that breaks down is told apart. The connector answers for each member; where PHP itself
dies, the batch is halved until the member is found over whom it does, and that one alone comes later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from memberhook.errors import GiveUp, RetryLater
from memberhook.members.types import Member, Plan, Role, Tag, Value
from memberhook.net import read_json
from memberhook.sites.base import Applied, Checked, Found, Listed, Place, Wanted
from memberhook.sites.wordpress.check import check
from memberhook.sites.wordpress.row import Facts, read_roles
from memberhook.sites.wordpress.values import LOGIN_RULES, sent, stored
from memberhook.wordpress.errors import Words, problem, rest_code
from memberhook.wordpress.rest import Rest

NAMESPACE = "/memberhook/v1"
AT_ONCE = 100
"""Plans in one call: enough that WordPress's start-up hardly counts, few enough for one answer to come in time."""

WORDS = Words(
    "The Memberhook connector",
    "The user is known at {site}, but may not manage members (403). In WordPress, make a user for Memberhook under "
    "Settings > Memberhook, and run the command that is shown there.",
)
_BREAKDOWNS = frozenset({"server_error", "unreachable", "timeout", "bad_answer"})


class ConnectorSite:
    """See `sites.base.Site`. `facts` of the place: `roles` as last seen; `options`: `full_cost_hash`, `wp_fusion`."""

    login_rules = LOGIN_RULES
    sends_welcome = True
    no_welcome = ""
    has_signals = False
    is_remote = True

    def __init__(self, place: Place, rest: Rest) -> None:
        self._place = place
        self._rest = rest
        self._roles = Facts.of(place.facts).roles
        self._wp_fusion = str(place.options.get("wp_fusion", ""))
        self._called: dict[str, Tag] = {}  # tags by id, as the site has called them
        self._news: dict[str, Tag] = {}  # tags that the next call takes along

    def atomic(self) -> AbstractContextManager[None]:
        return nullcontext()

    def check(self) -> Checked:
        return check(self._rest)

    def roles(self) -> tuple[Role, ...]:
        return self._roles

    def stored(self, value: Value) -> Value:
        return stored(value)

    def find(self, wanted: Wanted) -> Found:
        answer = self._call(
            "POST",
            "/members/find",
            json={
                "connection": self._place.connection or "none",
                "ids": list(wanted.member_ids),
                "contacts": list(wanted.contact_ids),
                "emails": [email.lower() for email in wanted.emails],
                "logins": list(wanted.logins),
                "fields": list(wanted.fields),
                "wp_fusion": self._wp_fusion,
            },
        )
        with self._reading():
            self._roles = read_roles(answer["roles"])
            members = {entry["id"]: _member(entry) for entry in answer["members"]}
            self._called |= {tag.id: tag for member in members.values() for tag in member.tags}
            return Found(
                members=members,
                emails={email: tuple(ids) for email, ids in dict(answer["emails"]).items()},
                contacts=dict(answer["contacts"]),
                taken=frozenset(answer["taken"]),
            )

    def remember(self, tags: Collection[Tag]) -> None:
        self._news |= {tag.id: tag for tag in tags if self._called.get(tag.id) != tag}
        if any(tag_id in self._called for tag_id in self._news):  # renamed, whether or not a member changes
            self._send([])

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        """In calls of `AT_ONCE`. What the time of one call did not suffice for goes into the next."""
        done: list[Applied] = []
        while len(done) < len(plans):
            done += self._apply(plans[len(done) : len(done) + AT_ONCE])
        return done

    def _apply(self, plans: Sequence[Plan]) -> list[Applied]:
        """What became of the first of the plans, of at least one."""
        try:
            return self._send(plans)
        except RetryLater as error:
            if error.code not in _BREAKDOWNS or len(plans) == 1:
                raise
            return self._halved(plans, error)

    def _halved(self, plans: Sequence[Plan], error: RetryLater) -> list[Applied]:
        """Finds those over whom PHP dies. Raises `error` where none of two halves gets through: the site is down."""
        middle = len(plans) // 2
        halves: list[list[Applied] | RetryLater] = []
        for half in (plans[:middle], plans[middle:]):
            try:
                halves.append(self._all(half))
            except RetryLater as broken:
                halves.append(broken)
        if all(isinstance(half, RetryLater) for half in halves):
            raise error
        done: list[Applied] = []
        for half, answer in zip((plans[:middle], plans[middle:]), halves, strict=True):
            if not isinstance(answer, RetryLater):
                done += answer
            elif len(half) == 1:
                done.append(Applied(later=f"WordPress broke down over this member: {answer.message}"))
            else:
                done += self._halved(half, answer)
        return done

    def _all(self, plans: Sequence[Plan]) -> list[Applied]:
        done: list[Applied] = []
        while len(done) < len(plans):
            done += self._send(plans[len(done) :])
        return done

    def _send(self, plans: Sequence[Plan]) -> list[Applied]:
        """One call. Fewer answers than plans where its time was up."""
        answer = self._call(
            "POST",
            "/members/apply",
            json={
                "connection": self._place.connection,
                "plans": [_plan(plan) for plan in plans],
                "tags": [_tag(tag) for tag in self._news.values()],
                "wp_fusion": self._wp_fusion,
                "full_cost_hash": bool(self._place.options.get("full_cost_hash")),
            },
        )
        self._called, self._news = self._called | self._news, {}
        with self._reading():
            entries = [entry for entry in answer["applied"] if not entry.get("postponed")]
            if len(answer["applied"]) != len(plans) or (plans and not entries):
                raise ValueError("not an answer for each member")
            return [_applied(entry) for entry in entries]

    def members(self, emails: Collection[str] = (), fields: Collection[str] = ()) -> Iterator[Listed]:
        if emails:
            params = [("emails[]", email.lower()) for email in emails]
            yield from self._page([*params, *_fields(fields)])
            return
        after = "0"
        while page := self._page([("after", after), *_fields(fields)]):
            yield from page
            after = page[-1].id

    def _page(self, params: Sequence[tuple[str, str]]) -> list[Listed]:
        answer = self._call("GET", "/members", params=params)
        with self._reading():
            return [_listed(entry) for entry in answer["members"]]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turns an answer of another shape into `RetryLater`."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = (
                f"The connector at {self._rest.site} answers in another way than this Memberhook knows. Bring it up to "
                f"date: memberhook wordpress plugin, then memberhook site check {self._place.name}"
            )
            raise RetryLater(message, code="bad_answer") from error

    def _call(self, method: str, route: str, *, params: Sequence[tuple[str, str]] = (), json: object = None) -> Any:
        """The answer's JSON. Raises `RetryLater`, also for what will only pass when the owner mends it."""
        try:
            response = self._rest.answer(method, NAMESPACE + route, params=params, json=json)
            if response.status == 404 and rest_code(response) == "rest_no_route":
                message = (
                    f"WordPress answers at {self._rest.site}, but the connector is not active. Activate it there, or "
                    f"do without it: memberhook site check {self._place.name}"
                )
                raise RetryLater(message, code="plugin_inactive")
            error = problem(response, self._rest.site, WORDS)
            if error is not None:
                raise error
        except GiveUp as error:
            raise RetryLater(error.message, code=error.code) from error
        return read_json(response, self._rest.site)


def _fields(fields: Collection[str]) -> list[tuple[str, str]]:
    return [("fields[]", name) for name in sorted(fields)]


def _listed(entry: Mapping[str, Any]) -> Listed:
    tags: dict[str, list[str]] = {}
    for tag in entry["held"]:
        tags.setdefault(tag["connection"], []).append(tag["slug"])
    fields = {name: _value(value) for name, value in dict(entry["fields"]).items()}
    first, last, display = (str(fields.pop(name, "")) for name in ("first_name", "last_name", "display_name"))
    return Listed(
        id=entry["id"],
        login=entry["login"],
        email=entry["email"],
        first_name=first,
        last_name=last,
        display_name=display,
        roles=tuple(sorted(entry["roles"])),
        tags={connection: tuple(slugs) for connection, slugs in tags.items()},
        fields=fields,
    )


def _member(entry: Mapping[str, Any]) -> Member:
    return Member(
        id=entry["id"],
        login=entry["login"],
        email=entry["email"],
        roles=frozenset(entry["roles"]),
        fields={name: _value(value) for name, value in dict(entry["fields"]).items()},
        tags=tuple(Tag(tag["id"], tag["slug"], tag["title"]) for tag in entry["tags"]),
        protected=entry["protected"],
        elsewhere=entry["network_user"],
        created_for=entry["idempotency_key"] or None,
        unsettled=entry["needs_repair"],
    )


def _value(value: str | list[str]) -> Value:
    return tuple(value) if isinstance(value, list) else value


def _plan(plan: Plan) -> dict[str, object]:
    changes = plan.changes
    return {
        "key": plan.key,
        "contact": plan.contact.id or "",
        "member": plan.member.id if plan.member else None,
        "login": plan.login,
        "email": changes.email,
        "password": changes.password,
        "generated": plan.generate_password,
        "role": changes.role,
        "roles_added": list(changes.roles_added),
        "roles_removed": list(changes.roles_removed),
        "fields": {name: sent(value) for name, value in changes.fields.items()},
        "tags_applied": [_tag(tag) for tag in changes.tags_applied],
        "tags_removed": [_tag(tag) for tag in changes.tags_removed],
        "welcome": plan.welcome,
        "resumes": plan.resumes,
    }


def _tag(tag: Tag) -> dict[str, str]:
    return {"id": tag.id, "slug": tag.slug, "title": tag.title}


def _applied(entry: Mapping[str, Any]) -> Applied:
    if "id" not in entry:
        return Applied(stale=bool(entry.get("stale")), error=entry.get("error"), later=entry.get("later"))
    return Applied(
        member_id=entry["id"],
        login=entry["login"],
        email=entry["email"],
        created=entry["created"],
        changes=tuple(entry["changes"]),
        warnings=tuple(entry["warnings"]),
    )
