"""Answer webhooks, health and metrics in front of Django; every other address is Django's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.urls import Resolver404, ResolverMatch, resolve

from memberhook import addresses, conf
from memberhook.engine.runtime import Runtime
from memberhook.intake import views
from memberhook.intake.batching import Intake
from memberhook.intake.endpoint import HookApp, Receive, Scope, Send, send_rendered
from memberhook.intake.health_pages import PAGES
from memberhook.intake.rate_limit import RateLimit
from memberhook.intake.waiting import Waiting

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def application(django: Any, runtime: Runtime) -> App:
    """Memberhook in front of a Django ASGI application; a host project wraps its own with it.

    It answers the addresses that lead to Memberhook's views in the project's URLconf, wherever that has them.
    The thread that writes to the database starts with the first webhook, so servers without lifespan work too.
    """
    intake = Intake(runtime.now, RateLimit(conf.RATE_LIMIT()))
    hooks = HookApp(intake, Waiting(), runtime)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(intake, receive, send)
            return
        if scope["type"] != "http":
            await django(scope, receive, send)
            return
        script, path = split_path(scope)
        match = _match(path)
        view, arguments = (match.func, match.kwargs) if match else (None, {})
        if view is views.hook:
            await hooks.hook(scope, receive, send, arguments["name"])
        elif view is views.events:
            await hooks.hook(scope, receive, send, arguments["name"], signed=True)
        elif view is views.delivery:
            await hooks.delivery(scope, send, arguments["pk"])
        elif view is views.health_page:
            page = sync_to_async(PAGES[arguments["page"]], thread_sensitive=False)
            await send_rendered(send, await page(runtime.now()))
        elif match and match.url_name == addresses.ROOT_VIEW and _is_webhook(scope):
            await hooks.hook(scope, receive, send, None)
        else:
            await django({**scope, "root_path": script, "path": script + path}, receive, send)

    return app


def split_path(scope: Scope) -> tuple[str, str]:
    """The script name, and the path below it. A proxy in front may have taken the script name off the path, or not."""
    script = (settings.FORCE_SCRIPT_NAME or scope.get("root_path", "")).rstrip("/")
    path: str = scope["path"]
    return script, (path.removeprefix(script) if f"{path}/".startswith(f"{script}/") else path) or "/"


def _is_webhook(scope: Scope) -> bool:
    return views.is_webhook(scope["method"], scope["query_string"])


def _match(path: str) -> ResolverMatch | None:
    try:
        return resolve(path, urlconf=settings.ROOT_URLCONF)
    except Resolver404:
        return None


async def _lifespan(intake: Intake, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            await sync_to_async(intake.stop, thread_sensitive=False)()
            await send({"type": "lifespan.shutdown.complete"})
            return
