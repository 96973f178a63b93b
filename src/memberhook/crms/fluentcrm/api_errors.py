"""4: what FluentCRM answers when something is wrong, beside what any WordPress does. Pure.

Signs recorded from FluentCRM 2.9.84 on WordPress 6.1 and 7.1.
"""

from __future__ import annotations

import re

from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import Response
from memberhook.sites.wordpress import rest_errors
from memberhook.sites.wordpress.rest_errors import REFUSED, Words, rest_body, rest_code

WORDS = Words(
    "FluentCRM",
    no_rights=(
        "The user is known at {site}, but has no rights in FluentCRM (403). Make the user a FluentCRM manager who may "
        "read and manage contacts, tags and custom fields, or take an administrator: without FluentCRM Pro only "
        "administrators get in."
    ),
)
_FIELD_NAME = re.compile(r"[a-z0-9_-]{1,60}")


def problem(response: Response, site: str, *, contact: bool = False) -> TransientError | PermanentError | None:
    """What is wrong with an answer, None if nothing. `contact`: one contact was asked for, so "not found" means it."""
    error = rest_errors.problem(response, site, WORDS)
    if error is None or error.code != REFUSED:
        return error
    status, body = response.status, rest_body(response)
    if status == 404 and rest_code(response) == "rest_no_route":
        return TransientError(plugin_inactive(site), code="plugin_inactive")
    if contact and (status == 404 or (status == 422 and "message" in body)):
        return PermanentError("FluentCRM has no such contact (any more).", code="contact_gone")
    if status == 422:  # a validation error has the fields' names as keys, and no message
        names = ", ".join(name for name in body if _FIELD_NAME.fullmatch(name)) or "a field"
        return PermanentError(f"FluentCRM does not accept the value of {names}.", code="value_rejected")
    return TransientError(error.message, code="bad_answer")


def plugin_inactive(site: str) -> str:
    return f"WordPress answers at {site}, but not FluentCRM: the plugin is not active. Activate it there."
