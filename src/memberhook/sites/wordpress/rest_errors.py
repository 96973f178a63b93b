"""What a WordPress answers when something is wrong, told apart and said to its owner. Pure.

Its one decision: nothing of a bad answer's body is shown (it may hold SQL or file paths); a known sign in it becomes a
sentence of ours. Signs recorded from WordPress 6.1 and 7.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from memberhook.core.errors import TransientError
from memberhook.core.http_client import Response

REFUSED = "refused"
"""The code of what the REST API itself does not take (4xx): whoever asked may know better what it means."""

# WordPress's own codes of "403, you may not"; another one is that of a plugin that stands in front.
_NO_RIGHTS = re.compile(
    r"memberhook_no_rights|rest_forbidden(_\w+)?|rest_user_cannot_\w+|rest_cannot_(view|read|create|edit|update|promote|delete|assign)(_\w+)?"
)
# What firewalls put into the page that they show in place of the answer, and statuses that such pages come with.
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
_BLOCKED = frozenset({202, 403, 406})
_LARGEST_CHALLENGE = 40_000  # bytes; larger pages are ordinary ones that may mention a captcha
_PHP_MESSAGE = re.compile(rb"<b>(?:Warning|Notice|Deprecated|Fatal error|Parse error)</b>:|^PHP \w+", re.IGNORECASE)
_CODE = re.compile(r"[a-z0-9_-]{1,60}")
_LONGEST_WAIT = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Words:
    """What is spoken to (`name`), and what is said of a user whose rights do not do (`{site}` is filled in)."""

    name: str
    no_rights: str


WORDPRESS = Words(
    "WordPress",
    no_rights="The user is known at {site}, but may not do this (403). Give it the rights that the check asks for.",
)


def is_rest(response: Response) -> bool:
    """Whether WordPress's REST API has answered, or at least a program: JSON of any status."""
    return response.content_type in {"application/json", "text/json"} or response.body.lstrip()[:1] in {b"{", b"["}


def problem(response: Response, site: str, words: Words = WORDPRESS) -> TransientError | None:
    """What is wrong with an answer, None if nothing.

    The codes: `rate_limited`, `wrong_password`, `no_rights`, `challenge_page`, `server_error`, `bad_answer`, `refused`.
    """
    status = response.status
    if status == 429:
        message = f"{site} takes no more requests for the moment (429). It is asked again later."
        return TransientError(message, code="rate_limited", retry_after=retry_after(response))
    if status < 500 and (php := _php_messages(response, site)):
        return php
    if not is_rest(response):
        return _not_json(response, site, words)
    if 200 <= status < 300:
        return None
    code = rest_code(response)
    if status == 401:
        return TransientError(_wrong_password(site, code), code="wrong_password")
    if status == 403:
        return TransientError(_no_rights(site, code, words), code="no_rights")
    if status >= 500:
        return _server_error(response, site)
    return TransientError(f"{words.name} at {site} refused the request (HTTP {status}).", code=REFUSED)


def rest_code(response: Response) -> str:
    """The `code` of WordPress's REST errors; empty where there is none."""
    code = rest_body(response).get("code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def rest_body(response: Response) -> Mapping[str, object]:
    """The object that was answered; empty where it is none."""
    try:
        body = json.loads(response.body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def retry_after(response: Response) -> float | None:
    """Seconds that the answer asks us to wait: a number, or a date as the answer's own `Date` sees it."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_WAIT)
    try:
        then, now = parsedate_to_datetime(text), parsedate_to_datetime(response.headers.get("Date", ""))
        return min(max((then - now).total_seconds(), 0.0), _LONGEST_WAIT)
    except (ValueError, TypeError):  # no date, or one without a zone
        return None


def _wrong_password(site: str, code: str) -> str:
    if code in {"invalid_username", "invalid_email"}:
        return f"WordPress at {site} knows no user of that name. Check the user name."
    return (
        f"WordPress at {site} does not accept the user name with this application password (401). Make a new one under "
        "Users > Profile > Application Passwords; the password for logging in does not work here. If both are right, "
        "the web server may drop the Authorization header: ask the host."
    )


def _no_rights(site: str, code: str, words: Words) -> str:
    if code and not _NO_RIGHTS.fullmatch(code):
        return f"Something at {site} forbids the request (403, {code}), probably a security plugin. Allow the REST API."
    return words.no_rights.format(site=site)


def _not_json(response: Response, site: str, words: Words) -> TransientError:
    if response.status == 401:
        message = f"The web server of {site} asks for a password of its own. Have it let the REST API pass."
        return TransientError(message, code="challenge_page")
    page = response.body[:_LARGEST_CHALLENGE].decode("utf-8", "replace")
    small = len(response.body) < _LARGEST_CHALLENGE
    mitigated = "cf-mitigated" in response.headers
    if mitigated or response.status in _BLOCKED or (small and _CHALLENGE.search(page)):
        names = ["Cloudflare"] if mitigated else [name for name, sign in _FIREWALLS if sign.search(page)]
        who = f"A firewall ({names[0]})" if names else "A firewall or a security plugin"
        message = (
            f"{who} in front of {site} shows a challenge page in place of {words.name}'s data. Have it let requests "
            "to the REST API pass."
        )
        return TransientError(message, code="challenge_page")
    if response.status >= 500:
        return _server_error(response, site)
    return TransientError(
        f"{site} answers with a web page (HTTP {response.status}) in place of {words.name}'s data. Is this the address "
        "of the WordPress site? If so, a security plugin may have switched off the REST API.",
        code="bad_answer",
    )


def _php_messages(response: Response, site: str) -> TransientError | None:
    """PHP's own messages, shown before the data: then the answer is no JSON, whatever its type says."""
    body = response.body.strip()
    if body[:1] in {b"{", b"[", b"\xef"} or body[-1:] not in {b"}", b"]"} or not _PHP_MESSAGE.search(body[:4000]):
        return None
    message = f"PHP messages stand before the data that {site} answers. Switch display_errors off there."
    return TransientError(message, code="bad_answer")


def _server_error(response: Response, site: str) -> TransientError:
    wait = retry_after(response)
    if response.status == 503:
        message = f"{site} is not available for the moment (503), perhaps for maintenance. It is asked again later."
    else:
        message = f"{site} has an error of its own (HTTP {response.status}). Its PHP error log tells more."
    return TransientError(message, code="server_error", retry_after=wait)
