"""The only writer of deliveries: append, claim, finish, retry, give back, replay. Every move is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q

from memberhook.core.states import WAITING, State, before, check_moves
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Attempt, Delivery, Worker

MOST_ABANDONED = 10
"""A delivery whose worker died this often is not handed to another one."""

ROWS_AT_ONCE = 500
"""So many new deliveries fit in one statement: SQLite takes 32,766 values."""

_CLAIMS = 0x6D656D62  # advisory lock of PostgreSQL: claims see each other's lanes only one after the other


@dataclass(frozen=True, slots=True)
class Claim:
    """Claimed deliveries of one hook, oldest first."""

    hook: Hook
    worker: str
    deliveries: tuple[Delivery, ...]
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """How a delivery ended, or (`state` is RETRYING) when it is tried next."""

    delivery: Delivery
    state: State
    message: str
    outcome: dict[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None


def append(deliveries: Sequence[Delivery]) -> None:
    """Stores new deliveries in one transaction; on return they are on disk and have their ids.

    The hot path of the web process: one INSERT for the many, without the ORM's work on every value.
    """
    if not deliveries:
        return
    fields = [field for field in Delivery._meta.concrete_fields if not field.primary_key]
    write = {
        field.attname: connection.ops.adapt_datetimefield_value
        for field in fields
        if field.get_internal_type() == "DateTimeField"
    } | {"outcome": lambda value: connection.ops.adapt_json_value(value, None)}
    names = [field.attname for field in fields]
    row = f"({', '.join(['%s'] * len(names))})"
    quote = connection.ops.quote_name
    ids = []
    with transaction.atomic(), connection.cursor() as cursor:
        for start in range(0, len(deliveries), ROWS_AT_ONCE):
            rows = deliveries[start : start + ROWS_AT_ONCE]
            statement = (
                f"INSERT INTO {quote(Delivery._meta.db_table)} "  # noqa: S608  # names of ours
                f"({', '.join(map(quote, names))}) VALUES {', '.join([row] * len(rows))} RETURNING id"
            )
            values = [
                write[name](value) if name in write else value
                for delivery in rows
                for name, value in zip(names, map(delivery.__dict__.__getitem__, names), strict=True)
            ]
            cursor.execute(statement, values)
            ids += [pk for (pk,) in cursor.fetchall()]
    for delivery, pk in zip(deliveries, ids, strict=True):
        delivery.pk = pk
        delivery._state.adding = False


def waiting_hooks(now: datetime) -> list[int]:
    """Ids of the hooks that have something to do now."""
    return list(_due(now).order_by().values_list("hook_id", flat=True).distinct())


def _due(now: datetime) -> Any:
    paused = Q(hook__connection__paused_until__gt=now) | Q(hook__site__paused_until__gt=now)
    return Delivery.objects.filter(finished_at=None, state__in=WAITING, due_at__lte=now).exclude(paused)


def claim(hook_id: int, worker: str, now: datetime, *, contacts: int, lease: timedelta) -> Claim | None:
    """Takes what is due at a hook, for at most `contacts` contacts, each with all that waits for it.

    A contact that some worker has in hand is left alone, so its deliveries keep their order; one whose retry is not due
    yet comes along with a newer delivery of it that is. None when there is nothing to do.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIMS])
        due = _due(now).filter(hook_id=hook_id).exclude(ordering_key__in=_ordering_keys_in_work())
        ordering_keys = set(due.order_by("due_at", "id").values_list("ordering_key", flat=True)[:contacts])
        if not ordering_keys:
            return None
        waiting = Delivery.objects.filter(
            hook_id=hook_id, finished_at=None, ordering_key__in=ordering_keys, state__in=WAITING
        )
        deliveries = tuple(waiting.order_by("id")[: contacts * 20])
        Delivery.objects.filter(pk__in=[d.pk for d in deliveries]).update(
            state=State.WORKING,
            claimed_by=worker,
            claimed_at=now,
            lease_until=now + lease,
            attempts=F("attempts") + 1,
        )
    for delivery in deliveries:
        delivery.attempts += 1
        delivery.state = State.WORKING
    hook = Hook.objects.select_related("connection", "site").prefetch_related(*Hook.OPTION_ROWS).get(pk=hook_id)
    return Claim(hook, worker, deliveries, now)


def _ordering_keys_in_work() -> Any:
    return Delivery.objects.filter(finished_at=None, state=State.WORKING).values("ordering_key")


def lock_claimed(claim: Claim, deliveries: Iterable[Delivery]) -> set[int]:
    """Which of the deliveries are still this worker's. Call it first in the transaction that applies them: a worker
    that was taken for dead finds its batch gone here, before it has written anything."""
    held = Delivery.objects.filter(
        pk__in=[d.pk for d in deliveries], state=State.WORKING, claimed_by=claim.worker, claimed_at=claim.claimed_at
    )
    return set(held.select_for_update().values_list("pk", flat=True))


