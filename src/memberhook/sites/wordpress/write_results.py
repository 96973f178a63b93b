"""What the REST API's answer to the write of one user means. Pure.

Its one decision: what WordPress does not take of a member never costs the member, where the rest can be had.
Sources: class-wp-rest-users-controller.php, class-wp-rest-meta-fields.php, wp_insert_user() (whose errors come as 500).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from memberhook.core.http_client import Response
from memberhook.core.json_access import object_at
from memberhook.sites.wordpress.rest_errors import problem, rest_body, rest_code
from memberhook.sites.wordpress.users import NAMES


class Meaning(enum.Enum):
    DONE = enum.auto()
    LOGIN_TAKEN = enum.auto()
    """Or not allowed there: another one is to be found."""
    EMAIL_TAKEN = enum.auto()
    GONE = enum.auto()
    NOTHING_DONE = enum.auto()
    """It can be sent again without what `names` lists."""
    PARTLY_DONE = enum.auto()
    """All is set but meta, of which `names` are not taken; before WordPress 6.7 or so those after them are not set."""
    REFUSED = enum.auto()
    BROKEN = enum.auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`names`: as the body has them; those of meta as `meta.NAME`, all of them as `meta`. `message`: in words."""

    meaning: Meaning
    names: frozenset[str] = frozenset()
    message: str = ""


_PLAIN = {
    "existing_user_login": Meaning.LOGIN_TAKEN,
    "invalid_username": Meaning.LOGIN_TAKEN,
    "empty_user_login": Meaning.LOGIN_TAKEN,
    "user_login_too_long": Meaning.LOGIN_TAKEN,
    "existing_user_email": Meaning.EMAIL_TAKEN,
    "rest_user_invalid_email": Meaning.EMAIL_TAKEN,
    "rest_user_invalid_id": Meaning.GONE,
    "invalid_user_id": Meaning.GONE,
}
_FIELD = {"user_url_too_long": "url", "rest_user_invalid_slug": "slug", "user_nicename_too_long": "slug"}
_AFTER_ALL_ELSE = frozenset(
    {"rest_cannot_update", "rest_cannot_delete", "rest_invalid_stored_value", "rest_meta_database_error"}
)
"""Errors of meta, which WordPress sets last."""
_RIGHTS = {
    "rest_cannot_create_user": "create_users",
    "rest_cannot_edit": "edit_users",
    "rest_cannot_edit_roles": "promote_users",
}
_CRASHES = frozenset({"", "internal_server_error"})


def verdict(response: Response, site: str) -> Verdict:
    error = problem(response, site)
    if error is None:
        return Verdict(Meaning.DONE)
    code, body = rest_code(response), rest_body(response)
    if code in _PLAIN:
        return Verdict(_PLAIN[code])
    if code in _FIELD:
        return Verdict(Meaning.NOTHING_DONE, frozenset({_FIELD[code]}))
    of_meta = frozenset(_meta_names(body))
    if of_meta or code in _AFTER_ALL_ELSE:
        return Verdict(Meaning.PARTLY_DONE, of_meta or frozenset({"meta"}))
    if code == "rest_invalid_param":
        names = frozenset(object_at(body, "data", "params"))
        if "username" in names:
            return Verdict(Meaning.LOGIN_TAKEN)
        if names:
            return Verdict(Meaning.NOTHING_DONE, names)
    if code == "rest_user_invalid_role":
        message = f"WordPress at {site} has no such role, or its user may not give it. Choose another for the hook."
        return Verdict(Meaning.REFUSED, message=message)
    if code in _RIGHTS:
        message = f"The user at {site} may not do this to the member ({code}): it takes the right {_RIGHTS[code]}."
        return Verdict(Meaning.BROKEN, message=message)
    if error.code == "refused" or (response.status == 500 and code not in _CRASHES):
        return Verdict(Meaning.REFUSED, message=f"WordPress at {site} refuses the member ({code or response.status}).")
    return Verdict(Meaning.BROKEN, message=error.message)


def site_field(name: str) -> str:
    """What a name of a verdict is called among the site's fields."""
    if name.startswith("meta."):
        return name.removeprefix("meta.")
    named = {rest: field for field, rest in NAMES.items()} | {"email": "user_email", "password": "user_pass"}
    return named.get(name, name)


def without(body: Mapping[str, object], names: frozenset[str]) -> dict[str, object]:
    kept = {name: value for name, value in body.items() if name not in names}
    meta = {name: value for name, value in object_at(kept.pop("meta", None)).items() if f"meta.{name}" not in names}
    return {**kept, **({"meta": meta} if meta else {})}


def _meta_names(error: Mapping[str, object]) -> Iterator[str]:
    """Those named as the `key` of what may not be written, and as the `param` of what is of the wrong kind: the first
    in 6.1, all together in 7.1 (measured)."""
    for each in (error, *_list(error.get("additional_errors"))):
        told = object_at(each)
        for data in (told.get("data"), *_list(told.get("additional_data"))):
            key, param = (object_at(data).get(name) for name in ("key", "param"))
            if isinstance(key, str):
                yield f"meta.{key}"
            if isinstance(param, str) and param.startswith("meta."):
                yield param.partition("[")[0]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
