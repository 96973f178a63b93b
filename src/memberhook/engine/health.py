"""`/healthz` (alive), `/readyz` (storage, queue, worker) and `/metrics` (Prometheus). No personal data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import DatabaseError
from django.db.models import Count, Min

from memberhook import conf, extras
from memberhook.core.states import State
from memberhook.engine.wakeup import message_queue
from memberhook.models.deliveries import Delivery, Worker
from memberhook.models.followups import FollowUp

if TYPE_CHECKING:
    from prometheus_client.core import Metric


def storage(now: datetime) -> str | None:
    """What is wrong, or None; the other two checks return the same."""
    try:
        Delivery.objects.exists()
    except DatabaseError as error:
        return f"the database cannot be read: {error}"
    return None


def queue(now: datetime) -> str | None:
    try:
        message_queue().storage.queue_size()
    except Exception as error:  # whatever the queue's storage raises
        return f"the queue does not answer ({type(error).__name__})"
    return None


def worker(now: datetime) -> str | None:
    try:
        alive = Worker.objects.filter(seen_at__gt=now - conf.LEASE()).exists()
    except DatabaseError:
        return "unknown: the database cannot be read"
    return None if alive else "no worker has been heard of lately; start one: memberhook worker"


CHECKS: dict[str, Callable[[datetime], str | None]] = {"storage": storage, "queue": queue, "worker": worker}


def ready(now: datetime) -> tuple[bool, dict[str, str]]:
    problems = {name: check(now) for name, check in CHECKS.items()}
    return not any(problems.values()), {name: problem or "ok" for name, problem in problems.items()}


class _Inbox:
    """Queried for each scrape: right for every process, and after every restart."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        counts = dict(Delivery.objects.values_list("state").annotate(Count("pk")))
        deliveries = GaugeMetricFamily("memberhook_deliveries", "Deliveries kept, by state.", labels=["state"])
        for state in State:
            deliveries.add_metric([state.value], counts.get(state.value, 0))
        yield deliveries
        oldest = Delivery.objects.filter(finished_at=None).aggregate(oldest=Min("received_at"))["oldest"]
        age = (self.now - oldest).total_seconds() if oldest else 0
        yield GaugeMetricFamily("memberhook_oldest_unfinished_seconds", "Age of the oldest unfinished delivery.", age)
        left = FollowUp.objects.filter(finished_at=None).count()
        yield GaugeMetricFamily("memberhook_followups_waiting", "Welcome e-mails and passwords still to be sent.", left)
        alive = Worker.objects.filter(seen_at__gt=self.now - conf.LEASE()).count()
        yield GaugeMetricFamily("memberhook_workers", "Worker processes that are alive.", alive)


def metrics(now: datetime) -> bytes:
    """Raises `ImproperlyConfigured` where the client for Prometheus is not installed."""
    extras.require("server", "/metrics", "prometheus_client")
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Inbox(now))
    return generate_latest(registry)
