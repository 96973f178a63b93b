"""What the front page says: what happened lately, what is on its way, what needs the owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count
from django.urls import reverse

from memberhook import conf
from memberhook.console.html import span
from memberhook.console.labels import STATES, Text
from memberhook.core.states import FINISHED, WAITING, State, status
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery, Worker
from memberhook.models.followups import FollowUp

LATELY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with its words; `url`: where it leads. `tone` is "" where nothing needs attention."""

    number: str
    text: Text
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    text: str
    url: str
    link: str


@dataclass(frozen=True, slots=True)
class Overview:
    finished: list[Tile]
    on_the_way: list[Tile]
    problems: list[Problem]


def overview(now: datetime) -> Overview:
    """All of it comes from indexed columns: the page stays quick however much is kept."""
    finished = _finished(now)
    workers = Worker.objects.filter(seen_at__gt=now - conf.LEASE()).count()
    return Overview(
        finished=[_status_tile(state, finished.get(state, 0)) for state in FINISHED],
        on_the_way=[
            *(_status_tile(state, number) for state, number in _unfinished().items()),
            Tile(str(_waiting_followups()), "follow-ups waiting", reverse("admin:memberhook_followup_changelist")),
            Tile(
                str(workers), "workers alive", reverse("admin:memberhook_worker_changelist"), "" if workers else "bad"
            ),
        ],
        problems=_problems(now, finished.get(State.FAILED, 0), workers),
    )


def _finished(now: datetime) -> dict[str, int]:
    lately = Delivery.objects.filter(finished_at__gte=now - LATELY)
    return dict(lately.order_by().values_list("state").annotate(Count("pk")))


def _unfinished() -> dict[State, int]:
    counts = dict.fromkeys(WAITING, 0)
    rows = Delivery.objects.filter(finished_at=None).order_by().values_list("state", "attempts").annotate(Count("pk"))
    for state, attempts, number in rows:
        counts[State(status(state, attempts))] += number
    return counts


def _waiting_followups() -> int:
    return FollowUp.objects.filter(finished_at=None).count()


def _status_tile(state: State, number: int) -> Tile:
    label = STATES[state]
    tone = label.tone if number and state in (State.FAILED, State.RETRYING) else ""
    return Tile(str(number), label.text, f"{reverse('admin:memberhook_delivery_changelist')}?status={state}", tone)


def _problems(now: datetime, failed: int, workers: int) -> list[Problem]:
    """What the owner should look at, most urgent first."""
    deliveries = reverse("admin:memberhook_delivery_changelist")
    found = []
    if not workers:
        text = "No worker has been heard of lately, so nothing is applied. Start one: memberhook worker"
        found.append(Problem(text, reverse("admin:memberhook_worker_changelist"), "Workers"))
    paused: list[Connection | Site] = [
        *Connection.objects.filter(paused_until__gt=now),
        *Site.objects.filter(paused_until__gt=now),
    ]
    for account in paused:
        what = account._meta.model_name
        text = f"{account.name} is not called for {span(account.paused_until - now)}: it was down or asked for it."  # type: ignore[operator]  # the filter says so
        change = reverse(f"admin:memberhook_{what}_change", args=[account.pk])
        found.append(Problem(text, change, f"Test the {what}"))
    oldest = Delivery.objects.filter(finished_at=None).order_by("received_at").only("received_at").first()
    if oldest:
        text = f"The oldest delivery that is not finished came in {span(now - oldest.received_at)} ago."
        found.append(Problem(text, reverse("admin:memberhook_delivery_change", args=[oldest.pk]), "Look at it"))
    if failed:
        text = f"{failed} {'delivery has' if failed == 1 else 'deliveries have'} failed in the last 24 hours."
        found.append(Problem(text, f"{deliveries}?status=failed", "Look at them"))
    if lost := FollowUp.objects.filter(state=State.FAILED, finished_at__gte=now - LATELY).count():
        text = f"{lost} follow-up{'' if lost == 1 else 's'} failed in the last 24 hours."
        found.append(Problem(text, f"{reverse('admin:memberhook_followup_changelist')}?state=failed", "Look at them"))
    return found or _first_steps()


def _first_steps() -> list[Problem]:
    """For a new installation: what to do next."""
    if not Connection.objects.exists():
        return [
            Problem("Start here: connect your CRM.", reverse("admin:memberhook_connection_add"), "Add a connection")
        ]
    if not Hook.objects.exists():
        text = "Next: make a hook, and paste its address into the CRM."
        return [Problem(text, reverse("admin:memberhook_hook_add"), "Add a hook")]
    return []
