"""The simulated Outgoing Webhook: builds the request of an automation, and sends it.

`build` is pure and returns the bytes that FluentCRM 2.9.84 with Pro 2.8.45 sent, recorded in `outgoing-webhooks.jsonl`.
What no recording shows is derived from WordPress's functions: an empty value and a `#` in GET.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3

from memberhook.testing.fluentcrm import php
from memberhook.testing.fluentcrm.records import Automation

TIMEOUT = 5.0
"""WordPress's default for HTTP requests, in seconds; FluentCRM sets no other."""
NOTE_LENGTH = 2000

_READ_LIMIT = 4 * NOTE_LENGTH


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """`headers` in the order in which they are sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is None if there was no response; then `text` says why."""

    status: int | None
    text: str


def build(automation: Automation, data: Mapping[str, Any], user_agent: str) -> OutgoingRequest:
    """`data`: the contact's raw subscriber data."""
    payload = _through_loopback(data) if automation.background else data
    head: tuple[tuple[str, str], ...] = (
        ("Host", urllib3.util.parse_url(automation.url).netloc or ""),
        ("User-Agent", user_agent),
        ("Accept", "*/*"),
        ("Accept-Encoding", "deflate, gzip, br, zstd"),
    )
    close = ("Connection", "close")
    if automation.format == "get":
        return OutgoingRequest("GET", php.add_query_arg(automation.url, payload), (*head, close))
    encode = php.json_encode if automation.format == "json" else php.http_build_query
    body = encode(payload).encode()
    length = ("Content-Length", str(len(body)))
    if automation.format == "json":
        head = (*head, ("Content-Type", "application/json; charset=utf-8"), close, length)
    else:
        head = (*head, close, length, ("Content-Type", "application/x-www-form-urlencoded"))
    return OutgoingRequest("POST", automation.url, head, body)


def _through_loopback(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a background process receives. WordPress sends it to itself as a form first: nulls and empty lists vanish,
    values become text, and quotes and backslashes get a backslash."""
    received: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping | list):
            inner = _through_loopback(dict(php.items(value)))
            if inner:
                received[key] = list(inner.values()) if isinstance(value, list) else inner
        elif value is not None:
            received[key] = php.add_slashes(php.text(value))
    return received


class Sender:
    """Sends requests as WordPress does: with a timeout of 5 seconds, and never again."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(total=TIMEOUT), retries=False)

    def __call__(self, request: OutgoingRequest) -> Answer:
        """Never raises for network or receiver: the answer says what happened."""
        try:
            response = self._pool.request(
                request.method,
                request.url,
                headers=dict(request.headers),
                body=request.body or None,
                preload_content=False,
            )
            try:
                text = response.read(_READ_LIMIT, decode_content=True).decode("utf-8", "replace")
            finally:
                response.close()
            return Answer(response.status, text[:NOTE_LENGTH])
        except urllib3.exceptions.HTTPError as error:
            return Answer(None, f"The webhook got no response: {type(error).__name__}")

    def close(self) -> None:
        self._pool.clear()
