from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from memberhook.console.html import span
from memberhook.console.overview import Overview, overview
from memberhook.models.connections import Connection, Hook
from memberhook.models.deliveries import Delivery, Worker
from memberhook.models.followups import FollowUp, Kind

Deliver = Callable[..., Delivery]


def tiles(found: Overview) -> dict[str, str]:
    return {str(tile.text): tile.number for tile in (*found.finished, *found.on_the_way)}


@pytest.mark.usefixtures("db")
def test_a_new_installation_is_told_where_to_start() -> None:
    Worker.objects.create(name="w", seen_at=timezone.now())
    assert [problem.link for problem in overview(timezone.now()).problems] == ["Add a connection"]
    Connection.objects.create(name="shop", kind="fluentcrm")
    assert [problem.link for problem in overview(timezone.now()).problems] == ["Add a hook"]


def test_what_is_well_needs_nobody(hook: Hook, deliver: Deliver) -> None:
    now = timezone.now()
    Worker.objects.create(name="w", seen_at=now)
    deliver("applied")
    deliver("applied", finished_at=now - timedelta(hours=25))
    found = overview(now)
    assert found.problems == []
    assert tiles(found) == {
        "Applied": "1",
        "Unchanged": "0",
        "Ignored": "0",
        "Failed": "0",
        "Pending": "0",
        "Retrying": "0",
        "follow-ups waiting": "0",
        "workers alive": "1",
    }


def test_what_needs_the_owner(hook: Hook, deliver: Deliver) -> None:
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
    expected = {"Failed": "2", "Pending": "1", "Retrying": "2", "follow-ups waiting": "1", "workers alive": "0"}
    assert expected.items() <= tiles(found).items()
    assert [problem.text for problem in found.problems] == [
        "No worker has been heard of lately, so nothing is applied. Start one: memberhook worker",
        "shop is not called for 5 min: it was down or asked for it.",
        "The oldest delivery that is not finished came in 3 h ago.",
        "2 deliveries have failed in the last 24 hours.",
        "1 follow-up failed in the last 24 hours.",
    ]
    assert found.problems[2].url == f"/console/memberhook/delivery/{old.pk}/change/"


def test_the_front_page_leads_to_the_failed_ones(console: Client, deliver: Deliver) -> None:
    deliver("failed")
    for page in ("/console/", "/console/memberhook/"):
        text = console.get(page).content.decode()
        assert 'href="/console/memberhook/delivery/?status=failed"' in text
        assert "1 delivery has failed in the last 24 hours." in text


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


def test_workers_are_alive_or_silent(console: Client, hook: Hook) -> None:
    Worker.objects.create(name="here", seen_at=timezone.now())
    Worker.objects.create(name="gone", seen_at=timezone.now() - timedelta(days=3))
    text = console.get("/console/memberhook/worker/").content.decode()
    assert '<span class="mh-badge mh-good">alive</span>' in text
    assert '<span class="mh-badge mh-bad">silent</span>' in text
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
