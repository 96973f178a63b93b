"""Claim, lease, retry and finish: one engine for deliveries and follow-ups.

A worker claims rows under a lease, works on them, and finishes them or sets their next attempt. Its heartbeat extends
the lease; when that expires (the process was killed, say), the rows go back and another worker claims them. Whoever
claimed a row and lost it finds out in `lock_claimed` and writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from memberhook.core.errors import MemberhookError
from memberhook.core.states import WAITING, State, check_moves
from memberhook.engine.retry import after
from memberhook.engine.runtime import Runtime
from memberhook.models.claims import Claimable

MAX_ABANDONED = 10
"""A row whose worker has died this often fails: it may be what kills them."""

_LOCK = 0x6D656D62  # advisory lock of PostgreSQL

RowT = TypeVar("RowT", bound=Claimable)


@dataclass(frozen=True, slots=True)
class Claim(Generic[RowT]):
    """Rows that a worker has claimed, oldest first. Worker and time identify the claim."""

    rows: tuple[RowT, ...]
    worker: str
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Result(Generic[RowT]):
    """How a row ended or, with the state RETRYING, when it is tried next. `values`: other columns to write."""

    row: RowT
    state: State
    message: str
    due_at: datetime | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def due(rows: QuerySet[RowT], now: datetime) -> QuerySet[RowT]:
    return rows.filter(finished_at=None, state__in=WAITING, due_at__lte=now)


def claimed(rows: QuerySet[RowT]) -> QuerySet[RowT]:
    return rows.filter(finished_at=None, state=State.WORKING)


@contextmanager
def claiming() -> Iterator[None]:
    """A transaction in which no other worker claims anything. SQLite has one writer at a time anyway."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def claim(rows: Sequence[RowT], worker: str, now: datetime, lease: timedelta) -> Claim[RowT]:
    """Claim waiting rows that were read inside `claiming`."""
    if rows:
        _table(rows).filter(pk__in=[row.pk for row in rows]).update(
            state=State.WORKING, claimed_by=worker, claimed_at=now, lease_until=now + lease, attempts=F("attempts") + 1
        )
    for row in rows:
        row.attempts += 1
        row.state = State.WORKING
    return Claim(tuple(rows), worker, now)


def lock_claimed(claim: Claim[RowT], rows: Collection[RowT]) -> set[int]:
    """Lock the rows that are still this worker's, and return their ids.

    Call it first in the transaction that writes their results: a worker whose lease expired stops here.
    """
    if not rows:
        return set()
    held = claimed(_table(rows)).filter(
        pk__in=[row.pk for row in rows], claimed_by=claim.worker, claimed_at=claim.claimed_at
    )
    return set(held.select_for_update().values_list("pk", flat=True))


def finish(claim: Claim[RowT], results: Iterable[Result[RowT]], now: datetime) -> list[Result[RowT]]:
    """Write the results of rows that are still this worker's, and return those results."""
    with transaction.atomic():
        results = list(results)
        held = lock_claimed(claim, [result.row for result in results])
        results = [result for result in results if result.row.pk in held]
        check_moves(State.WORKING, {result.state for result in results})
        if results:
            _update(results, now)
    return results


def _update(results: Sequence[Result[RowT]], now: datetime) -> None:
    model = type(results[0].row)
    changes = [_changes(result, now) for result in results]
    columns = [column for column in model._meta.concrete_fields if column.name in changes[0]]
    quote = connection.ops.quote_name
    settings = ", ".join(f"{quote(str(column.column))} = %s" for column in columns)
    with connection.cursor() as cursor:  # one statement for all rows; Django's bulk_update is several times slower
        cursor.executemany(
            f"UPDATE {quote(model._meta.db_table)} SET {settings}, claimed_by = NULL, lease_until = NULL "  # noqa: S608
            "WHERE id = %s",
            [
                [*(column.get_db_prep_save(row[column.name], connection) for column in columns), result.row.pk]
                for result, row in zip(results, changes, strict=True)
            ],
        )


def _changes(result: Result[RowT], now: datetime) -> dict[str, Any]:
    again = result.state is State.RETRYING
    return {
        "state": result.state.value,
        "message": result.message,
        "due_at": result.due_at or result.row.due_at,
        "finished_at": None if again else now,
        "secret": result.row.secret if again else "",
        **result.values,
    }


def try_again_or_fail(row: RowT, problem: MemberhookError, runtime: Runtime, **values: Any) -> Result[RowT]:
    """The next attempt, or the end when the problem will not pass or has lasted too long."""
    due_at = after(problem, row.attempts, runtime.now(), row.first_due_at, runtime.jitter)
    return Result(row, State.RETRYING if due_at else State.FAILED, problem.message, due_at, values)


def extend_leases(rows: QuerySet[RowT], worker: str, now: datetime, lease: timedelta) -> None:
    claimed(rows).filter(claimed_by=worker).update(lease_until=now + lease)


def release_expired(rows: QuerySet[RowT], now: datetime, workers: Collection[str] = ()) -> list[Claim[RowT]]:
    """Release rows whose lease expired, or whose worker is one of these (known to be dead), to be claimed again.

    A row that has been released too often fails instead. Call it in a transaction; returns the claims that ended.
    """
    expired = claimed(rows).filter(Q(lease_until__lt=now) | Q(claimed_by__in=workers))
    released = []
    for row in expired.select_for_update().order_by("pk"):
        released.append(Claim((row,), row.claimed_by or "", row.claimed_at or now))
        row.message = "The worker died while it was working on this."
        row.state, row.due_at, row.claimed_by, row.lease_until = State.RETRYING, now, None, None
        if row.attempts >= MAX_ABANDONED:
            row.state, row.finished_at, row.secret = State.FAILED, now, ""
            row.message += f" That happened {row.attempts} times; look at its log."
        row.save()
    return released


def _table(rows: Collection[RowT]) -> QuerySet[RowT]:
    model = type(next(iter(rows)))
    return model._default_manager.all()
