"""The inbox: the only writer of deliveries. Every change is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from memberhook.core import contact_json
from memberhook.core.contact_json import NoContact
from memberhook.core.errors import PermanentError
from memberhook.core.states import WAITING, State, before
from memberhook.core.types import Action
from memberhook.crms.contract import ContactEvent, ContactRef
from memberhook.engine import claims
from memberhook.engine.claims import Claim, Result
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Attempt, Delivery, Origin, Worker
from memberhook.models.followups import FollowUp

ROWS_AT_ONCE = 500
"""So many new deliveries fit in one statement: SQLite takes 32,766 values."""


def new_delivery(
    hook: Hook, action: str, event: ContactEvent, now: datetime, origin: Origin = Origin.WEBHOOK, **request: Any
) -> Delivery:
    """An unsaved delivery with what the reader of the CRM found in the request."""
    return Delivery(
        hook=hook,
        action=action,
        contact_id=event.ref.id,
        email=event.ref.email,
        payload=_payload(event) if hook.trust_payload and origin is Origin.WEBHOOK else "",
        ordering_key=hook.ordering_key(event.ref.id, event.ref.email),
        origin=origin.value,
        due_at=now,
        received_at=now,
        first_due_at=now,
        **request,
    )


def _payload(event: ContactEvent) -> str:
    return contact_json.to_json(event.payload or NoContact(event.payload_problem))


def event_of(delivery: Delivery) -> ContactEvent:
    """What was found in the request when it came in. Raises `PermanentError` when the row cannot be read."""
    if delivery.action not in list(Action):
        raise PermanentError(
            "This delivery's action is not known. Have the CRM send it again.", code="unreadable_delivery"
        )
    ref = ContactRef(delivery.contact_id) if delivery.contact_id else ContactRef(email=delivery.email)
    if not delivery.payload:
        return ContactEvent(ref)
    stored = contact_json.from_json(delivery.payload)
    if isinstance(stored, NoContact):
        return ContactEvent(ref, payload_problem=stored.problem)
    return ContactEvent(ref, stored)


def append(deliveries: Sequence[Delivery]) -> None:
    """Store new deliveries in one transaction; on return they are on disk and have their ids.

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


def _due(now: datetime) -> QuerySet[Delivery]:
    paused = Q(hook__connection__paused_until__gt=now) | Q(hook__site__paused_until__gt=now)
    return claims.due(Delivery.objects.all(), now).exclude(paused)


def claim(hook_id: int, worker: str, now: datetime, *, contacts: int, lease: timedelta) -> Claim[Delivery] | None:
    """Claim what is due at a hook, for at most `contacts` contacts, each with all that waits for it.

    A contact that a worker has claimed is left alone, so its deliveries keep their order; one whose retry is not due
    yet comes along with a newer delivery of it that is. None when there is nothing to do.
    """
    with claims.claiming():
        in_work = claims.claimed(Delivery.objects.all()).values("ordering_key")
        due = _due(now).filter(hook_id=hook_id).exclude(ordering_key__in=in_work)
        ordering_keys = set(due.order_by("due_at", "id").values_list("ordering_key", flat=True)[:contacts])
        if not ordering_keys:
            return None
        waiting = Delivery.objects.filter(
            hook_id=hook_id, finished_at=None, ordering_key__in=ordering_keys, state__in=WAITING
        )
        claim = claims.claim(list(waiting.order_by("id")[: contacts * 20]), worker, now, lease)
    hook = Hook.objects.select_related("connection", "site").prefetch_related(*Hook.OPTION_ROWS).get(pk=hook_id)
    for delivery in claim.rows:
        delivery.hook = hook
    return claim


def keep_secrets(claim: Claim[Delivery], deliveries: Collection[Delivery]) -> bool:
    """Write the (encrypted) `secret` of each; `finish` wipes it.

    False where one is no longer this worker's: nothing is written, and its new worker goes by a secret of its own.
    """
    with transaction.atomic():
        if len(claims.lock_claimed(claim, deliveries)) < len(deliveries):
            return False
        Delivery.objects.bulk_update(deliveries, ["secret"])
        return True


def finish(claim: Claim[Delivery], results: Iterable[Result[Delivery]], now: datetime) -> None:
    """Write how deliveries ended (or when they are tried again) and the attempt of each, as far as still claimed."""
    with transaction.atomic():
        written = claims.finish(claim, results, now)
        Attempt.objects.bulk_create([_attempt(claim, r.row, r.state, r.message, now) for r in written])


def _attempt(claim: Claim[Delivery], delivery: Delivery, result: str, message: str, now: datetime) -> Attempt:
    return Attempt(
        delivery=delivery,
        number=delivery.attempts,
        worker=claim.worker,
        started_at=claim.claimed_at,
        finished_at=now,
        result=result,
        message=message,
    )


def heartbeat(worker: str, now: datetime, lease: timedelta) -> None:
    """The worker is alive: what it has claimed stays its own."""
    Worker.objects.update_or_create(name=worker, defaults={"seen_at": now})
    claims.extend_leases(Delivery.objects.all(), worker, now, lease)
    claims.extend_leases(FollowUp.objects.all(), worker, now, lease)


def release_expired(now: datetime, *, workers: Collection[str] = ()) -> int:
    """Release what dead workers had claimed: see `claims.release_expired`. Return how many."""
    with transaction.atomic():
        released = claims.release_expired(Delivery.objects.all(), now, workers)
        Attempt.objects.bulk_create(
            [_attempt(claim, row, Attempt.ABANDONED, row.message, now) for claim in released for row in claim.rows]
        )
    return len(released)


def replay(ids: Collection[int], now: datetime) -> int:
    """Put finished deliveries back in the inbox, as if they had just arrived. Return how many."""
    finished = Delivery.objects.filter(pk__in=ids, state__in=before(State.PENDING))
    return finished.update(
        state=State.PENDING, attempts=0, due_at=now, first_due_at=now, finished_at=None, message="", outcome={}
    )


def finished(ids: Collection[int]) -> list[Delivery]:
    """Those of the deliveries that have ended."""
    return list(Delivery.objects.filter(pk__in=ids, finished_at__isnull=False).select_related("hook"))


def purge(before_time: datetime, limit: int = 1000) -> int:
    """Delete at most `limit` deliveries that ended before that time and have no open follow-ups. Return how many."""
    old = Delivery.objects.filter(finished_at__lt=before_time)
    old = old.exclude(followups__finished_at=None, followups__isnull=False)
    ids = list(old.order_by("id").values_list("pk", flat=True)[:limit])
    Delivery.objects.filter(pk__in=ids).delete()
    return len(ids)
