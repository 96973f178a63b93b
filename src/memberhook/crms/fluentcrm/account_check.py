"""The check of a FluentCRM account: address, certificate, REST API, FluentCRM, credentials, rights.

It changes nothing. The right to write is tested on a contact that cannot exist: for users who may write it does
not exist (404), all others are forbidden first (403); measured on FluentCRM 2.9.84.
"""

from __future__ import annotations

from collections.abc import Mapping

from memberhook.core.check_result import CheckResult, failed, passed
from memberhook.core.error_codes import ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.crms.fluentcrm.api import NAMESPACE, FluentCrmApi
from memberhook.crms.fluentcrm.api_errors import FLUENTCRM, api_error, plugin_inactive
from memberhook.sites.wordpress.rest.rest_check import (
    check_rest_api,
    has_no_application_passwords,
    no_application_passwords,
    rest_api_passed,
)
from memberhook.sites.wordpress.rest.rest_errors import rest_code

NO_CONTACT = 2**63 - 1
"""An id that the database can store but will never assign. (0 makes FluentCRM 2.9.84 crash.)"""

_TAGS_PERMISSION = "'Contact Tags/List/Companies/Segment Create or Update'"


def check(api: FluentCrmApi) -> list[CheckResult]:
    """Results in this order, up to the first failure. Never raises what calls raise.

    If FluentCRM itself responds, everything before the rights has passed. Only if it does not, WordPress is asked why:
    some sites hide the index of their REST API.
    """
    if _get_error(api, "subscribers") is None:
        return [*rest_api_passed(api), *_access_passed(), *_rights(api)]
    results, index = check_rest_api(api, FLUENTCRM)
    return results if index is None else [*results, *_fluentcrm(api, index)]


def _access_passed() -> list[CheckResult]:
    return [
        passed("FluentCRM", "The plugin is active."),
        passed("credentials", "Username and application password are correct."),
    ]


def _fluentcrm(api: FluentCrmApi, index: Mapping[str, object]) -> list[CheckResult]:
    namespaces = index.get("namespaces")
    error = _get_error(api, "subscribers")
    inactive = isinstance(namespaces, list) and NAMESPACE.strip("/") not in namespaces
    if inactive or (error and error.code == ErrorCode.PLUGIN_INACTIVE):
        return [failed("FluentCRM", plugin_inactive(api.site))]
    active, credentials = _access_passed()
    if error and error.code == ErrorCode.WRONG_PASSWORD and has_no_application_passwords(index):
        return [active, failed("credentials", no_application_passwords(api.site))]
    if error and error.code != ErrorCode.NO_RIGHTS:
        return [active, failed("credentials", error)]
    if error:
        return [active, credentials, failed("read right", error)]
    return [active, credentials, *_rights(api)]


def _rights(api: FluentCrmApi) -> list[CheckResult]:
    for what in ("tags", "lists"):
        error = _get_error(api, what)
        if error and error.code == ErrorCode.NO_RIGHTS:
            message = f"The user may read contacts but not {what}. Add the FluentCRM permission {_TAGS_PERMISSION}."
            return [failed("read right", message)]
        if error:
            return [failed("read right", error)]
    reads = passed("read right", "The user may read contacts, tags and lists.")
    try:
        path = f"{NAMESPACE}/subscribers/{NO_CONTACT}"
        response = api.request("PUT", path, json={"subscriber": {"custom_values": {}}})
        error = api_error(response, api.site, one_contact=True)
    except (TransientError, PermanentError) as call_error:
        return [reads, failed("write right", call_error, needed=False)]
    if error is None or error.code == ErrorCode.CONTACT_GONE:
        return [reads, passed("write right", "The user may write fields back to contacts.")]
    if error.code == ErrorCode.NO_RIGHTS and rest_code(response) == "rest_forbidden":
        message = "The user may read contacts but not change them. Add the permission 'Contacts Add/Update/Import'."
        return [reads, failed("write right", message, needed=False)]
    return [reads, failed("write right", error, needed=False)]


def _get_error(api: FluentCrmApi, what: str) -> TransientError | PermanentError | None:
    """What goes wrong when reading subscribers, tags or lists."""
    try:
        answer = api.call("GET", f"/{what}", params=[("per_page", "1"), ("exclude_counts", "1")])
        with api.reading():
            rows = answer.member(what)
            (rows.member("data") if what != "lists" else rows).items()
    except (TransientError, PermanentError) as error:
        return error
    return None
