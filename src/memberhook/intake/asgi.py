"""The web application of the service: hook addresses, health and metrics here; every other address is Django's."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError

from memberhook import conf
from memberhook.engine import health
from memberhook.engine.runtime import Runtime
from memberhook.intake.batching import Intake
from memberhook.intake.endpoint import HookApp, Receive, Scope, Send
from memberhook.intake.rate_limit import RateLimit
from memberhook.intake.waiting import Waiting

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def application(django: Any, runtime: Runtime, *, root: bool = True) -> App:
    """Memberhook in front of a Django ASGI application; a host project wraps its own with it.

    `root`: webhooks are accepted at `/` too. A host project whose own pages post to `/` turns that off.
    The thread that writes to the database starts with the first webhook, so servers without lifespan work too.
    """
    intake = Intake(runtime.now, RateLimit(conf.RATE_LIMIT()))
    hooks = HookApp(intake, Waiting(), runtime)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(intake, receive, send)
            return
        path: str = scope.get("path", "")
        if scope["type"] != "http":
            await django(scope, receive, send)
        elif root and path == "/" and _is_webhook(scope):
            await hooks.hook(scope, receive, send, None)
        elif path.startswith("/hooks/"):
            name, _, what = path.removeprefix("/hooks/").rstrip("/").partition("/")
            if what == "events":
                await hooks.hook(scope, receive, send, name, signed=True)
            else:
                await hooks.hook(scope, receive, send, f"{name}/{what}" if what else name)
        elif path.startswith("/deliveries/"):
            await hooks.delivery(scope, send, path.removeprefix("/deliveries/").rstrip("/"))
        elif path in _PLAIN:
            await _plain(path, runtime, send)
        else:
            await django(scope, receive, send)

    return app


def _is_webhook(scope: Scope) -> bool:
    """The root path shows people a page; any other request to it is a webhook."""
    query = scope["query_string"]
    return scope["method"] not in ("GET", "HEAD") or b"wpf_action" in query or b"access_key" in query


async def _lifespan(intake: Intake, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await sync_to_async(intake.stop, thread_sensitive=False)()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _healthz(runtime: Runtime) -> tuple[int, str, bytes]:
    return 200, "text/plain; charset=utf-8", b"ok\n"


def _readyz(runtime: Runtime) -> tuple[int, str, bytes]:
    well, found = health.ready(runtime.now())
    return 200 if well else 503, "application/json", json.dumps({"ready": well, **found}).encode()


def _metrics(runtime: Runtime) -> tuple[int, str, bytes]:
    try:
        return 200, "text/plain; version=0.0.4; charset=utf-8", health.metrics(runtime.now())
    except DatabaseError:
        return 503, "text/plain; charset=utf-8", b"the database cannot be read\n"


_PLAIN: dict[str, Callable[[Runtime], tuple[int, str, bytes]]] = {
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/metrics": _metrics,
}


async def _plain(path: str, runtime: Runtime, send: Send) -> None:
    work: Any = sync_to_async(_PLAIN[path], thread_sensitive=False)
    status, kind, body = await work(runtime)
    headers = [
        (b"Content-Type", kind.encode()),
        (b"Content-Length", str(len(body)).encode()),
        (b"Cache-Control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
