"""A WordPress with the connector plugin, which finds and changes many members in one call.

The connector responds for every member. If PHP itself dies, the batch is halved until the member that causes it is
found; that one alone is tried again later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from memberhook.core.error_codes import POSSIBLY_ONE_RECORD, ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import read_json
from memberhook.core.types import Applied, ApplyStatus, Member, Plan, Role, Tag, Value, value_from_json
from memberhook.sites.contract import FoundMembers, MemberQuery, MemberSummary, SiteCheck, SiteContext
from memberhook.sites.wordpress.rest.rest_client import RestClient
from memberhook.sites.wordpress.rest.rest_errors import Product, response_error, rest_code
from memberhook.sites.wordpress.site_check import check
from memberhook.sites.wordpress.site_data import SiteCapabilities, roles_from_json
from memberhook.sites.wordpress.values import USERNAME_RULES, normalize, to_json

NAMESPACE = "/memberhook/v1"
BATCH_SIZE = 100
"""Plans in one call: enough to make WordPress's start-up negligible, few enough for the response to come in time."""

CONNECTOR = Product(
    "The Memberhook connector",
    "WordPress at {site} accepts the user, but the user may not manage members (403). In WordPress, create a user for "
    "Memberhook under Settings > Memberhook, and run the command that is shown there.",
)
_BATCH_FAILURES = POSSIBLY_ONE_RECORD | {ErrorCode.UNREACHABLE, ErrorCode.TIMEOUT}
"""What one member can cause for a whole batch: PHP dies over it."""


class ConnectorSite:
    """See `sites.contract.Site`. Options: `full_cost_hash`, `wp_fusion` (see `site_data`)."""

    username_rules = USERNAME_RULES
    sends_welcome = True
    no_welcome = ""
    has_signals = False
    is_remote = True

    def __init__(self, context: SiteContext, rest: RestClient) -> None:
        self._context = context
        self._rest = rest
        self._roles = SiteCapabilities.of(context.capabilities).roles
        self._wp_fusion = str(context.options.get("wp_fusion", ""))
        self._known_tags: dict[str, Tag] = {}  # by id, with the names that the site has for them
        self._new_tags: dict[str, Tag] = {}  # to be sent with the next call

    def atomic(self) -> AbstractContextManager[None]:
        return nullcontext()

    def check(self) -> SiteCheck:
        return check(self._rest)

    def roles(self) -> tuple[Role, ...]:
        return self._roles

    def normalize(self, value: Value) -> Value:
        return normalize(value)

    def find(self, query: MemberQuery) -> FoundMembers:
        answer = self._call(
            "POST",
            "/members/find",
            json={
                "connection": self._context.connection or "none",
                "ids": list(query.member_ids),
                "contacts": list(query.contact_ids),
                "emails": [email.lower() for email in query.emails],
                "logins": list(query.usernames),
                "fields": list(query.fields),
                "wp_fusion": self._wp_fusion,
            },
        )
        with self._reading():
            self._roles = roles_from_json(answer["roles"])
            members = {entry["id"]: _member(entry) for entry in answer["members"]}
            self._known_tags |= {tag.id: tag for member in members.values() for tag in member.tags}
            return FoundMembers(
                members=members,
                emails={email: tuple(ids) for email, ids in dict(answer["emails"]).items()},
                contacts=dict(answer["contacts"]),
                taken_usernames=frozenset(answer["taken"]),
            )

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        self._new_tags |= {tag.id: tag for tag in tags if self._known_tags.get(tag.id) != tag}
        if any(
            tag_id in self._known_tags for tag_id in self._new_tags
        ):  # renamed, so send it even if no member changes
            self._send([])

    def apply(self, plans: Sequence[Plan]) -> list[Applied]:
        """In batches. Plans for which one call had no time left go into the next."""
        applied: list[Applied] = []
        while len(applied) < len(plans):
            applied += self._apply_batch(plans[len(applied) : len(applied) + BATCH_SIZE])
        return applied

    def _apply_batch(self, plans: Sequence[Plan]) -> list[Applied]:
        """Results for the first of the plans, at least one."""
        try:
            return self._send(plans)
        except TransientError as error:
            if error.code not in _BATCH_FAILURES or len(plans) == 1:
                raise
            return self._apply_halves(plans, error)

    def _apply_halves(self, plans: Sequence[Plan], error: TransientError) -> list[Applied]:
        """Isolate the members that make PHP die. Raises `error` if both halves fail: then the site is down."""
        middle = len(plans) // 2
        halves = (plans[:middle], plans[middle:])
        results = [self._send_all_or_error(half) for half in halves]
        if all(isinstance(result, TransientError) for result in results):
            raise error
        applied: list[Applied] = []
        for half, result in zip(halves, results, strict=True):
            if not isinstance(result, TransientError):
                applied += result
            elif len(half) == 1:
                message = f"WordPress crashed while processing this member: {result.message}"
                applied.append(Applied(status=ApplyStatus.TRY_LATER, message=message))
            else:
                applied += self._apply_halves(half, result)
        return applied

    def _send_all_or_error(self, plans: Sequence[Plan]) -> list[Applied] | TransientError:
        applied: list[Applied] = []
        try:
            while len(applied) < len(plans):
                applied += self._send(plans[len(applied) :])
        except TransientError as error:
            return error
        return applied

    def _send(self, plans: Sequence[Plan]) -> list[Applied]:
        """One call. Returns fewer results than plans if its time was up."""
        answer = self._call(
            "POST",
            "/members/apply",
            json={
                "connection": self._context.connection,
                "plans": [_plan(plan) for plan in plans],
                "tags": [_tag(tag) for tag in self._new_tags.values()],
                "wp_fusion": self._wp_fusion,
                "full_cost_hash": bool(self._context.options.get("full_cost_hash")),
            },
        )
        self._known_tags, self._new_tags = self._known_tags | self._new_tags, {}
        with self._reading():
            entries = [entry for entry in answer["applied"] if not entry.get("postponed")]
            if len(answer["applied"]) != len(plans) or (plans and not entries):
                raise ValueError("not a result for every plan")
            return [_applied(entry) for entry in entries]

    def members(self, emails: Collection[str] = (), fields: Collection[str] = ()) -> Iterator[MemberSummary]:
        requested = [("fields[]", name) for name in sorted(fields)]
        if emails:
            yield from self._summaries([*(("emails[]", email.lower()) for email in emails), *requested])
            return
        after = "0"
        while page := self._summaries([("after", after), *requested]):
            yield from page
            after = page[-1].id

    def _summaries(self, params: Sequence[tuple[str, str]]) -> list[MemberSummary]:
        answer = self._call("GET", "/members", params=params)
        with self._reading():
            return [_summary(entry) for entry in answer["members"]]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn an answer in an unknown format into `TransientError`."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = (
                f"The connector at {self._rest.site} responds in a format that this Memberhook does not know. Update "
                f"it: memberhook wordpress plugin, then memberhook site check {self._context.name}"
            )
            raise TransientError(message, code=ErrorCode.BAD_ANSWER) from error

    def _call(self, method: str, route: str, *, params: Sequence[tuple[str, str]] = (), json: object = None) -> Any:
        """The response's JSON. Raises `TransientError`, also for what the owner has to repair first."""
        try:
            response = self._rest.request(method, NAMESPACE + route, params=params, json=json)
            if response.status == 404 and rest_code(response) == "rest_no_route":
                message = (
                    f"WordPress responds at {self._rest.site}, but the connector is not active. Activate it there, or "
                    f"do without it: memberhook site check {self._context.name}"
                )
                raise TransientError(message, code=ErrorCode.PLUGIN_INACTIVE)
            error = response_error(response, self._rest.site, CONNECTOR)
            if error is not None:
                raise error
        except PermanentError as error:
            raise TransientError(error.message, code=error.code) from error
        return read_json(response, self._rest.site)


