"""Printed addresses are served: at the root, under a prefix, and below a path of the public URL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import checks
from django.core.handlers.asgi import ASGIHandler
from django.test import Client
from django.urls import get_script_prefix, resolve, set_script_prefix

from memberhook import addresses
from memberhook.core.errors import UsageError
from memberhook.engine.runtime import system_runtime
from memberhook.intake import answers
from memberhook.intake.asgi import application
from memberhook.models.connections import Hook
from memberhook.services import hooks
from tests.intake import project_urls
from tests.members_area import guards_alone, pages_of_a_project

HOST = "tests.host.urls"


@pytest.fixture(autouse=True)
def _script_prefix() -> Iterator[None]:
    before = get_script_prefix()
    yield
    set_script_prefix(before)


@pytest.fixture
def shop() -> Hook:
    return Hook(name="shop")


def printed(hook: Hook) -> dict[str, str]:
    """Every kind of address that is printed, mailed or answered."""
    return {
        "with a key": hooks.url("add", {"role": "customer"}, key="KEY", hook=hook),
        "of the hook": hooks.url("update", hook=hook),
        "events": hooks.events_url(hook),
        "delivery": answers.location(7).partition("?")[0],
        "set password": str(addresses.set_password_address("MQ", "abc-def")),
        "log in": addresses.login_address(),
    }


SERVICE = {
    "with a key": "/?wpf_action=add&access_key=KEY&role=customer",
    "of the hook": "/hooks/shop?wpf_action=update",
    "events": "/hooks/shop/events",
    "delivery": "/deliveries/7",
    "set password": "/password/set/MQ/abc-def/",
    "log in": "/login/",
}
PREFIXED = {
    "with a key": "/members/hooks/shop?wpf_action=add&access_key=KEY&role=customer",
    "of the hook": "/members/hooks/shop?wpf_action=update",
    "events": "/members/hooks/shop/events",
    "delivery": "/members/deliveries/7",
    "set password": "/members/password/set/MQ/abc-def/",
    "log in": "/members/login/",
}


@pytest.mark.parametrize("script", ["/", "/bridge/"])
@pytest.mark.parametrize("public", ["https://club.example", "https://club.example/", "https://example.com/bridge/"])
def test_addresses_of_the_service(shop: Hook, settings: Any, public: str, script: str) -> None:
    """Whether a request's script name is known in this process makes no difference."""
    settings.MEMBERHOOK_PUBLIC_URL = public
    set_script_prefix(script)
    expected = {name: f"{public.rstrip('/')}{path}" for name, path in SERVICE.items()}
    assert printed(shop) == expected
    assert addresses.address_of("admin:index") == f"{public.rstrip('/')}/console/"


@pytest.mark.parametrize("public", ["https://club.example", "https://example.com/club"])
def test_addresses_under_a_prefix(shop: Hook, settings: Any, public: str) -> None:
    settings.ROOT_URLCONF, settings.MEMBERHOOK_PUBLIC_URL = HOST, public
    assert printed(shop) == {name: f"{public}{path}" for name, path in PREFIXED.items()}
    for address in printed(shop).values():
        path = urlsplit(address).path.removeprefix("/club")
        assert resolve(path, urlconf=HOST).app_names == ["memberhook"]


def test_every_printed_address_of_the_service_is_served(shop: Hook) -> None:
    for address in printed(shop).values():
        assert resolve(urlsplit(address).path)


@pytest.mark.parametrize(
    ("login_url", "address"),
    [
        ("/accounts/login/", "https://example.com/accounts/login/"),
        ("https://id.example/in", "https://id.example/in"),
        ("memberhook:login", "https://example.com/club/login/"),
    ],
)
def test_the_log_in_page_of_a_project(settings: Any, login_url: str, address: str) -> None:
    settings.ROOT_URLCONF = pages_of_a_project.__name__ if ":" in login_url and "//" not in login_url else HOST
    settings.MEMBERHOOK_PUBLIC_URL, settings.LOGIN_URL = "https://example.com/club", login_url
    if settings.ROOT_URLCONF == HOST:
        settings.ROOT_URLCONF = guards_alone.__name__
    assert addresses.login_address() == address


def test_without_memberhooks_urls_there_is_no_address(shop: Hook, settings: Any) -> None:
    settings.ROOT_URLCONF = guards_alone.__name__
    assert hooks.urls(shop, "KEY") == {}
    with pytest.raises(UsageError, match=r"does not include memberhook\.urls"):
        hooks.url("add", hook=shop)
    with pytest.raises(UsageError, match=r"does not include memberhook\.urls"):
        hooks.events_url(shop)
    assert addresses.set_password_address("MQ", "abc-def") is None
    found = {message.id for message in checks.run_checks(tags=[checks.Tags.urls])}
    assert {"memberhook.W003", "memberhook.W004"} <= found


