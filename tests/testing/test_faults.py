"""Each fault over real HTTP, and what is left of it when it is over."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import urllib3

from memberhook.core.errors import UsageError
from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
from memberhook.testing.fluentcrm.faults import Fault
from memberhook.testing.fluentcrm.rest import FluentCrmApp, Message

from .helpers import API, Clock, basic

TAGS = f"{API}/tags"
HEADERS = {"Authorization": basic()}


@pytest.fixture
def site(crm: SimulatedFluentCRM) -> Iterator[Running]:
    with Running(crm) as site:
        yield site


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=10) as http:
        yield http


def get(http: urllib3.PoolManager, site: Running, path: str = TAGS) -> urllib3.BaseHTTPResponse:
    return http.request("GET", site.url + path, headers=HEADERS)


def test_a_healthy_site_answers_and_logs(site: Running, http: urllib3.PoolManager) -> None:
    answer = http.request("GET", f"{site.url}{TAGS}?per_page=5", headers=HEADERS)
    assert answer.status == 200
    assert answer.json()["tags"]["total"] == 0
    assert http.request("POST", site.url + TAGS, json={"title": "Ä/b"}, headers=HEADERS).status == 200
    summaries = get(http, site)
    assert b'"title":"\\u00c4\\/b"' in summaries.data
    assert site.requests == [("GET", TAGS, "per_page=5"), ("POST", TAGS, ""), ("GET", TAGS, "")]


@pytest.mark.parametrize(
    ("fault", "status", "html", "headers"),
    [
        ("outage", 503, True, {"Retry-After": None}),
        ("maintenance", 503, True, {"Retry-After": "600"}),
        ("rate_limited", 429, True, {"Retry-After": "7"}),
        ("error500", 500, False, {"Allow": None}),
        ("challenge", 403, True, {}),
        ("challenge_200", 200, True, {}),
        ("plugin_inactive", 404, False, {}),
        ("plain_permalinks", 404, True, {}),
        ("plain_permalinks_home", 301, True, {}),
    ],
)
def test_answers_of_a_fault(
    crm: SimulatedFluentCRM,
    site: Running,
    http: urllib3.PoolManager,
    fault: Fault,
    status: int,
    html: bool,
    headers: dict[str, str | None],
) -> None:
    crm.retry_after = 7
    crm.fault = fault
    answer = get(http, site)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/html" if html else "application/json")
    assert {name: answer.headers.get(name) for name in headers} == headers
    crm.fault = None
    assert get(http, site).status == 200


def test_the_critical_error_has_the_recorded_shape(
    crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager
) -> None:
    crm.fault = "error500"
    body = get(http, site).json()
    assert list(body) == ["code", "message", "data", "additional_errors"]
    assert (body["code"], body["data"]) == ("internal_server_error", {"status": 500})


def test_an_inactive_plugin_is_told_before_the_password_is_looked_at(
    crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager
) -> None:
    index = f"{site.url}/wp-json/"
    assert "fluent-crm/v2" in http.request("GET", index).json()["namespaces"]
    assert http.request("GET", site.url + TAGS).status == 401
    crm.fault = "plugin_inactive"
    assert "fluent-crm/v2" not in http.request("GET", index).json()["namespaces"]
    answer = http.request("GET", site.url + TAGS)
    assert (answer.status, answer.json()["code"]) == (404, "rest_no_route")


@pytest.mark.parametrize("fault", ["plain_permalinks", "plain_permalinks_home"])
def test_plain_permalinks_leave_rest_route(
    crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager, fault: Fault
) -> None:
    for number in range(3):
        crm.add_tag(f"Tag {number}")
    crm.fault = fault
    answer = get(http, site, "/?rest_route=/fluent-crm/v2/tags&per_page=1&page=2")
    assert answer.json()["tags"]["prev_page_url"] == "?page=1"
    assert answer.headers["Link"] == '<http://site-a.example/index.php?rest_route=/>; rel="https://api.w.org/"'
    assert get(http, site, "/index.php?rest_route=/fluent-crm/v2/tags/").status == 200
    assert "fluent-crm/v2" in get(http, site, "/?rest_route=/").json()["namespaces"]


def test_without_pretty_permalinks_the_home_page_answers_everything(
    crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager
) -> None:
    crm.fault = "plain_permalinks_home"
    moved = http.request("GET", f"{site.url}{TAGS}?page=2", headers=HEADERS, redirect=False)
    assert moved.headers["Location"] == f"http://site-a.example{TAGS}/?page=2"
    assert get(http, site, f"{TAGS}/").status == 200
    written = http.request("POST", site.url + TAGS, json={"title": "Nope"}, headers=HEADERS)
    assert (written.status, written.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert crm.store.tags == {}


def test_a_closed_connection_gives_no_answer(crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager) -> None:
    crm.fault = "closed"
    with pytest.raises(urllib3.exceptions.ProtocolError):
        get(http, site)
    assert site.requests == [("GET", TAGS, "")]
    crm.fault = None
    assert get(http, site).status == 200


def test_a_closed_connection_changes_nothing(crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager) -> None:
    crm.fault = "closed"
    with pytest.raises(urllib3.exceptions.ProtocolError):
        http.request("POST", site.url + TAGS, json={"title": "Nope"}, headers=HEADERS)
    assert crm.store.tags == {}


def test_a_hanging_request_outlives_its_client(
    crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager
) -> None:
    crm.fault = "timeout"
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        http.request("GET", site.url + TAGS, headers=HEADERS, timeout=0.1)
    crm.fault = None
    assert get(http, site).status == 200


def test_a_released_request_is_answered(crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager) -> None:
    crm.fault = "timeout"
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(get(http, site).status))
    thread.start()
    deadline = time.monotonic() + 10
    while not site.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert statuses == []
    while thread.is_alive() and time.monotonic() < deadline:
        crm.release()
        thread.join(0.02)
    assert statuses == [200]


def test_a_site_stops_though_requests_hang(crm: SimulatedFluentCRM) -> None:
    crm.fault = "timeout"
    with Running(crm) as site, socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2]))) as client:
        client.sendall(f"GET {TAGS} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        deadline = time.monotonic() + 10
        while not site.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        site.stop()
        assert client.recv(100).startswith(b"HTTP/1.1 401")


def test_the_next_requests_fail_and_then_no_more(
    crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager
) -> None:
    crm.fail_next(2, "outage")
    crm.fail_next(1, "rate_limited")
    assert [get(http, site).status for _ in range(5)] == [503, 503, 429, 200, 200]


def test_a_standing_fault_waits_for_the_next_ones(
    crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager
) -> None:
    crm.fault = "challenge"
    crm.fail_next(1, "outage")
    assert [get(http, site).status for _ in range(2)] == [503, 403]


def test_latency_holds_up_one_request_and_not_the_others(
    crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager
) -> None:
    crm.latency = 0.5
    started = time.monotonic()
    threads = [threading.Thread(target=get, args=(http, site)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.5 <= time.monotonic() - started < 2


def test_an_unknown_fault_is_refused(crm: SimulatedFluentCRM) -> None:
    with pytest.raises(UsageError):
        crm.fault = "flood"  # type: ignore[assignment]  # what is refused
    with pytest.raises(UsageError):
        crm.fail_next(1, "flood")  # type: ignore[arg-type]  # what is refused
    assert crm.take_fault() is None


def test_running_takes_a_port_and_gives_it_back(clock: Clock) -> None:
    crm = SimulatedFluentCRM(clock)
    with Running(crm) as site:
        port = int(site.url.rpartition(":")[2])
        assert crm.site_url == site.url
        with pytest.raises(UsageError, match=str(port)):
            Running(crm, port).start()
    with Running(crm, port) as again:
        assert again.url == site.url
        assert urllib3.request("GET", f"{again.url}/wp-json/").json()["url"] == again.url
    crm.close()


def test_it_stops_without_a_warning(crm: SimulatedFluentCRM, recwarn: pytest.WarningsRecorder) -> None:
    """Threads and sockets are gone, with clients that keep their connection."""
    before = set(threading.enumerate())
    with Running(crm) as site:
        kept = urllib3.HTTPConnectionPool("127.0.0.1", int(site.url.rpartition(":")[2]))
        assert kept.request("GET", TAGS).status == 401
    kept.close()
    gc.collect()
    assert set(threading.enumerate()) <= before
    assert list(recwarn) == []


def test_the_log_is_bounded(crm: SimulatedFluentCRM) -> None:
    app = FluentCrmApp(crm, log_size=2)
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    for number in range(3):
        scope = {"type": "http", "method": "GET", "path": f"/{number}", "query_string": b"", "headers": []}
        asyncio.run(app(scope, receive, send))
    assert list(app.requests) == [("GET", "/1", ""), ("GET", "/2", "")]
    assert [message["status"] for message in sent if "status" in message] == [404, 404, 404]
