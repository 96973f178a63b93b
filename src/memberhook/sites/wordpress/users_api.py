"""WordPress's REST API for users, `/wp/v2/users`: read many, write many.

Results are compared with what was asked for: `search` matches parts of a text, and `slug` is only derived from the user
name. Source: class-wp-rest-users-controller.php and serve_batch_request_v1() of class-wp-rest-server.php.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from memberhook.core.error_codes import POSSIBLY_ONE_RECORD, ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import Response, read_json
from memberhook.core.json_access import JsonCursor, object_at, reading
from memberhook.core.types import Value
from memberhook.sites.wordpress.rest.rest_client import Params, RestClient
from memberhook.sites.wordpress.rest.rest_errors import response_error
from memberhook.sites.wordpress.user_capabilities import has_privileges
from memberhook.sites.wordpress.values import normalize

Item = TypeVar("Item")

ROUTE = "/wp/v2/users"
PAGE_SIZE = 100
"""The most that the API returns at once."""
BATCH_SIZE = 10
"""Writes in one call of `batch/v1`: few enough for a slow host to respond in time. The API allows 25
(`get_max_batch_size`), and users since WordPress 6.6 (`allow_batch`)."""
PREFERENCES = "persisted_preferences"
"""User meta registered since WordPress 6.1: a user's preferences, by program. Only there can a REST client store data
of its own with a user."""
PARALLEL_SEARCHES = 4
_SLUGS_PER_CALL = 50  # in one URL
_ERRORS_OF_SITE = frozenset({ErrorCode.RATE_LIMITED, ErrorCode.WRONG_PASSWORD, ErrorCode.CHALLENGE_PAGE})
_RETRY_ONE_BY_ONE = POSSIBLY_ONE_RECORD | {ErrorCode.REQUEST_REFUSED}

REST_NAMES = {
    "first_name": "first_name",
    "last_name": "last_name",
    "display_name": "name",
    "nickname": "nickname",
    "description": "description",
    "user_url": "url",
    "user_nicename": "slug",
    "locale": "locale",
}
"""A site's field → its name in the REST API."""

_FIELDS = ",".join(("id,username,email,roles,capabilities,extra_capabilities,meta", *REST_NAMES.values()))
_EDIT = [("context", "edit"), ("_fields", _FIELDS)]


