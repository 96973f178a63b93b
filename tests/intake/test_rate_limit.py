from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.db import OperationalError

from memberhook.core.errors import RequestRejected
from memberhook.engine import inbox
from memberhook.intake import answers, endpoint, query
from memberhook.intake.batching import Accepted, Intake
from memberhook.intake.inbound import InboundRequest, client_address
from memberhook.intake.rate_limit import RateLimit
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery
from memberhook.services import keys
from tests.conftest import Clock


def inbound(key: str, body: bytes = b'{"id": 7}', address: str = "wpf_action=add") -> InboundRequest:
    return InboundRequest(
        "POST", query.read(f"{address}&access_key={key}"), None, content_type="application/json", body=body
    )


@pytest.fixture
def intake(clock: Clock) -> Intake:
    return Intake(clock, RateLimit(0))


def test_a_key_has_its_rate(hook: Hook, clock: Clock) -> None:
    intake = Intake(clock, RateLimit(60))
    key, other = keys.new_key(hook, clock()), keys.new_key(hook, clock())
    results = intake.accept_batch([inbound(key) for _ in range(62)])
    assert [isinstance(r, Accepted) for r in results] == [True] * 60 + [False] * 2
    refused = results[-1]
    assert isinstance(refused, RequestRejected)
    assert (refused.status, refused.retry_after) == (429, 1)
    assert isinstance(intake.accept_batch([inbound(other)])[0], Accepted), "another key has its own"
    clock.pass_(seconds=1)
    assert isinstance(intake.accept_batch([inbound(key)])[0], Accepted)


def test_one_bad_request_refuses_no_other(hook: Hook, clock: Clock, intake: Intake) -> None:
    key = keys.new_key(hook, clock())
    results = intake.accept_batch(
        [inbound(key), inbound("wrong"), inbound(key, b"{"), inbound(key, address="wpf_action=test")]
    )
    assert [type(r).__name__ for r in results] == ["Accepted", "RequestRejected", "RequestRejected", "Accepted"]
    assert Delivery.objects.count() == 1


def test_requests_that_arrive_together_share_one_transaction(
    hook: Hook, clock: Clock, intake: Intake, django_assert_max_num_queries: Any
) -> None:
    key = keys.new_key(hook, clock())
    with django_assert_max_num_queries(4):  # keys, begin, insert, commit (some of which are not counted)
        results = intake.accept_batch([inbound(key, b'{"id": %d}' % n) for n in range(1, 200)])
    assert all(isinstance(r, Accepted) for r in results)


@pytest.mark.parametrize("error", [OperationalError("database or disk is full"), RuntimeError("a bug")])
def test_what_cannot_be_stored_is_refused(
    hook: Hook, clock: Clock, intake: Intake, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(inbox, "append", fail)
    [refused] = intake.accept_batch([inbound(keys.new_key(hook, clock()))])
    assert isinstance(refused, RequestRejected)
    assert (refused.status, refused.code, refused.retry_after) == (503, "storage_unavailable", 10)
    assert answers.rejected(refused).headers == {"Retry-After": "10"}


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        ("*/*", False),
        ("", False),
        ("application/json", False),
        ("application/json, text/html", False),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("TEXT/HTML;level=1", True),
    ],
)
def test_only_browsers_get_pages(accept: str, page: bool) -> None:
    assert answers.wants_page(accept) is page


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "6.6.6.6, 198.51.100.1, 10.0.0.3", "198.51.100.1"),
        ("10.0.0.2", "10.0.0.4, 10.0.0.3", "10.0.0.4"),
        ("", "198.51.100.1", ""),
    ],
)
def test_a_client_cannot_choose_its_address(settings: Any, peer: str, forwarded: str, expected: str) -> None:
    settings.MEMBERHOOK_TRUSTED_PROXIES = "10.0.0.0/8"
    assert client_address(peer, forwarded) == expected


def test_a_body_is_read_no_further_than_the_limit(settings: Any) -> None:
    settings.MEMBERHOOK_MAX_BODY = 10
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 6, "more_body": True}

    scope: dict[str, Any] = {"method": "POST", "query_string": b"", "headers": [], "client": ("127.0.0.1", 1)}
    with pytest.raises(RequestRejected) as caught:
        asyncio.run(endpoint.read_inbound(scope, receive, {}, None))
    assert (caught.value.status, read) == (413, 2)


def test_the_location_opens_only_its_own_delivery() -> None:
    token = answers.location(7).partition("token=")[2]
    assert answers.is_token(7, token)
    assert not answers.is_token(8, token)
    assert not answers.is_token(7, "")
    assert not answers.is_token(7, "é")
