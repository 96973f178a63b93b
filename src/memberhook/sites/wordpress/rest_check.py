"""The first things that can be wrong with a WordPress, looked at in their order: address, certificate, REST API."""

from __future__ import annotations

from collections.abc import Mapping

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import Response, read_json
from memberhook.sites.wordpress.rest_client import Rest
from memberhook.sites.wordpress.rest_errors import WORDPRESS, Words, is_rest, problem

INDEX_FIELDS = "name,namespaces,authentication"


def inspect(rest: Rest, words: Words = WORDPRESS) -> tuple[list[CheckResult], Mapping[str, object] | None]:
    """Findings up to the first that is not good, and what the REST API says of itself (`INDEX_FIELDS`): None where
    something is wrong, empty where it tells that to no visitor. Never raises `RetryLater` or `GiveUp`."""
    try:
        answer = rest.answer("GET", "/", params=[("_fields", INDEX_FIELDS)])
    except (TransientError, PermanentError) as error:
        if error.code == "certificate":
            return [_address(rest), bad("certificate", error)], None
        return [bad("address", error)], None
    try:
        index = _index(rest, answer, words)
    except TransientError as error:
        return [_address(rest), _certificate(rest), bad("REST API", error)], None
    return reached(rest), index


def reached(rest: Rest) -> list[CheckResult]:
    """What is well once the REST API has answered."""
    transport = "?rest_route= (plain permalinks)" if rest.plain else "/wp-json"
    return [_address(rest), _certificate(rest), good("REST API", f"WordPress's REST API answers at {transport}.")]


def takes_no_passwords(index: Mapping[str, object]) -> bool:
    """Whether the REST API says of itself that it takes no application passwords."""
    return index.get("authentication") == []


def no_passwords(site: str) -> str:
    return (
        f"WordPress at {site} takes no application passwords: it offers them on https:// only, and a security "
        "plugin may switch them off."
    )


def good(name: str, message: str) -> CheckResult:
    return CheckResult(name, True, message)


def bad(name: str, error: TransientError | PermanentError) -> CheckResult:
    return CheckResult(name, False, error.message)


def _address(rest: Rest) -> CheckResult:
    return good("address", f"{rest.site} answers.")


def _certificate(rest: Rest) -> CheckResult:
    if rest.base.startswith("https://"):
        return good("certificate", "The certificate is valid.")
    message = "The address begins with http://, so the password travels unprotected. Use https:// if you can."
    return good("certificate", message)


def _index(rest: Rest, answer: Response, words: Words) -> Mapping[str, object]:
    """Raises `RetryLater`. That a visitor is told nothing (401, 403) is no fault."""
    if is_rest(answer) and answer.status in {401, 403}:
        return {}
    error = problem(answer, rest.site, words)
    if error is not None:
        raise error
    index = read_json(answer, rest.site)
    if isinstance(index, dict) and isinstance(index.get("namespaces"), list):
        return index
    message = f"{rest.site} answers, but not as WordPress does. Is this the address of the WordPress site?"
    raise TransientError(message, code="bad_answer")