@dataclass(frozen=True, slots=True)
class User:
    """`fields`: by the site's names, registered meta included, normalized. `idempotency_key`: see `Member`."""

    id: str
    username: str
    email: str
    roles: tuple[str, ...]
    protected: bool
    idempotency_key: str | None
    fields: Mapping[str, Value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Write:
    """What to write to a user; without an id, a user to create."""

    body: Mapping[str, object] = field(repr=False)
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class WriteResponse:
    """The response to one write, or why it was not sent. `is_resend`: it was also part of a batch that failed."""

    result: Response | TransientError
    is_resend: bool = False


class UsersApi:
    """Raises `TransientError` where the site as a whole fails. `batch`: many writes may go into one call."""

    def __init__(self, rest: RestClient, *, batch: bool) -> None:
        self.rest = rest
        self._batch = batch

    def by_ids(self, ids: Collection[str]) -> dict[str, User]:
        chunks = _chunks(sorted(pk for pk in ids if pk.isascii() and pk.isdigit()), PAGE_SIZE)
        users = [user for chunk in chunks for user in self._list([("include", ",".join(chunk))])]
        return {user.id: user for user in users if user.id in ids}

    def by_emails(self, emails: Collection[str]) -> dict[str, list[User]]:
        """The users with each of these e-mail addresses (in lower case), by id."""

        def with_email(email: str) -> list[User]:
            return [user for user in self._list([("search", email)]) if user.email.lower() == email]

        ordered = sorted(emails)
        if len(ordered) < 2:
            return {email: with_email(email) for email in ordered}
        with ThreadPoolExecutor(PARALLEL_SEARCHES) as pool:
            return dict(zip(ordered, pool.map(with_email, ordered), strict=True))

    def by_usernames(self, usernames: Collection[str]) -> list[User]:
        """Those that are found by their slug: another user may have taken the slug of a username first."""
        slugs = sorted({slug for username in usernames if (slug := _slug(username))})
        lowered = {username.lower() for username in usernames}
        users = [user for chunk in _chunks(slugs, _SLUGS_PER_CALL) for user in self._list([("slug", ",".join(chunk))])]
        return [user for user in users if user.username.lower() in lowered]

    def by_role(self, slug: str) -> list[User]:
        return [user for user in self._list([("roles", slug)]) if slug in user.roles]

    def pages(self, order: str = "asc") -> Iterator[list[User]]:
        """All users, page by page, in the order of their ids."""
        page, pages = 0, 1
        while page < pages:
            page += 1
            params = [("orderby", "id"), ("order", order), ("per_page", str(PAGE_SIZE)), ("page", str(page)), *_EDIT]
            response = self.call("GET", ROUTE, params)
            total = response.headers.get("X-WP-TotalPages", "1")
            pages = int(total) if total.isascii() and total.isdigit() else 1
            yield self._users(response)

    def write(self, writes: Sequence[Write]) -> list[WriteResponse]:
        """A response to each, in order. The writes of a batch that fails are sent again one by one."""
        responses: list[WriteResponse] = []
        for chunk in _chunks(writes, BATCH_SIZE if self._batch else 1):
            failure = next((r.result for r in responses[-1:] if isinstance(r.result, TransientError)), None)
            if failure is not None:
                responses += [WriteResponse(failure)] * len(chunk)
            elif len(chunk) > 1:
                responses += self._write_batch(chunk)
            else:
                responses += self._write_each(chunk)
        return responses

    def user(self, response: Response) -> User:
        """The user in the response to a write."""
        with self._reading():
            return _user(JsonCursor(read_json(response, self.rest.site)))

    def call(self, method: str, route: str, params: Params = (), body: object = None) -> Response:
        """A successful response. Raises `TransientError`."""
        response = self._request(method, route, params, body)
        error = response_error(response, self.rest.site)
        if error is not None:
            raise error
        return response

    def _write_batch(self, writes: Sequence[Write]) -> list[WriteResponse]:
        requests = [{"method": "POST", "path": f"{_route(w)}?_fields={_FIELDS}", "body": w.body} for w in writes]
        try:
            response = self.call("POST", "/batch/v1", body={"requests": requests})
            with self._reading():
                rows = JsonCursor(read_json(response, self.rest.site)).member("responses").items()
                responses = [WriteResponse(_response(row)) for row in rows]
            if len(responses) != len(writes):
                message = f"WordPress at {self.rest.site} did not respond for every user."
                raise TransientError(message, code=ErrorCode.BAD_ANSWER)
        except TransientError as error:
            if error.code not in _RETRY_ONE_BY_ONE:
                return [WriteResponse(error)] * len(writes)
            return self._write_each(writes, is_resend=True)
        return responses

    def _write_each(self, writes: Sequence[Write], *, is_resend: bool = False) -> list[WriteResponse]:
        responses: list[WriteResponse] = []
        for write in writes:
            try:
                response = self._request("POST", _route(write), [("_fields", _FIELDS)], write.body)
                if (error := response_error(response, self.rest.site)) and error.code in _ERRORS_OF_SITE:
                    raise error
            except TransientError as error:
                return responses + [WriteResponse(error)] * (len(writes) - len(responses))
            responses.append(WriteResponse(response, is_resend))
        return responses

    def _list(self, filters: Params) -> list[User]:
        return self._users(self.call("GET", ROUTE, [*filters, ("per_page", str(PAGE_SIZE)), *_EDIT]))

    def _users(self, response: Response) -> list[User]:
        with self._reading():
            users = [_user(row) for row in JsonCursor(read_json(response, self.rest.site)).items()]
        return sorted(users, key=lambda user: int(user.id))

    def _reading(self) -> AbstractContextManager[None]:
        return reading(f"WordPress at {self.rest.site}")

    def _request(self, method: str, route: str, params: Params, body: object) -> Response:
        try:
            return self.rest.request(method, route, params=params, json=body)
        except PermanentError as error:  # the owner can correct an address
            raise TransientError(error.message, code=error.code) from error


def _route(write: Write) -> str:
    return f"{ROUTE}/{write.user_id}" if write.user_id else ROUTE


def _response(row: JsonCursor) -> Response:
    """One response of a batch, as if it had been requested alone."""
    body = json.dumps(row.member("body").value).encode()
    return Response(row.member("status").integer(), {}, body, "application/json")


def idempotency_meta(key: str) -> dict[str, object]:
    """User meta that stores the key of the plan that created the user."""
    return {PREFERENCES: {"memberhook": {"idempotency_key": key}}}


def _user(row: JsonCursor) -> User:
    idempotency_key = object_at(row.value, "meta", PREFERENCES, "memberhook").get("idempotency_key")
    fields = {name: row.member(rest_name).text_or_empty() for name, rest_name in REST_NAMES.items()}
    return User(
        id=row.member("id").identifier(),
        username=row.member("username").text(),
        email=row.member("email").text_or_empty(),
        roles=tuple(role.text() for role in row.member("roles").items()),
        protected=any(has_privileges(_map(row.member(name))) for name in ("capabilities", "extra_capabilities")),
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
    """PHP encodes an empty map as an empty list."""
    return {} if row.value in (None, []) else row.object()


def _slug(username: str) -> str:
    """sanitize_title() of a valid username, from which wp_insert_user() makes the slug."""
    text = re.sub(r"[^a-z0-9_ -]", "", username[:50].lower().replace(".", "-"))
    return re.sub(r"-+", "-", re.sub(r"\s+", "-", text)).strip("-")


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