def keep_secrets(claim: Claim, deliveries: Collection[Delivery]) -> bool:
    """Writes the (encrypted) `secret` of each; `finish` wipes it. False where one is not this worker's any more: then
    nothing is written, and whoever has it now goes by a secret of its own."""
    with transaction.atomic():
        if len(lock_claimed(claim, deliveries)) < len(deliveries):
            return False
        Delivery.objects.bulk_update(deliveries, ["secret"])
        return True


def finish(claim: Claim, ends: Iterable[Result], now: datetime) -> None:
    """Writes how deliveries of the batch ended (or when they are tried again), and the attempt of each.

    What is not this worker's any more stays as it is.
    """
    with transaction.atomic():
        ends = list(ends)
        held = lock_claimed(claim, (end.delivery for end in ends))
        ends = [end for end in ends if end.delivery.pk in held]
        check_moves(State.WORKING, {end.state for end in ends})
        time, as_json = connection.ops.adapt_datetimefield_value, connection.ops.adapt_json_value
        with connection.cursor() as cursor:
            cursor.executemany(
                f"UPDATE {connection.ops.quote_name(Delivery._meta.db_table)} SET state = %s, message = %s, "  # noqa: S608
                "outcome = %s, due_at = %s, finished_at = %s, secret = %s, claimed_by = NULL, lease_until = NULL "
                "WHERE id = %s",
                [
                    (
                        end.state.value,
                        end.message,
                        as_json(end.outcome, None),
                        time(end.due_at or end.delivery.due_at),
                        None if end.state is State.RETRYING else time(now),
                        end.delivery.secret if end.state is State.RETRYING else "",
                        end.delivery.pk,
                    )
                    for end in ends
                ],
            )
        Attempt.objects.bulk_create(
            [_attempt(e.delivery, e.state, e.message, claim.claimed_at, now, claim.worker) for e in ends]
        )


def _attempt(delivery: Delivery, result: str, message: str, start: datetime, end: datetime, worker: str) -> Attempt:
    return Attempt(
        delivery=delivery,
        number=delivery.attempts,
        worker=worker,
        started_at=start,
        finished_at=end,
        result=result,
        message=message,
    )


def heartbeat(worker: str, now: datetime, lease: timedelta) -> None:
    """The worker lives: what it has in hand stays its own."""
    Worker.objects.update_or_create(name=worker, defaults={"seen_at": now})
    Delivery.objects.filter(finished_at=None, state=State.WORKING, claimed_by=worker).update(lease_until=now + lease)


def release_expired(now: datetime, *, workers: Collection[str] = ()) -> int:
    """Returns what dead workers had in hand: those whose lease ran out, and those known to be dead. How many."""
    lost = Delivery.objects.filter(finished_at=None, state=State.WORKING)
    with transaction.atomic():
        abandoned = list(
            lost.filter(Q(lease_until__lt=now) | Q(claimed_by__in=workers)).select_for_update().order_by("id")
        )
        for delivery in abandoned:
            hopeless = delivery.attempts >= MOST_ABANDONED
            message = "The worker died while it had this delivery in hand."
            attempt = _attempt(
                delivery, "abandoned", message, delivery.claimed_at or now, now, delivery.claimed_by or ""
            )
            attempt.save()
            delivery.state = State.FAILED if hopeless else State.RETRYING
            delivery.finished_at = now if hopeless else None
            delivery.secret = "" if hopeless else delivery.secret
            delivery.message = f"{message} It died {delivery.attempts} times; look at its log." if hopeless else message
            delivery.claimed_by = delivery.lease_until = None
            delivery.due_at = now
            delivery.save()
    return len(abandoned)


def replay(ids: Collection[int], now: datetime) -> int:
    """Puts finished deliveries back in the inbox, as if they had just come. How many."""
    finished = Delivery.objects.filter(pk__in=ids, state__in=before(State.PENDING))
    return finished.update(
        state=State.PENDING, attempts=0, due_at=now, first_due_at=now, finished_at=None, message="", outcome={}
    )


def finished(ids: Collection[int]) -> list[Delivery]:
    """Those of the deliveries that have ended."""
    return list(Delivery.objects.filter(pk__in=ids, finished_at__isnull=False).select_related("hook"))


def purge(before_time: datetime, limit: int = 1000) -> int:
    """Deletes deliveries that ended before that time and have nothing left to do, at most `limit`. How many."""
    old = Delivery.objects.filter(finished_at__lt=before_time).exclude(followups__done_at=None, followups__isnull=False)
    ids = list(old.order_by("id").values_list("pk", flat=True)[:limit])
    Delivery.objects.filter(pk__in=ids).delete()
    return len(ids)
