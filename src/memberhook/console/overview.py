"""The overview on the front page: recent deliveries, work in progress, and problems that need attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Model
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from memberhook import conf
from memberhook.console.labels import STATES, Text
from memberhook.console.markup import Link, span
from memberhook.core.states import FINISHED, WAITING, State, status
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery, Worker
from memberhook.models.followups import FollowUp

LATELY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with a label and a link. `tone` is empty if nothing needs attention."""

    number: str
    text: Text
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the owner should look at, with a link to the page where it can be solved."""

    text: str
    link: Link


@dataclass(frozen=True, slots=True)
class Overview:
    finished: list[Tile]
    in_progress: list[Tile]
    notices: list[Notice]


def overview(now: datetime) -> Overview:
    """Only indexed columns are read, so the page stays fast with many deliveries."""
    finished = _finished(now)
    workers = Worker.objects.filter(seen_at__gt=now - conf.LEASE()).count()
    followups, worker_list = _changelist(FollowUp), _changelist(Worker)
    return Overview(
        finished=[_status_tile(state, finished.get(state, 0)) for state in FINISHED],
        in_progress=[
            *(_status_tile(state, number) for state, number in _unfinished().items()),
            Tile(str(_waiting_followups()), _("Follow-ups waiting"), followups),
            Tile(str(workers), _("Workers running"), worker_list, "" if workers else "bad"),
        ],
        notices=_notices(now, finished.get(State.FAILED, 0), workers),
    )


def _changelist(model: type[Model]) -> str:
    return reverse(f"admin:memberhook_{model._meta.model_name}_changelist")


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
    return Tile(str(number), label.text, f"{_changelist(Delivery)}?status={state}", tone)


def _notices(now: datetime, failed: int, workers: int) -> list[Notice]:
    """Return what the owner should look at, most urgent first; for a new installation, the next step."""
    problems = [
        *_no_worker(workers),
        *_paused(now),
        *_oldest(now),
        *_failed_deliveries(failed),
        *_failed_followups(now),
    ]
    return problems or _next_step()


def _no_worker(workers: int) -> Iterator[Notice]:
    if not workers:
        text = gettext("No worker is running, so deliveries are not applied. Start one with: memberhook worker")
        yield Notice(text, Link(_changelist(Worker), _("Show workers")))


def _paused(now: datetime) -> Iterator[Notice]:
    for model, text in ((Connection, _("Test the connection")), (Site, _("Test the site"))):
        for account in model._default_manager.filter(paused_until__gt=now):
            url = reverse(f"admin:memberhook_{model._meta.model_name}_change", args=[account.pk])
            yield Notice(_paused_text(account, now), Link(url, text))


def _paused_text(account: Connection | Site, now: datetime) -> str:
    left = account.paused_until - now if account.paused_until else timedelta()
    text = gettext("%(name)s is paused for %(time)s because it was unavailable or asked for a pause.")
    return text % {"name": account.name, "time": span(left)}


def _oldest(now: datetime) -> Iterator[Notice]:
    delivery = Delivery.objects.filter(finished_at=None).order_by("received_at").only("received_at").first()
    if delivery:
        text = gettext("The oldest unfinished delivery was received %(time)s ago.")
        url = reverse("admin:memberhook_delivery_change", args=[delivery.pk])
        yield Notice(text % {"time": span(now - delivery.received_at)}, Link(url, _("Show the delivery")))


def _failed_deliveries(number: int) -> Iterator[Notice]:
    if number:
        text = ngettext(
            "%(number)d delivery failed in the last 24 hours.",
            "%(number)d deliveries failed in the last 24 hours.",
            number,
        )
        url = f"{_changelist(Delivery)}?status=failed"
        yield Notice(text % {"number": number}, Link(url, _("Show failed deliveries")))


def _failed_followups(now: datetime) -> Iterator[Notice]:
    number = FollowUp.objects.filter(state=State.FAILED, finished_at__gte=now - LATELY).count()
    if number:
        text = ngettext(
            "%(number)d follow-up failed in the last 24 hours.",
            "%(number)d follow-ups failed in the last 24 hours.",
            number,
        )
        url = f"{_changelist(FollowUp)}?state=failed"
        yield Notice(text % {"number": number}, Link(url, _("Show failed follow-ups")))


def _next_step() -> list[Notice]:
    if not Connection.objects.exists():
        add = Link(reverse("admin:memberhook_connection_add"), _("Add a connection"))
        return [Notice(gettext("To get started, connect your CRM."), add)]
    if not Hook.objects.exists():
        text = gettext("Next, add a hook and paste its address into your CRM.")
        return [Notice(text, Link(reverse("admin:memberhook_hook_add"), _("Add a hook")))]
    return []
