"""Users of a WordPress as `/wp/v2/users` gives and takes them (context `edit`): reading many, writing many.

Its one decision: what is found is compared here. `search` looks for a part of the text, and `slug` is only made from
the login. Source: class-wp-rest-users-controller.php and serve_batch_request_v1() of class-wp-rest-server.php.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import Response, read_json
from memberhook.core.json_access import JsonCursor, object_at, reading
from memberhook.core.types import Value
from memberhook.sites.wordpress.capabilities import has_privileges
from memberhook.sites.wordpress.rest_client import Params, Rest
from memberhook.sites.wordpress.rest_errors import problem
from memberhook.sites.wordpress.values import normalize

Item = TypeVar("Item")

ROUTE = "/wp/v2/users"
PAGE = 100
"""The most that one call may ask for."""
BATCH = 10
"""Writes in one call of `batch/v1`: few enough for a slow host to answer in time. It takes 25 (`get_max_batch_size`),
and users since WordPress 6.6 (`allow_batch`)."""
PREFERENCES = "persisted_preferences"
"""Registered meta since WordPress 6.1: a user's preferences, by the program that they are for. It is the one place that
a user of WordPress has for a note of ours."""
_OF_ALL = frozenset({"rate_limited", "wrong_password", "challenge_page"})
PARALLEL = 4
"""Searches at once, one for each e-mail."""
_SLUGS = 50  # in one address

NAMES = {
    "first_name": "first_name",
    "last_name": "last_name",
    "display_name": "name",
    "nickname": "nickname",
    "description": "description",
    "user_url": "url",
    "user_nicename": "slug",
    "locale": "locale",
}
"""A site's field → what the REST API calls it."""

_ASKED = [("_fields", ",".join(("id,username,email,roles,capabilities,extra_capabilities,meta", *NAMES.values())))]
_EDIT = [("context", "edit"), *_ASKED]


