"""Each fault over real HTTP, and the server's start and end."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator

import pytest
import urllib3

from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
from memberhook.testing.fluentcrm.crm import Fault

from .helpers import API, basic

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


def test_a_healthy_site_answers_and_logs(crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager) -> None:
    crm.add_tag("Ä/b")
    answer = http.request("GET", f"{site.url}{TAGS}?per_page=5", headers=HEADERS)
    assert (answer.status, answer.json()["tags"]["total"]) == (200, 1)
    assert b'"title":"\\u00c4\\/b"' in get(http, site).data
    assert site.requests == [("GET", TAGS, "per_page=5"), ("GET", TAGS, "")]


@pytest.mark.parametrize(
    ("fault", "status", "html", "retry_after"),
    [
        ("outage", 503, True, None),
        ("maintenance", 503, True, "600"),
        ("rate_limited", 429, True, "1"),
        ("error500", 500, False, None),
        ("challenge", 403, True, None),
        ("challenge_200", 200, True, None),
        ("plugin_inactive", 404, False, None),
        ("plain_permalinks", 404, True, None),
        ("plain_permalinks_home", 301, True, None),
    ],
)
def test_responses_of_a_fault(
    crm: SimulatedFluentCRM,
    site: Running,
    http: urllib3.PoolManager,
    fault: Fault,
    status: int,
    html: bool,
    retry_after: str | None,
) -> None:
    crm.fault = fault
    answer = get(http, site)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, retry_after)
    assert answer.headers["Content-Type"].startswith("text/html" if html else "application/json")
    crm.fault = None
    assert get(http, site).status == 200


def test_an_inactive_plugin_is_noticed_before_the_password(
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


def test_a_closed_connection_gives_no_answer(crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager) -> None:
    crm.fault = "closed"
    with pytest.raises(urllib3.exceptions.ProtocolError):
        get(http, site)
    assert site.requests == [("GET", TAGS, "")]
    crm.fault = None
    assert get(http, site).status == 200


def test_latency_delays_each_request_alone(crm: SimulatedFluentCRM, site: Running, http: urllib3.PoolManager) -> None:
    crm.latency = 0.5
    started = time.monotonic()
    threads = [threading.Thread(target=get, args=(http, site)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.5 <= time.monotonic() - started < 2


def test_it_stops_without_a_warning(crm: SimulatedFluentCRM, recwarn: pytest.WarningsRecorder) -> None:
    """Threads and sockets are gone, although clients keep their connections; the port can be used again."""
    before = set(threading.enumerate())
    with Running(crm) as site:
        port = int(site.url.rpartition(":")[2])
        client = urllib3.HTTPConnectionPool("127.0.0.1", port)
        assert client.request("GET", TAGS).status == 401
    client.close()
    gc.collect()
    assert set(threading.enumerate()) <= before
    assert list(recwarn) == []
    with Running(crm, port) as again:
        assert again.url == site.url
