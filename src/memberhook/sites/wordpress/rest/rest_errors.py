"""What is wrong with a response from WordPress, as an error with a message for the site's owner. Pure.

Nothing of a bad response's body is shown (it may contain SQL or file paths); known signs in it select one of our
messages. Signs recorded from WordPress 6.1 and 7.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from memberhook.core.error_codes import ErrorCode
from memberhook.core.errors import TransientError
from memberhook.core.http_client import Response, retry_after

# WordPress's own codes for "403, not allowed"; any other comes from a plugin in front of it.
_NO_RIGHTS = re.compile(
    r"memberhook_no_rights|rest_forbidden(_\w+)?|rest_user_cannot_\w+|rest_cannot_(view|read|create|edit|update|promote|delete|assign)(_\w+)?"
)
# What firewalls write into the page that they show instead of the response, and the statuses of such pages.
_FIREWALLS = (
    ("Cloudflare", re.compile(r"cloudflare|cf[-_]chl|challenge-platform", re.IGNORECASE)),
    ("SiteGround", re.compile(r"sg-?captcha", re.IGNORECASE)),
    ("Imunify360", re.compile(r"imunify360", re.IGNORECASE)),
    ("Wordfence", re.compile(r"wordfence", re.IGNORECASE)),
    ("Sucuri", re.compile(r"sucuri", re.IGNORECASE)),
)
_CHALLENGE = re.compile(
    r"captcha|just a moment|are you (a )?human|checking (your browser|if the site)|verify(ing)? (that )?you"
    r"|enable javascript|security check|access denied|bot protection|ddos protection|cf[-_]chl",
    re.IGNORECASE,
)
_CHALLENGE_STATUSES = frozenset({202, 403, 406})
_LARGEST_CHALLENGE = 40_000  # bytes; larger pages are ordinary ones that may mention a captcha
_PHP_MESSAGE = re.compile(rb"<b>(?:Warning|Notice|Deprecated|Fatal error|Parse error)</b>:|^PHP \w+", re.IGNORECASE)
_CODE = re.compile(r"[a-z0-9_-]{1,60}")


@dataclass(frozen=True, slots=True)
class Product:
    """What is called over the REST API: its name, and the message about missing rights (`{site}` is filled in)."""

    name: str
    no_rights: str


WORDPRESS = Product(
    "WordPress",
    no_rights="WordPress at {site} accepts the user but not this request (403). Give the user the rights that the "
    "check lists.",
)


def is_json(response: Response) -> bool:
    """Whether the REST API (or another program) has responded: with JSON, whatever its status."""
    return response.content_type in {"application/json", "text/json"} or response.body.lstrip()[:1] in {b"{", b"["}


def response_error(response: Response, site: str, product: Product = WORDPRESS) -> TransientError | None:
    """What is wrong with a response; None if nothing is."""
    status = response.status
    if status == 429:
        message = f"{site} is limiting the number of requests (429). Memberhook tries again later."
        return TransientError(message, code=ErrorCode.RATE_LIMITED, retry_after=retry_after(response))
    if status < 500 and (php := _php_messages(response, site)):
        return php
    if not is_json(response):
        return _not_json(response, site, product)
    if 200 <= status < 300:
        return None
    code = rest_code(response)
    if status == 401:
        return TransientError(_wrong_password(site, code), code=ErrorCode.WRONG_PASSWORD)
    if status == 403:
        return TransientError(_no_rights(site, code, product), code=ErrorCode.NO_RIGHTS)
    if status >= 500:
        return _server_error(response, site)
    message = f"{product.name} at {site} refused the request (HTTP {status})."
    return TransientError(message, code=ErrorCode.REQUEST_REFUSED)


def rest_code(response: Response) -> str:
    """The `code` of a REST error; empty if there is none."""
    code = rest_body(response).get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def rest_body(response: Response) -> Mapping[str, object]:
    """The response's JSON object; empty if it is not one."""
    try:
        body = json.loads(response.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _wrong_password(site: str, code: str) -> str:
    if code in {"invalid_username", "invalid_email"}:
        return f"WordPress at {site} has no user with that name. Check the username."
    return (
        f"WordPress at {site} does not accept the username with this application password (401). Create a new one "
        "under Users > Profile > Application Passwords; the log-in password does not work here. If both are correct, "
        "the web server may be removing the Authorization header: ask the hosting provider."
    )


def _no_rights(site: str, code: str, product: Product) -> str:
    if code and not _NO_RIGHTS.fullmatch(code):
        return f"Something at {site} forbids the request (403, {code}), probably a security plugin. Allow the REST API."
    return product.no_rights.format(site=site)


def _not_json(response: Response, site: str, product: Product) -> TransientError:
    if response.status == 401:
        message = f"The web server of {site} asks for a password of its own. Exempt the REST API from it."
        return TransientError(message, code=ErrorCode.CHALLENGE_PAGE)
    page = response.body[:_LARGEST_CHALLENGE].decode("utf-8", "replace")
    small = len(response.body) < _LARGEST_CHALLENGE
    mitigated = "cf-mitigated" in response.headers
    if mitigated or response.status in _CHALLENGE_STATUSES or (small and _CHALLENGE.search(page)):
        names = ["Cloudflare"] if mitigated else [name for name, sign in _FIREWALLS if sign.search(page)]
        firewall = f"A firewall ({names[0]})" if names else "A firewall or a security plugin"
        message = (
            f"{firewall} in front of {site} returns a challenge page instead of {product.name}'s data. Exempt requests "
            "to the REST API from it."
        )
        return TransientError(message, code=ErrorCode.CHALLENGE_PAGE)
    if response.status >= 500:
        return _server_error(response, site)
    return TransientError(
        f"{site} returns a web page (HTTP {response.status}) instead of {product.name}'s data. Check that this is the "
        "address of the WordPress site; if it is, a security plugin may have disabled the REST API.",
        code=ErrorCode.BAD_ANSWER,
    )


def _php_messages(response: Response, site: str) -> TransientError | None:
    """PHP prints its messages before the data, so the response is not JSON, whatever its type says."""
    body = response.body.strip()
    if body[:1] in {b"{", b"[", b"\xef"} or body[-1:] not in {b"}", b"]"} or not _PHP_MESSAGE.search(body[:4000]):
        return None
    message = f"{site} prints PHP messages before its data. Turn display_errors off there."
    return TransientError(message, code=ErrorCode.BAD_ANSWER)


def _server_error(response: Response, site: str) -> TransientError:
    if response.status == 503:
        message = f"{site} is temporarily unavailable (503), perhaps for maintenance. Memberhook tries again later."
    else:
        message = f"{site} reports an internal error (HTTP {response.status}). See its PHP error log."
    return TransientError(message, code=ErrorCode.SERVER_ERROR, retry_after=retry_after(response))
