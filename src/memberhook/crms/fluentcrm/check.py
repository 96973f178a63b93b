"""Address, credentials and rights of a FluentCRM, looked at one after the other, in the order in which they can fail.

Its one decision: nothing is changed. The right to write is tried on a contact that cannot exist: who may write learns
that it is not there (404), who may not is forbidden before (403); measured on FluentCRM 2.9.84.
"""

from __future__ import annotations

from memberhook.crms.fluentcrm.errors import is_rest, problem, rest_code
from memberhook.crms.fluentcrm.rest import NAMESPACE, Rest
from memberhook.errors import GiveUp, RetryLater
from memberhook.findings import Finding
from memberhook.net import Response, read_json

NOBODY = 2**63 - 1
"""An id that the database can hold and will never give. (0 makes FluentCRM 2.9.84 crash.)"""

_RIGHTS = (
    ("/tags", "tags", "'Contact Tags/List/Companies/Segment Create or Update'"),
    ("/lists", "lists", "'Contact Tags/List/Companies/Segment Create or Update'"),
)


def check(rest: Rest) -> list[Finding]:
    """Findings up to the first that is not good, in the order address, certificate, REST API, FluentCRM, credentials,
    read right, write right. Never raises `RetryLater` or `GiveUp`.

    Where FluentCRM answers at once, all before the rights is well. Only else is WordPress asked what is wrong: some
    sites hide what their REST API says of itself.
    """
    if _try(rest, "/subscribers", "subscribers") is None:
        return [
            _good("address", f"{rest.site} answers."),
            _certificate(rest),
            _rest_api(rest),
            *_let_in(),
            *_rights(rest),
        ]
    try:
        index = rest.answer("GET", "/", params=[("_fields", "namespaces,authentication")])
    except (RetryLater, GiveUp) as error:
        if error.code == "certificate":
            return [_good("address", f"{rest.site} answers."), _bad("certificate", error)]
        return [_bad("address", error)]
    findings = [_good("address", f"{rest.site} answers."), _certificate(rest)]
    facts, wrong = _index(rest, index)
    if wrong:
        return [*findings, wrong]
    return [*findings, _rest_api(rest), *_fluentcrm(rest, facts)]


def _rest_api(rest: Rest) -> Finding:
    way = "?rest_route= (plain permalinks)" if rest.plain else "/wp-json"
    return _good("REST API", f"WordPress's REST API answers at {way}.")


def _let_in() -> list[Finding]:
    return [
        _good("FluentCRM", "The plugin is active."),
        _good("credentials", "User name and application password are right."),
    ]


def _certificate(rest: Rest) -> Finding:
    if rest.base.startswith("https://"):
        return _good("certificate", "The certificate is valid.")
    message = "The address begins with http://, so the password travels unprotected. Use https:// if you can."
    return _good("certificate", message)


def _index(rest: Rest, index: Response) -> tuple[dict[str, object], Finding | None]:
    """What the API says of itself; nothing where it tells that to no visitor (401, 403), which is no fault."""
    if is_rest(index) and index.status in {401, 403}:
        return {}, None
    error = problem(index, rest.site)
    if error is not None:
        return {}, _bad("REST API", error)
    try:
        facts = read_json(index, rest.site)
    except RetryLater as unreadable:
        return {}, _bad("REST API", unreadable)
    if isinstance(facts, dict) and isinstance(facts.get("namespaces"), list):
        return facts, None
    message = f"{rest.site} answers, but not as WordPress does. Is this the address of the WordPress site?"
    return {}, Finding("REST API", False, message)


def _fluentcrm(rest: Rest, facts: dict[str, object]) -> list[Finding]:
    namespaces = facts.get("namespaces")
    error = _try(rest, "/subscribers", "subscribers")
    inactive = isinstance(namespaces, list) and NAMESPACE.strip("/") not in namespaces
    if inactive or (error and error.code == "plugin_inactive"):
        message = f"WordPress answers at {rest.site}, but not FluentCRM: the plugin is not active. Activate it there."
        return [Finding("FluentCRM", False, message)]
    active, credentials = _let_in()
    if error and error.code == "wrong_password" and facts.get("authentication") == []:
        message = (
            f"WordPress at {rest.site} takes no application passwords: it offers them on https:// only, and a security "
            "plugin may switch them off."
        )
        return [active, Finding("credentials", False, message)]
    if error and error.code != "no_rights":
        return [active, _bad("credentials", error)]
    if error:
        return [active, credentials, _bad("read right", error)]
    return [active, credentials, *_rights(rest)]


def _rights(rest: Rest) -> list[Finding]:
    for path, what, right in _RIGHTS:
        error = _try(rest, path, what)
        if error and error.code == "no_rights":
            message = f"The user may read contacts but not {what}. Add the FluentCRM permission {right}."
            return [Finding("read right", False, message)]
        if error:
            return [_bad("read right", error)]
    good = _good("read right", "The user may read contacts, tags and lists.")
    try:
        answer = rest.answer("PUT", f"{NAMESPACE}/subscribers/{NOBODY}", json={"subscriber": {"custom_values": {}}})
        error = problem(answer, rest.site, contact=True)
    except (RetryLater, GiveUp) as unreachable:
        return [good, Finding("write right", False, unreachable.message, needed=False)]
    if error is None or error.code == "contact_gone":
        return [good, _good("write right", "The user may write fields back to contacts.")]
    if error.code == "no_rights" and rest_code(answer) == "rest_forbidden":
        message = "The user may read contacts but not change them. Add the permission 'Contacts Add/Update/Import'."
        return [good, Finding("write right", False, message, needed=False)]
    return [good, Finding("write right", False, error.message, needed=False)]


def _try(rest: Rest, path: str, member: str) -> RetryLater | GiveUp | None:
    try:
        answer = rest.call("GET", path, params=[("per_page", "1"), ("exclude_counts", "1")])
        with rest.reading():
            rows = answer.member(member)
            (rows.member("data") if member != "lists" else rows).items()
    except (RetryLater, GiveUp) as error:
        return error
    return None


def _good(name: str, message: str) -> Finding:
    return Finding(name, True, message)


def _bad(name: str, error: RetryLater | GiveUp) -> Finding:
    return Finding(name, False, error.message)