@dataclass(frozen=True, slots=True)
class User:
    """`fields`: by the site's names, registered meta included, as `stored`. `created_for`: see `Member`."""

    id: str
    username: str
    email: str
    roles: tuple[str, ...]
    privileged: bool
    idempotency_key: str | None
    fields: Mapping[str, Value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Write:
    """What to set of a user; without an id, a new one."""

    body: Mapping[str, object] = field(repr=False)
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What WordPress said of one write, or why it was not asked. `again`: it was sent before, in a call that broke."""

    said: Response | TransientError
    again: bool = False


class Users:
    """Raises `RetryLater` where the site as a whole does not answer. `batch`: many writes may go in one call."""

    def __init__(self, rest: Rest, *, batch: bool) -> None:
        self.rest = rest
        self._batch = batch

    def by_ids(self, ids: Collection[str]) -> dict[str, User]:
        chunks = _chunks(sorted(pk for pk in ids if pk.isascii() and pk.isdigit()), PAGE)
        users = [user for chunk in chunks for user in self._listing([("include", ",".join(chunk))])]
        return {user.id: user for user in users if user.id in ids}

    def by_emails(self, emails: Collection[str]) -> dict[str, list[User]]:
        """Those who have these e-mails (in lower case), by id."""

        def holders(email: str) -> list[User]:
            return [user for user in self._listing([("search", email)]) if user.email.lower() == email]

        wanted = sorted(emails)
        return dict(zip(wanted, in_parallel(holders, wanted), strict=True))

    def by_logins(self, usernames: Collection[str]) -> list[User]:
        """Those with these logins, as far as they are found by their slug: another login may have taken it first."""
        slugs = sorted({slug for username in usernames if (slug := _slug(username))})
        wanted = {username.lower() for username in usernames}
        users = [user for chunk in _chunks(slugs, _SLUGS) for user in self._listing([("slug", ",".join(chunk))])]
        return [user for user in users if user.username.lower() in wanted]

    def having_role(self, slug: str) -> list[User]:
        return [user for user in self._listing([("roles", slug)]) if slug in user.roles]

    def pages(self, order: str = "asc") -> Iterator[list[User]]:
        """All, page by page, by id."""
        page, pages = 0, 1
        while page < pages:
            page += 1
            params = [("orderby", "id"), ("order", order), ("per_page", str(PAGE)), ("page", str(page)), *_EDIT]
            response = self.call("GET", ROUTE, params)
            total = response.headers.get("X-WP-TotalPages", "1")
            pages = int(total) if total.isascii() and total.isdigit() else 1
            yield self._read(response)

    def write(self, writes: Sequence[Write]) -> list[Answer]:
        """An answer to each, in order. What breaks a call of many is sent once more on its own."""
        answers: list[Answer] = []
        for chunk in _chunks(writes, BATCH if self._batch else 1):
            broken = next((a.said for a in answers[-1:] if isinstance(a.said, TransientError)), None)
            if broken is not None:
                answers += [Answer(broken)] * len(chunk)
            elif len(chunk) > 1:
                answers += self._together(chunk)
            else:
                answers += self._one_by_one(chunk)
        return answers

    def user(self, response: Response) -> User:
        """The user of an answer to one write."""
        with reading(f"WordPress at {self.rest.site}"):
            return _user(JsonCursor(read_json(response, self.rest.site)))

    def call(self, method: str, route: str, params: Params = (), body: object = None) -> Response:
        """A good answer, else `RetryLater`."""
        response = self._answer(method, route, params, body)
        error = problem(response, self.rest.site)
        if error is not None:
            raise error
        return response

    def _together(self, writes: Sequence[Write]) -> list[Answer]:
        requests = [
            {"method": "POST", "path": f"{_route(w)}?{_ASKED[0][0]}={_ASKED[0][1]}", "body": w.body} for w in writes
        ]
        try:
            response = self.call("POST", "/batch/v1", body={"requests": requests})
            with reading(f"WordPress at {self.rest.site}"):
                rows = JsonCursor(read_json(response, self.rest.site)).member("responses").items()
                answers = [Answer(_response(row)) for row in rows]
            if len(answers) != len(writes):
                raise TransientError(f"WordPress at {self.rest.site} did not answer for each user.", code="bad_answer")
        except TransientError as error:
            if error.code not in {"server_error", "bad_answer", "refused"}:
                return [Answer(error)] * len(writes)
            return self._one_by_one(writes, again=True)
        return answers

    def _one_by_one(self, writes: Sequence[Write], *, again: bool = False) -> list[Answer]:
        answers: list[Answer] = []
        for write in writes:
            try:
                said = self._answer("POST", _route(write), _ASKED, write.body)
                if (error := problem(said, self.rest.site)) and error.code in _OF_ALL:
                    raise error
            except TransientError as error:
                return answers + [Answer(error)] * (len(writes) - len(answers))
            answers.append(Answer(said, again))
        return answers

    def _listing(self, asked: Params) -> list[User]:
        return self._read(self.call("GET", ROUTE, [*asked, ("per_page", str(PAGE)), *_EDIT]))

    def _read(self, response: Response) -> list[User]:
        with reading(f"WordPress at {self.rest.site}"):
            users = [_user(row) for row in JsonCursor(read_json(response, self.rest.site)).items()]
        return sorted(users, key=lambda user: int(user.id))

    def _answer(self, method: str, route: str, params: Params, body: object) -> Response:
        try:
            return self.rest.answer(method, route, params=params, json=body)
        except PermanentError as error:  # the owner can mend an address
            raise TransientError(error.message, code=error.code) from error


def in_parallel(call: Callable[[str], list[User]], items: Sequence[str]) -> list[list[User]]:
    """`call` of each item, in order."""
    if len(items) < 2:
        return [call(item) for item in items]
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(call, items))


def _route(write: Write) -> str:
    return f"{ROUTE}/{write.user_id}" if write.user_id else ROUTE


def _response(row: JsonCursor) -> Response:
    """One answer of a batch, as if it had been asked for alone."""
    body = json.dumps(row.member("body").value).encode()
    return Response(row.member("status").integer(), {}, body, "application/json")


def note(key: str) -> dict[str, object]:
    """Meta that say of a new user which `Plan.key` it was created for."""
    return {PREFERENCES: {"memberhook": {"created_for": key}}}


def _user(row: JsonCursor) -> User:
    idempotency_key = object_at(row.value, "meta", PREFERENCES, "memberhook").get("created_for")
    fields = {name: row.member(rest).text_or_empty() for name, rest in NAMES.items()}
    return User(
        id=row.member("id").identifier(),
        username=row.member("username").text(),
        email=row.member("email").text_or_empty(),
        roles=tuple(role.text() for role in row.member("roles").items()),
        privileged=any(has_privileges(_map(row.member(name))) for name in ("capabilities", "extra_capabilities")),
        idempotency_key=idempotency_key if isinstance(idempotency_key, str) else None,
        fields={**_meta(row.member("meta")), **fields},
    )


def _meta(row: JsonCursor) -> Mapping[str, Value]:
    found: dict[str, Value] = {}
    for name, value in _map(row).items():
        if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
            found[name] = normalize(tuple(value))
        elif value is None or isinstance(value, str | int | float):
            found[name] = normalize(value)
    return found


def _map(row: JsonCursor) -> Mapping[str, object]:
    """PHP writes an empty map as an empty list."""
    return {} if row.value in (None, []) else row.object()


def _slug(username: str) -> str:
    """sanitize_title() of a login that WordPress takes; wp_insert_user() makes the slug so."""
    text = re.sub(r"[^a-z0-9_ -]", "", username[:50].lower().replace(".", "-"))
    return re.sub(r"-+", "-", re.sub(r"\s+", "-", text)).strip("-")


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
