"""What is wrong with a response from FluentCRM, beyond what can be wrong with any WordPress. Pure.

Signs recorded from FluentCRM 2.9.84 on WordPress 6.1 and 7.1.
"""

from __future__ import annotations

import re

from memberhook.core.error_codes import ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import Response
from memberhook.sites.wordpress.rest.rest_errors import Product, response_error, rest_body, rest_code

FLUENTCRM = Product(
    "FluentCRM",
    no_rights=(
        "WordPress at {site} accepts the user, but the user has no rights in FluentCRM (403). Make the user a "
        "FluentCRM manager who may read and manage contacts, tags and custom fields, or use an administrator: without "
        "FluentCRM Pro only administrators have access."
    ),
)
CONTACT_GONE = "FluentCRM has no such contact (any more)."
_FIELD_NAME = re.compile(r"[a-z0-9_-]{1,60}")


def api_error(response: Response, site: str, *, one_contact: bool = False) -> TransientError | PermanentError | None:
    """What is wrong with a response; None if nothing is. `one_contact`: "not found" refers to the requested contact."""
    error = response_error(response, site, FLUENTCRM)
    if error is None or error.code != ErrorCode.REQUEST_REFUSED:
        return error
    status, body = response.status, rest_body(response)
    if status == 404 and rest_code(response) == "rest_no_route":
        return TransientError(plugin_inactive(site), code=ErrorCode.PLUGIN_INACTIVE)
    if one_contact and (status == 404 or (status == 422 and "message" in body)):
        return PermanentError(CONTACT_GONE, code=ErrorCode.CONTACT_GONE)
    if status == 422:  # a validation error has the fields' names as keys, and no message
        names = ", ".join(name for name in body if _FIELD_NAME.fullmatch(name)) or "a field"
        return PermanentError(f"FluentCRM does not accept the value of {names}.", code=ErrorCode.VALUE_REJECTED)
    return TransientError(error.message, code=ErrorCode.BAD_ANSWER)


def plugin_inactive(site: str) -> str:
    return f"WordPress responds at {site}, but not FluentCRM: the plugin is not active. Activate it there."
