"""The simulated site over HTTP: an ASGI application with FluentCRM's REST routes, their errors and the faults.

It keeps WordPress's order: first the route, then the request's JSON, then who calls, then what they may do. So an
inactive plugin is noticed before any password. Recorded from FluentCRM 2.9.84 on WordPress 7.1; plain permalinks,
rights and maintenance measured on 6.1.9.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from memberhook.testing.fluentcrm import php
from memberhook.testing.fluentcrm.answers import RestError, critical_error, forbidden, invalid_json, no_route, page
from memberhook.testing.fluentcrm.crm import Fault, SimulatedFluentCRM
from memberhook.testing.fluentcrm.records import User
from memberhook.testing.fluentcrm.routes import NAMESPACE, ROUTES, Call, Route

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_PLAIN = ("plain_permalinks", "plain_permalinks_home")
_LOG_SIZE = 10_000


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """`body`: JSON as Python values, or text, which is an HTML page."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class FluentCrmApp:
    """`requests`: method, path and query of what came in, oldest first, at most the last 10,000."""

    def __init__(self, crm: SimulatedFluentCRM) -> None:
        self.crm = crm
        self.requests: deque[tuple[str, str, str]] = deque(maxlen=_LOG_SIZE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("The simulated FluentCRM speaks HTTP only.")
        request = await _read(scope, receive)
        self.requests.append((request.method, request.path, request.query))
        if self.crm.latency:
            await asyncio.sleep(self.crm.latency)
        if self.crm.fault == "closed":
            await _close(scope, receive)
        else:
            await _answer(self.reply(request), send)

    def reply(self, request: Request) -> Reply:
        fault = self.crm.fault
        failed = _failure(fault, request, self.crm)
        if failed is not None:
            return failed
        params = php.parse_query(request.query)
        pretty = request.path == "/wp-json" or request.path.startswith("/wp-json/")
        route = request.path.removeprefix("/wp-json") if pretty else params.pop("rest_route", None)
        if route is None:
            return Reply(404, page("Page not found", "This is the site's theme."))
        try:
            return Reply(200, self._rest(request, route, params, fault))
        except RestError as error:
            return Reply(error.status, error.body)

    def _rest(self, request: Request, path: str, params: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        active = fault != "plugin_inactive"
        if path.strip("/") == "" and request.method == "GET":
            return self._index(active)
        route, contact_id = _find(request.method, path) if active else (None, 0)
        if route is None:
            raise no_route()
        params |= _json_params(request)
        user = self._user(request)
        if user is None or route.right not in user.rights:
            raise forbidden(401 if user is None else 403)
        # Paging links repeat the path of the request, without its query.
        here = request.path if request.path.startswith("/wp-json") else ""
        with self.crm.change() as store:
            return route.handler(Call(store, self.crm.site_url, here.rstrip("/"), params, contact_id))

    def _index(self, active: bool) -> dict[str, Any]:
        """WordPress's own index, which needs no password."""
        namespaces = [*([NAMESPACE.strip("/")] if active else []), "wp/v2"]
        return {
            "name": "Simulated FluentCRM",
            "namespaces": namespaces,
            "authentication": {"application-passwords": {}},
        }

    def _user(self, request: Request) -> User | None:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        username, _, password = base64.b64decode(encoded).decode().partition(":")
        return self.crm.user(username, password)


def _find(method: str, path: str) -> tuple[Route | None, int]:
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match is not None and route.method == method:
            return route, int(match[1]) if match.lastindex else 0
    return None, 0


def _json_params(request: Request) -> dict[str, Any]:
    if not request.body.strip():
        return {}
    try:
        return dict(json.loads(request.body))
    except ValueError as error:
        raise invalid_json() from error


def _failure(fault: Fault | None, request: Request, crm: SimulatedFluentCRM) -> Reply | None:
    """The response of a fault that answers every request; None for the others."""
    if fault == "outage":
        return Reply(503, page("503 Service Unavailable", "No server is available to handle this request."))
    if fault == "maintenance":
        text = "Briefly unavailable for scheduled maintenance. Check back in a minute."
        return Reply(503, page("Maintenance", text), {"Retry-After": "600"})
    if fault == "rate_limited":
        return Reply(429, page("429 Too Many Requests", "Slow down."), {"Retry-After": "1"})
    if fault in ("challenge", "challenge_200"):
        text = "Checking if the site connection is secure. Enable JavaScript and cookies to continue."
        return Reply(403 if fault == "challenge" else 200, page("Just a moment...", text))
    if fault == "error500":
        error = critical_error()
        return Reply(error.status, error.body)
    if fault in _PLAIN and request.path.startswith("/wp-json"):
        return _without_pretty_permalinks(fault, request, crm)
    return None


def _without_pretty_permalinks(fault: Fault | None, request: Request, crm: SimulatedFluentCRM) -> Reply:
    if fault == "plain_permalinks":
        return Reply(404, page("404 Not Found", "The requested URL was not found on this server."))
    if request.method == "GET" and not request.path.endswith("/"):
        query = f"?{request.query}" if request.query else ""
        return Reply(301, "", {"Location": f"{crm.site_url}{request.path}/{query}"})
    return Reply(200, page("Welcome", "This is the site's theme."))


async def _read(scope: Scope, receive: Receive) -> Request:
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, bytes(body))


async def _answer(reply: Reply, send: Send) -> None:
    html = isinstance(reply.body, str)
    body = (reply.body if html else php.json_encode(reply.body)).encode()
    content_type = "text/html; charset=UTF-8" if html else "application/json; charset=UTF-8"
    headers = {"Content-Type": content_type, **reply.headers, "Content-Length": str(len(body))}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


async def _close(scope: Scope, receive: Receive) -> None:
    """End the connection without a response; `server.py` provides the way."""
    scope["state"]["abort"]()
    while (await receive())["type"] != "http.disconnect":
        pass