# From and to the connector's JSON


def _summary(entry: Mapping[str, Any]) -> MemberSummary:
    tags: dict[str, list[str]] = {}
    for tag in entry["held"]:
        tags.setdefault(tag["connection"], []).append(tag["slug"])
    fields = {name: value_from_json(value) for name, value in dict(entry["fields"]).items()}
    first, last, display = (str(fields.pop(name, "")) for name in ("first_name", "last_name", "display_name"))
    return MemberSummary(
        id=entry["id"],
        username=entry["login"],
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
        username=entry["login"],
        email=entry["email"],
        roles=frozenset(entry["roles"]),
        fields={name: value_from_json(value) for name, value in dict(entry["fields"]).items()},
        tags=tuple(Tag(tag["id"], tag["slug"], tag["title"]) for tag in entry["tags"]),
        protected=entry["protected"],
        network_user=entry["network_user"],
        idempotency_key=entry["idempotency_key"] or None,
        needs_repair=entry["needs_repair"],
    )


def _plan(plan: Plan) -> dict[str, object]:
    changes = plan.changes
    return {
        "key": plan.idempotency_key,
        "contact": plan.contact.id or "",
        "member": plan.member.id if plan.member else None,
        "login": plan.username,
        "email": changes.email,
        "password": changes.password,
        "generated": plan.generate_password,
        "role": changes.role,
        "roles_added": list(changes.roles_added),
        "roles_removed": list(changes.roles_removed),
        "fields": {name: to_json(value) for name, value in changes.fields.items()},
        "tags_applied": [_tag(tag) for tag in changes.tags_applied],
        "tags_removed": [_tag(tag) for tag in changes.tags_removed],
        "welcome": plan.welcome,
        "is_retry": plan.is_retry,
    }


def _tag(tag: Tag) -> dict[str, str]:
    return {"id": tag.id, "slug": tag.slug, "title": tag.title}


def _applied(entry: Mapping[str, Any]) -> Applied:
    if "id" in entry:
        return Applied(
            member_id=entry["id"],
            username=entry["login"],
            email=entry["email"],
            created=entry["created"],
            changes=tuple(entry["changes"]),
            warnings=tuple(entry["warnings"]),
        )
    if entry.get("stale"):
        return Applied(status=ApplyStatus.CONFLICT)
    if "error" in entry:
        return Applied(status=ApplyStatus.REJECTED, message=entry["error"])
    return Applied(status=ApplyStatus.TRY_LATER, message=entry["later"])
