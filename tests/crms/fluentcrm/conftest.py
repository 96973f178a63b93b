from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from memberhook.core.http_client import HttpClient
from memberhook.crms.contract import Account
from memberhook.crms.fluentcrm import FluentCrmClient
from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
from tests.loopback import Answer, Loopback, Reply

USERNAME, PASSWORD = "memberhook", "abcd EFGH ijkl MNOP qrst UVWX"

Connect = Callable[..., FluentCrmClient]
Serve = Callable[..., Loopback]


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(allow_private=True, connect_timeout=2, read_timeout=5)
    yield client
    client.close()


@pytest.fixture
def connect(http: HttpClient) -> Connect:
    """A client for a site of that address."""

    def connected(url: str, username: str = USERNAME, password: str = PASSWORD) -> FluentCrmClient:
        return FluentCrmClient(Account(url, username, password), http)

    return connected


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a web server that gives these answers."""
    running: list[Loopback] = []

    def start(answer: Answer | Reply) -> Loopback:
        running.append(Loopback(answer if callable(answer) else lambda _: answer))
        return running[-1].__enter__()

    yield start
    for server in running:
        server.__exit__(None, None, None)


@pytest.fixture
def crm() -> Iterator[SimulatedFluentCRM]:
    """A simulated FluentCRM with two tags, a list, and fields of most types; no contacts."""
    crm = SimulatedFluentCRM(lambda: datetime(2026, 11, 23, 12, 0, 0))  # noqa: DTZ001 - the site's local time
    crm.add_user(USERNAME, PASSWORD)
    crm.add_tag("Customer")
    crm.add_tag("Newsletter")
    crm.add_list("Main List")
    for slug, type_, options in (
        ("wp_password", "text", ()),
        ("interests", "select-multi", ("a", "b")),
        ("plan", "select-one", ("free", "pro")),
        ("sex", "radio", ("f", "m", "x")),
        ("channels", "checkbox", ("mail", "sms")),
        ("renewal", "date", ()),
        ("seen", "date_time", ()),
        ("seats", "number", ()),
        ("remarks", "textarea", ()),
        ("shape", "hologram", ()),
    ):
        crm.add_field(slug, type_, slug.title(), options)
    yield crm
    crm.close()


@pytest.fixture
def site(crm: SimulatedFluentCRM) -> Iterator[Running]:
    with Running(crm) as running:
        yield running


@pytest.fixture
def client(site: Running, connect: Connect) -> FluentCrmClient:
    return connect(site.url)
