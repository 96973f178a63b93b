"""The simulator's Outgoing Webhook: builds the request of an automation's step, and sends it.

Its one decision: building is pure and gives the bytes that FluentCRM 2.9.84 with Pro 2.8.45 sent (recorded in
`outgoing-webhooks.jsonl`); sending knows nothing of contacts. What no recording shows is derived from WordPress's
functions: an empty value in GET, a `#` in a value, tags in form and GET.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

import urllib3

from memberhook.testing.fluentcrm import php
from memberhook.testing.fluentcrm.records import Field, Step

SECONDS = 5.0
"""WordPress's own limit for an HTTP request; FluentCRM sets no other."""
REDIRECTS = 5
NOTE_LENGTH = 2000

_MERGE_CODE = re.compile(r"{{\s*contact\.([\w.]+)\s*(?:\|([^}|]*))?}}")
_READ_LIMIT = 4 * NOTE_LENGTH


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """`headers` in the order they are sent; the host is the first."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None when no answer came; `text` says then what went wrong."""

    status: int | None
    text: str
    seconds: float


def build(step: Step, data: Mapping[str, Any], user_agent: str, fields: Mapping[str, Field]) -> OutgoingRequest:
    """The request of `step` for the contact of `data` (its raw subscriber data; `tags` are sent if they are in it)."""
    payload: Mapping[str, Any] = data
    if step.body == "custom":
        payload = {key: merge(template, data, fields) for key, template in step.custom}
    if step.background:
        payload = _through_the_loopback(payload)
    typed = tuple((name, merge(template, data, fields)) for name, template in step.headers)
    head = (
        ("Host", urllib3.util.parse_url(step.url).netloc or ""),
        ("User-Agent", user_agent),
        ("Accept", "*/*"),
        ("Accept-Encoding", "deflate, gzip, br, zstd"),
        *typed,
    )
    close = ("Connection", "close")
    if step.format == "get":
        return OutgoingRequest("GET", php.add_query_arg(step.url, payload), (*head, close))
    encode = php.json_encode if step.format == "json" else php.http_build_query
    body = encode(payload).encode()
    length = ("Content-Length", str(len(body)))
    if step.format == "json":
        head = (*head, ("Content-Type", "application/json; charset=utf-8"), close, length)
    else:
        head = (*head, close, length, ("Content-Type", "application/x-www-form-urlencoded"))
    return OutgoingRequest("POST", step.url, head, body)


def merge(template: str, data: Mapping[str, Any], fields: Mapping[str, Field]) -> str:
    """Fills merge codes in: `{{contact.email}}`, `{{contact.custom.renewal}}`, `{{contact.city|somewhere}}`.

    Lists are joined by commas, lines by `<br/> `, dates of custom fields come in WordPress's default date format.
    Codes of other groups stay as they are (read in the source of FluentCRM 2.9.84).
    """

    def value(code: re.Match[str]) -> str:
        group, _, slug = code[1].partition(".")
        default = (code[2] or "").strip()
        if group == "custom" and slug:
            found = (data["custom_field"] or {}).get(slug)
            return default if found is None else _shown(found, fields.get(slug))
        found = data.get(group)
        return default if slug or php.is_empty(found) or isinstance(found, list | dict) else php.text(found)

    return _MERGE_CODE.sub(value, template)


def _shown(value: Any, field: Field | None) -> str:
    if isinstance(value, list):
        return ", ".join(php.text(item) for item in value)
    shown = "<br/> ".join(re.split(r"\r\n|\n|\r", php.text(value)))
    if field is None or field.type not in ("date", "date_time"):
        return shown
    try:
        moment = datetime.fromisoformat(shown)
    except ValueError:
        return shown
    day = f"{moment:%B} {moment.day}, {moment.year}"
    clock = f" {moment.hour % 12 or 12}:{moment:%M} {'am' if moment.hour < 12 else 'pm'}"
    return day + clock if field.type == "date_time" else day


def _through_the_loopback(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a background process gets: sent to the site itself as a form first, so that nulls and empty lists are gone,
    values are texts, and quotes and backslashes have a backslash before them."""
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping | list):
            inner = _through_the_loopback(dict(php.items(value)))
            if inner:
                kept[key] = list(inner.values()) if isinstance(value, list) else inner
        elif value is not None:
            kept[key] = "0" if value is False else php.add_slashes(php.text(value))
    return kept


def _on_the_wire(value: str) -> str:
    """A header's bytes are UTF-8 and have no line breaks; Python's HTTP client takes bytes as Latin-1 text."""
    return re.sub(r"[\r\n]+", " ", value).encode().decode("latin-1")


class Sender:
    """Sends requests as WordPress does: 5 seconds, up to 5 redirects, never again.

    Unlike WordPress it checks TLS certificates; a simulated CRM has no reason not to.
    """

    def __init__(self, *, seconds: float = SECONDS, timer: Callable[[], float] = perf_counter) -> None:
        self._timer = timer
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(total=seconds),
            retries=urllib3.Retry(
                total=None,
                connect=0,
                read=0,
                status=0,
                other=0,
                redirect=REDIRECTS,
                remove_headers_on_redirect=("Host", "Authorization"),
            ),
        )

    def __call__(self, request: OutgoingRequest) -> Answer:
        """Never raises for what the network or the receiver does: the answer says it."""
        started = self._timer()
        try:
            response = self._pool.request(
                request.method,
                request.url,
                headers={name: _on_the_wire(value) for name, value in request.headers},
                body=request.body or None,
                preload_content=False,
            )
            try:
                text = response.read(_READ_LIMIT, decode_content=True).decode("utf-8", "replace")
            finally:
                response.close()
            return Answer(response.status, text[:NOTE_LENGTH], self._timer() - started)
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            return Answer(None, f"The webhook got no answer: {type(reason).__name__}", self._timer() - started)

    def close(self) -> None:
        self._pool.clear()
