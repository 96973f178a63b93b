"""The simulated site over HTTP: a plain ASGI application with FluentCRM's REST routes, its errors and its faults.

Its one decision: the order of WordPress. A route is looked up first, then its JSON is read, then who calls, then what
they may; so an inactive plugin answers before any password is looked at. Recorded from FluentCRM 2.9.84 on
WordPress 7.1; plain permalinks, rights and maintenance measured on 6.1.9.
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
from memberhook.testing.fluentcrm.contacts import Call
from memberhook.testing.fluentcrm.crm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.faults import Fault
from memberhook.testing.fluentcrm.records import User
from memberhook.testing.fluentcrm.routes import NAMESPACE, ROUTES, Route

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_BENCH = 0.02
"""FluentCRM adds the seconds that a call took, as `__bench`; here it is always the same."""
_POLL = 0.01
_PLAIN = ("plain_permalinks", "plain_permalinks_home")
_NO_CACHE = {
    "Expires": "Wed, 11 Jan 1984 05:00:00 GMT",
    "Cache-Control": "no-cache, must-revalidate, max-age=0, no-store, private",
}


@dataclass(slots=True)
class Request:
    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """`body`: JSON as Python values, or a text, which is an HTML page."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class FluentCrmApp:
    """`requests`: what came in, oldest first, at most `log_size`: method, path, query."""

    def __init__(self, crm: SimulatedFluentCRM, log_size: int = 10_000) -> None:
        self.crm = crm
        self.requests: deque[tuple[str, str, str]] = deque(maxlen=log_size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError("The simulated FluentCRM speaks HTTP only.")
        request = await _read(scope, receive)
        self.requests.append((request.method, request.path, request.query))
        if self.crm.latency:
            await asyncio.sleep(self.crm.latency)
        fault = self.crm.take_fault()
        if fault == "closed":
            await _close(scope, receive)
        elif fault != "timeout" or await self._hang(receive):
            # A call that applies a tag may wait for a foreground webhook: it must not hold up the others.
            reads = request.method == "GET"
            reply = self.reply(request, fault) if reads else await asyncio.to_thread(self.reply, request, fault)
            await _answer(reply, send)

    async def _hang(self, receive: Receive) -> bool:
        """True when the request was released, False when the client has left."""
        before = self.crm.releases
        gone = asyncio.ensure_future(_wait_until_gone(receive))
        try:
            while self.crm.releases == before and not gone.done():
                await asyncio.wait({gone}, timeout=_POLL)
            return not gone.done()
        finally:
            gone.cancel()

    def reply(self, request: Request, fault: Fault | None = None) -> Reply:
        """The answer to one request; the webhooks that it causes in the foreground are sent meanwhile."""
        failed = _failure(fault, request, self.crm)
        if failed is not None:
            return failed
        params = php.parse_query(request.query)
        pretty = request.path == "/wp-json" or request.path.startswith("/wp-json/")
        route = request.path.removeprefix("/wp-json") if pretty else params.pop("rest_route", None)
        if not isinstance(route, str) or not (pretty or request.path in ("/", "/index.php")):
            found = request.path in ("/", "/index.php")
            title = "Welcome" if found else "Page not found"
            return Reply(200 if found else 404, page(title, "This is the site's theme."))
        headers = {"X-Robots-Tag": "noindex", "Link": self._link(fault)}
        user = self._user(request)
        try:
            reply = self._rest(request, route, params, user, fault)
        except RestError as error:
            reply = Reply(error.status, error.body)
        if user is not None:
            headers |= _NO_CACHE
        return Reply(reply.status, reply.body, headers | reply.headers)

    def _rest(
        self, request: Request, path: str, params: dict[str, Any], user: User | None, fault: Fault | None
    ) -> Reply:
        active = fault != "plugin_inactive"
        if path.strip("/") == "" and request.method == "GET":
            return Reply(200, self._index(active))
        route, contact_id = _find(request.method, path) if active else (None, 0)
        if route is None:
            raise no_route()
        allow = {"Allow": route.allow}
        try:
            params |= _body_params(request)
            if user is None or route.right not in user.rights:
                allow = {}
                raise forbidden(401 if user is None else 403)
            # Paging links repeat the address of the request, without its query.
            here = request.path if request.path.startswith("/wp-json") else ""
            with self.crm.change() as store:
                call = Call(store, self.crm.site_url, here.rstrip("/"), params, contact_id)
                body = route.handler(call)
        except RestError as error:
            return Reply(error.status, error.body, {} if error.status == 500 else allow)
        return Reply(200, body | ({"__bench": _BENCH} if route.timed else {}), allow)

    def _index(self, active: bool) -> dict[str, Any]:
        """WordPress's own index, which needs no password."""
        site = self.crm.site_url
        namespaces = ["oembed/1.0", *([NAMESPACE.strip("/")] if active else []), "wp/v2"]
        login = {"endpoints": {"authorization": f"{site}/wp-admin/authorize-application.php"}}
        about = {"name": "Simulated FluentCRM", "description": "", "url": site, "home": site}
        time = {"gmt_offset": 0, "timezone_string": ""}
        found = {"namespaces": namespaces, "authentication": {"application-passwords": login}, "routes": {}}
        return {**about, **time, **found, "_links": {"help": [{"href": "https://developer.wordpress.org/rest-api/"}]}}

    def _link(self, fault: Fault | None) -> str:
        root = "/index.php?rest_route=/" if fault in _PLAIN else "/wp-json/"
        return f'<{self.crm.site_url}{root}>; rel="https://api.w.org/"'

    def _user(self, request: Request) -> User | None:
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            username, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None
        return self.crm.user(username, password) if colon else None


def _find(method: str, path: str) -> tuple[Route | None, int]:
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match is not None and route.method == method:
            return route, int(match[1]) if match.lastindex else 0
    return None, 0


def _body_params(request: Request) -> dict[str, Any]:
    """JSON only where the content type says so, as WordPress does; else a form."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/x-www-form-urlencoded":
        return php.parse_query(request.body.decode("utf-8", "replace"))
    if content_type != "application/json" or not request.body.strip():
        return {}
    try:
        params = json.loads(request.body)
    except ValueError as error:
        raise invalid_json() from error
    return dict(php.items(params)) if isinstance(params, dict | list) else {}


def _failure(fault: Fault | None, request: Request, crm: SimulatedFluentCRM) -> Reply | None:
    """The whole answer of a fault that lets nothing through; None for those that do."""
    if fault == "outage":
        return Reply(503, page("503 Service Unavailable", "No server is available to handle this request."))
    if fault == "maintenance":
        text = "Briefly unavailable for scheduled maintenance. Check back in a minute."
        return Reply(503, page("Maintenance", text), {"Retry-After": "600"})
    if fault == "rate_limited":
        return Reply(429, page("429 Too Many Requests", "Slow down."), {"Retry-After": str(crm.retry_after)})
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


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _close(scope: Scope, receive: Receive) -> None:
    """Ends the connection without an answer; the server that runs us says how (`server.py`)."""
    scope["state"]["abort"]()
    await _wait_until_gone(receive)