def test_a_script_name_that_the_public_url_lacks_is_found(settings: Any) -> None:
    settings.FORCE_SCRIPT_NAME = "/bridge"
    assert "memberhook.W005" in {message.id for message in checks.run_checks(tags=[checks.Tags.urls])}
    settings.MEMBERHOOK_PUBLIC_URL = "https://example.com/bridge/"
    assert "memberhook.W005" not in {message.id for message in checks.run_checks(tags=[checks.Tags.urls])}


# The ASGI wrapper


async def _send(path: str, root_path: str, method: str, query: str) -> tuple[int, bytes, str]:
    """Status, body, and the path that Django saw."""
    seen: list[str] = []
    sent: list[MutableMapping[str, Any]] = []

    async def django(scope: Any, receive: Any, send: Any) -> None:
        request = ASGIHandler.request_class(scope, None)  # type: ignore[arg-type]
        seen.append(f"{request.path} {request.path_info}")
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "root_path": root_path, "query_string": query.encode(),
        "headers": [], "client": ("203.0.113.1", 1), "server": ("127.0.0.1", 80), "scheme": "http",
    }  # fmt: skip
    await application(django, system_runtime())(scope, receive, send)
    return sent[0]["status"], sent[1]["body"], "".join(seen)


def send(path: str, root_path: str = "", *, method: str = "GET", query: str = "") -> tuple[int, bytes, str]:
    return asyncio.run(_send(path, root_path, method, query))


def takes(answer: tuple[int, bytes, str]) -> str:
    """Which methods Memberhook says that the address takes."""
    status, body, _ = answer
    message: str = json.loads(body)["error"]["message"] if status == 405 else ""
    return message.partition("it takes ")[2].rstrip(".")


PROXIES = {
    "at the root": ("", "", ""),
    "the proxy keeps the path": ("/bridge", "", "/bridge"),
    "the proxy strips the path": ("", "", "/bridge"),
    "the server knows the path, and the proxy keeps it": ("/bridge", "/bridge", ""),
    "the server knows the path, and the proxy strips it": ("", "/bridge", ""),
}


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize("prefix", ["", "/members"])
def test_the_wrapper_finds_its_addresses(settings: Any, proxy: str, prefix: str) -> None:
    before, root_path, forced = PROXIES[proxy]
    settings.FORCE_SCRIPT_NAME = forced or None
    settings.ROOT_URLCONF = HOST if prefix else project_urls.__name__
    script = root_path or forced
    here = f"{before}{prefix}"
    assert send(f"{here}/healthz", root_path) == (200, b"ok\n", "")
    for path in ("/hooks/shop", "/hooks/shop/", "/hooks/shop/nowhere"):
        assert takes(send(f"{here}{path}", root_path, method="PUT")) == "GET, POST"
    assert takes(send(f"{here}/hooks/shop/events", root_path)) == "POST"
    status, body, _ = send(f"{here}/deliveries/x?", root_path)
    assert (status, json.loads(body)["error"]["code"]) == (404, "not_found")
    assert send(f"{here}/nowhere", root_path) == (299, b"", f"{script}{prefix}/nowhere {prefix}/nowhere")
    assert send(f"{before}/", root_path, method="POST")[0] == 299


def test_the_root_takes_webhooks_where_the_urlconf_says_so(settings: Any) -> None:
    assert takes(send("/", method="PUT")) == "GET, POST"
    assert send("/")[2] == "/ /"
    settings.FORCE_SCRIPT_NAME = "/bridge"
    assert takes(send("/bridge", method="PUT")) == "GET, POST"
    assert takes(send("/bridge/", method="PUT")) == "GET, POST"
    assert send("/bridge")[2] == "/bridge/ /"
    assert send("/bridgehead/", method="POST")[2] == "/bridge/bridgehead/ /bridgehead/"


def test_the_root_of_the_service_as_a_plain_view(client: Client, db: None) -> None:
    assert client.get("/?wpf_action=test").json()["error"]["code"] == "invalid_access_key"
    assert client.get("/healthz").content == b"ok\n"
    assert client.get("/metrics").content.startswith(b"# HELP memberhook_deliveries")
    assert client.get("/readyz").status_code in (200, 503)
