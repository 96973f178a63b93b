from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from memberhook.console.markup import span
from memberhook.console.overview import Overview, overview
from memberhook.models.connections import Connection, Hook
from memberhook.models.deliveries import Delivery, Worker
from memberhook.models.followups import FollowUp, Kind

Deliver = Callable[..., Delivery]


def tiles(found: Overview) -> dict[str, str]:
    return {str(tile.text): tile.number for tile in (*found.finished, *found.in_progress)}


@pytest.mark.usefixtures("db")
def test_a_new_installation_shows_the_next_step() -> None:
    Worker.objects.create(name="w", seen_at=timezone.now())
    assert [str(notice.link.text) for notice in overview(timezone.now()).notices] == ["Add a connection"]
    Connection.objects.create(name="shop", kind="fluentcrm")
    assert [str(notice.link.text) for notice in overview(timezone.now()).notices] == ["Add a hook"]


def test_without_problems_there_are_no_notices(hook: Hook, deliver: Deliver) -> None:
    now = timezone.now()
    Worker.objects.create(name="w", seen_at=now)
    deliver("applied")
    deliver("applied", finished_at=now - timedelta(hours=25))
    found = overview(now)
    assert found.notices == []
    assert tiles(found) == {
        "Applied": "1",
        "Unchanged": "0",
        "Ignored": "0",
        "Failed": "0",
        "Pending": "0",
        "Retrying": "0",
        "Follow-ups waiting": "0",
        "Workers running": "1",
    }


def test_notices(hook: Hook, deliver: Deliver) -> None:
    now = timezone.now()
    Worker.objects.create(name="w", seen_at=now - timedelta(days=1))
    Connection.objects.update(paused_until=now + timedelta(minutes=5))
    failed = deliver("failed")
    deliver("failed")
    old = deliver("retrying", received_at=now - timedelta(hours=3))
    deliver("working", attempts=1)
    deliver("working", attempts=2)
    FollowUp.objects.create(delivery=failed, kind=Kind.WELCOME, member_id="1", email="a@example.com")
    FollowUp.objects.create(
        delivery=old, kind=Kind.WELCOME, member_id="2", email="b@example.com", state="failed", finished_at=now
    )
    found = overview(now)
    expected = {"Failed": "2", "Pending": "1", "Retrying": "2", "Follow-ups waiting": "1", "Workers running": "0"}
    assert expected.items() <= tiles(found).items()
    assert [notice.text for notice in found.notices] == [
        "No worker is running, so deliveries are not applied. Start one with: memberhook worker",
        "shop is paused for 5 min because it was unavailable or asked for a pause.",
        "The oldest unfinished delivery was received 3 h ago.",
        "2 deliveries failed in the last 24 hours.",
        "1 follow-up failed in the last 24 hours.",
    ]
    assert found.notices[2].link.url == f"/console/memberhook/delivery/{old.pk}/change/"


def test_the_front_page_leads_to_the_failed_ones(console: Client, deliver: Deliver) -> None:
    deliver("failed")
    for page in ("/console/", "/console/memberhook/"):
        text = console.get(page).content.decode()
        assert 'href="/console/memberhook/delivery/?status=failed"' in text
        assert "1 delivery failed in the last 24 hours." in text


def test_follow_ups_that_wait_come_first(console: Client, deliver: Deliver) -> None:
    delivery, now = deliver(), timezone.now()
    common = {"delivery": delivery, "kind": Kind.WELCOME}
    states = {
        "": FollowUp.objects.create(member_id="1", email="waits@example.com", **common),
        "?state=failed": FollowUp.objects.create(
            member_id="2", email="f@example.com", state="failed", finished_at=now, **common
        ),
        "?state=done": FollowUp.objects.create(
            member_id="3", email="done@example.com", state="applied", finished_at=now, **common
        ),
    }
    for query, followup in states.items():
        result = console.get(f"/console/memberhook/followup/{query}").context["cl"].result_list
        assert [row.pk for row in result] == [followup.pk]
    assert console.get("/console/memberhook/followup/?state=all").context["cl"].result_list.count() == 3


def test_workers_are_running_or_not_responding(console: Client, hook: Hook) -> None:
    Worker.objects.create(name="here", seen_at=timezone.now())
    Worker.objects.create(name="gone", seen_at=timezone.now() - timedelta(days=3))
    text = console.get("/console/memberhook/worker/").content.decode()
    assert '<span class="mh-badge mh-good">Running</span>' in text
    assert '<span class="mh-badge mh-bad">Not responding</span>' in text
    assert "3 days ago" in text


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=119), "119 s"),
        (timedelta(minutes=119), "119 min"),
        (timedelta(hours=47), "47 h"),
        (timedelta(days=9), "9 days"),
    ],
)
def test_spans(time: timedelta, words: str) -> None:
    assert span(time) == words
