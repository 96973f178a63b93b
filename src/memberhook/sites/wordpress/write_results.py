"""What the REST API's response to writing one user means. Pure.

A field that WordPress rejects must not cost the member the other fields.
Sources: class-wp-rest-users-controller.php, class-wp-rest-meta-fields.php, wp_insert_user() (whose errors come as 500).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from memberhook.core.error_codes import ErrorCode
from memberhook.core.http_client import Response
from memberhook.core.json_access import object_at
from memberhook.sites.wordpress.rest.rest_errors import response_error, rest_body, rest_code
from memberhook.sites.wordpress.users_api import REST_NAMES


class WriteOutcome(enum.Enum):
    WRITTEN = enum.auto()
    USERNAME_REJECTED = enum.auto()
    """It is taken, or not allowed there."""
    EMAIL_REJECTED = enum.auto()
    USER_GONE = enum.auto()
    FIELDS_REJECTED = enum.auto()
    """Nothing is written. It can be sent again without `fields`."""
    META_REJECTED = enum.auto()
    """All but meta is written; before WordPress 6.7 or so, meta after the first rejected one is not."""
    REJECTED = enum.auto()
    """WordPress will never accept it."""
    FAILED = enum.auto()
    """It may work later."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """`fields`: names as in the request; meta as `meta.NAME`, or `meta` for all of it. `message`: for the owner."""

    outcome: WriteOutcome
    fields: frozenset[str] = frozenset()
    message: str = ""


_OUTCOMES = {
    "existing_user_login": WriteOutcome.USERNAME_REJECTED,
    "invalid_username": WriteOutcome.USERNAME_REJECTED,
    "empty_user_login": WriteOutcome.USERNAME_REJECTED,
    "user_login_too_long": WriteOutcome.USERNAME_REJECTED,
    "existing_user_email": WriteOutcome.EMAIL_REJECTED,
    "rest_user_invalid_email": WriteOutcome.EMAIL_REJECTED,
    "rest_user_invalid_id": WriteOutcome.USER_GONE,
    "invalid_user_id": WriteOutcome.USER_GONE,
}
_REJECTED_FIELDS = {"user_url_too_long": "url", "rest_user_invalid_slug": "slug", "user_nicename_too_long": "slug"}
_META_ERRORS = frozenset(
    {"rest_cannot_update", "rest_cannot_delete", "rest_invalid_stored_value", "rest_meta_database_error"}
)
"""WordPress writes meta last."""
_MISSING_CAPABILITIES = {
    "rest_cannot_create_user": "create_users",
    "rest_cannot_edit": "edit_users",
    "rest_cannot_edit_roles": "promote_users",
}
_CRASHES = frozenset({"", "internal_server_error"})


def interpret(response: Response, site: str) -> WriteResult:
    error = response_error(response, site)
    if error is None:
        return WriteResult(WriteOutcome.WRITTEN)
    code, body = rest_code(response), rest_body(response)
    if code in _OUTCOMES:
        return WriteResult(_OUTCOMES[code])
    if code in _REJECTED_FIELDS:
        return WriteResult(WriteOutcome.FIELDS_REJECTED, frozenset({_REJECTED_FIELDS[code]}))
    meta = frozenset(_rejected_meta(body))
    if meta or code in _META_ERRORS:
        return WriteResult(WriteOutcome.META_REJECTED, meta or frozenset({"meta"}))
    if code == "rest_invalid_param":
        names = frozenset(object_at(body, "data", "params"))
        if "username" in names:
            return WriteResult(WriteOutcome.USERNAME_REJECTED)
        if names:
            return WriteResult(WriteOutcome.FIELDS_REJECTED, names)
    if code == "rest_user_invalid_role":
        message = (
            f"WordPress at {site} has no such role, or its user may not assign it. Choose another role for the hook."
        )
        return WriteResult(WriteOutcome.REJECTED, message=message)
    if code in _MISSING_CAPABILITIES:
        message = (
            f"The user at {site} may not do this to the member ({code}): it needs the capability "
            f"{_MISSING_CAPABILITIES[code]}."
        )
        return WriteResult(WriteOutcome.FAILED, message=message)
    if error.code == ErrorCode.REQUEST_REFUSED or (response.status == 500 and code not in _CRASHES):
        message = f"WordPress at {site} rejects the member ({code or response.status})."
        return WriteResult(WriteOutcome.REJECTED, message=message)
    return WriteResult(WriteOutcome.FAILED, message=error.message)


def site_field(name: str) -> str:
    """The site's field of a name in a `WriteResult`."""
    if name.startswith("meta."):
        return name.removeprefix("meta.")
    site_names = {rest_name: field for field, rest_name in REST_NAMES.items()}
    return (site_names | {"email": "user_email", "password": "user_pass"}).get(name, name)


def without(body: Mapping[str, object], names: frozenset[str]) -> dict[str, object]:
    """The body of a request without these names."""
    others = {name: value for name, value in body.items() if name not in names}
    meta = {name: value for name, value in object_at(others.pop("meta", None)).items() if f"meta.{name}" not in names}
    return {**others, **({"meta": meta} if meta else {})}


def _rejected_meta(error: Mapping[str, object]) -> Iterator[str]:
    """The `key` of meta that may not be written and the `param` of meta with the wrong type: only the first in
    WordPress 6.1, all of them in 7.1 (measured)."""
    for each in (error, *_list(error.get("additional_errors"))):
        details = object_at(each)
        for data in (details.get("data"), *_list(details.get("additional_data"))):
            key, param = (object_at(data).get(name) for name in ("key", "param"))
            if isinstance(key, str):
                yield f"meta.{key}"
            if isinstance(param, str) and param.startswith("meta."):
                yield param.partition("[")[0]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
