"""Address, credentials and rights of a FluentCRM, looked at one after the other, in the order in which they can fail.

Its one decision: nothing is changed. The right to write is tried on a contact that cannot exist: who may write learns
that it is not there (404), who may not is forbidden before (403); measured on FluentCRM 2.9.84.
"""

from __future__ import annotations

from collections.abc import Mapping

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import PermanentError, TransientError
from memberhook.crms.fluentcrm.api import NAMESPACE, FluentCrmRest
from memberhook.crms.fluentcrm.api_errors import WORDS, plugin_inactive, problem
from memberhook.sites.wordpress.rest_check import bad, good, inspect, no_passwords, reached, takes_no_passwords
from memberhook.sites.wordpress.rest_errors import rest_code

NOBODY = 2**63 - 1
"""An id that the database can hold and will never give. (0 makes FluentCRM 2.9.84 crash.)"""

_RIGHTS = (
    ("/tags", "tags", "'Contact Tags/List/Companies/Segment Create or Update'"),
    ("/lists", "lists", "'Contact Tags/List/Companies/Segment Create or Update'"),
)


def check(rest: FluentCrmRest) -> list[CheckResult]:
    """Findings up to the first that is not good, in the order address, certificate, REST API, FluentCRM, credentials,
    read right, write right. Never raises `RetryLater` or `GiveUp`.

    Where FluentCRM answers at once, all before the rights is well. Only else is WordPress asked what is wrong: some
    sites hide what their REST API says of itself.
    """
    if _try(rest, "/subscribers", "subscribers") is None:
        return [*reached(rest), *_let_in(), *_rights(rest)]
    results, index = inspect(rest, WORDS)
    return results if index is None else [*results, *_fluentcrm(rest, index)]


def _let_in() -> list[CheckResult]:
    return [
        good("FluentCRM", "The plugin is active."),
        good("credentials", "User name and application password are right."),
    ]


def _fluentcrm(rest: FluentCrmRest, index: Mapping[str, object]) -> list[CheckResult]:
    namespaces = index.get("namespaces")
    error = _try(rest, "/subscribers", "subscribers")
    inactive = isinstance(namespaces, list) and NAMESPACE.strip("/") not in namespaces
    if inactive or (error and error.code == "plugin_inactive"):
        return [CheckResult("FluentCRM", False, plugin_inactive(rest.site))]
    active, credentials = _let_in()
    if error and error.code == "wrong_password" and takes_no_passwords(index):
        return [active, CheckResult("credentials", False, no_passwords(rest.site))]
    if error and error.code != "no_rights":
        return [active, bad("credentials", error)]
    if error:
        return [active, credentials, bad("read right", error)]
    return [active, credentials, *_rights(rest)]


def _rights(rest: FluentCrmRest) -> list[CheckResult]:
    for path, what, right in _RIGHTS:
        error = _try(rest, path, what)
        if error and error.code == "no_rights":
            message = f"The user may read contacts but not {what}. Add the FluentCRM permission {right}."
            return [CheckResult("read right", False, message)]
        if error:
            return [bad("read right", error)]
    reads = good("read right", "The user may read contacts, tags and lists.")
    try:
        answer = rest.answer("PUT", f"{NAMESPACE}/subscribers/{NOBODY}", json={"subscriber": {"custom_values": {}}})
        error = problem(answer, rest.site, contact=True)
    except (TransientError, PermanentError) as unreachable:
        return [reads, CheckResult("write right", False, unreachable.message, needed=False)]
    if error is None or error.code == "contact_gone":
        return [reads, good("write right", "The user may write fields back to contacts.")]
    if error.code == "no_rights" and rest_code(answer) == "rest_forbidden":
        message = "The user may read contacts but not change them. Add the permission 'Contacts Add/Update/Import'."
        return [reads, CheckResult("write right", False, message, needed=False)]
    return [reads, CheckResult("write right", False, error.message, needed=False)]


def _try(rest: FluentCrmRest, path: str, member: str) -> TransientError | PermanentError | None:
    try:
        answer = rest.call("GET", path, params=[("per_page", "1"), ("exclude_counts", "1")])
        with rest.reading():
            rows = answer.member(member)
            (rows.member("data") if member != "lists" else rows).items()
    except (TransientError, PermanentError) as error:
        return error
    return None
