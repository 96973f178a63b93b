"""7 follow up: what is still to be done for a member after the change is committed.

`following` gives the rows that are stored together with the change. `run_due` claims rows, does what they say and
finishes them. A worker that dies in between leaves a row for the next one: returning a password twice writes the same
value, a welcome e-mail sent twice is one message (see welcome.py), and receivers of signals may be called twice.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, transaction

from memberhook import conf, encryption, signals
from memberhook.core.errors import MemberhookError, as_problem
from memberhook.core.states import State
from memberhook.core.types import Applied, Plan
from memberhook.crms.contract import FieldWrite
from memberhook.engine import claims, welcome
from memberhook.engine.claims import Claim, Result, try_again_or_fail
from memberhook.engine.clients import crm_client
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Connection
from memberhook.models.deliveries import Delivery
from memberhook.models.followups import FollowUp, Kind
from memberhook.sites.contract import Site

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=60)
"""For this long after a contact was loaded, a write keyed by its e-mail is sure to reach that contact."""


def following(delivery: Delivery, plan: Plan, applied: Applied, site: Site, now: datetime) -> list[FollowUp]:
    """The unsaved rows of what the plan says is to follow, without what the site does itself.

    `delivery`: the primary one, with the encrypted password to return.
    """

    def row(kind: Kind, **values: Any) -> FollowUp:
        return FollowUp(
            kind=kind,
            delivery=delivery,
            member_id=applied.member_id,
            contact_id=plan.contact.id,
            email=plan.contact.email,
            due_at=now,
            first_due_at=now,
            **values,
        )

    rows = []
    if applied.created and plan.welcome and not site.sends_welcome:
        rows.append(row(Kind.WELCOME))
    if applied.created and plan.return_password:
        rows.append(row(Kind.RETURN_PASSWORD, secret=delivery.secret))
    if site.has_signals and signals.anybody_listens() and (applied.created or applied.changes):
        rows.append(row(Kind.SIGNALS, data=signals.what_changed(plan, applied)))
    return rows


def run_due(worker: str, runtime: Runtime, *, limit: int = 200) -> int:
    """Claim what is due and do it. Return how many were claimed."""
    now = runtime.now()
    with claims.claiming():
        due = claims.due(FollowUp.objects.select_related("delivery__hook__connection"), now)
        claim = claims.claim(list(due.order_by("due_at")[:limit]), worker, now, conf.LEASE())
    for result in _results(claim.rows, runtime):
        _finish(claim, result, runtime.now())
    return len(claim.rows)


def _results(rows: Sequence[FollowUp], runtime: Runtime) -> Iterator[Result[FollowUp]]:
    """Does one after the other; each is finished before the next is begun. Passwords go together, by connection."""
    by_connection: dict[Connection, list[FollowUp]] = defaultdict(list)
    for row in rows:
        if row.kind == Kind.RETURN_PASSWORD:
            by_connection[row.delivery.hook.connection].append(row)
    for connection, some in by_connection.items():
        problems = _return_passwords(connection, some, runtime)
        for row in some:
            yield _result(row, problems.get(row.contact_id or "") or "The password was returned to the CRM.", runtime)
    for row in rows:
        if row.kind != Kind.RETURN_PASSWORD:
            yield _result(row, _do(row), runtime)


def _result(row: FollowUp, answer: MemberhookError | str, runtime: Runtime) -> Result[FollowUp]:
    """`answer`: what was done, or what went wrong."""
    if isinstance(answer, str):
        return Result(row, State.APPLIED, answer)
    log.warning("%s of delivery %s: %s", row.kind, row.delivery_id, answer.message)
    return try_again_or_fail(row, answer, runtime)


def _do(row: FollowUp) -> MemberhookError | str:
    try:
        if row.kind == Kind.WELCOME:
            return "The welcome e-mail was sent." if welcome.send(row) else "The member is gone; no mail was sent."
        signals.announce(row.member_id, row.data)
        return "The signals were sent."
    except DatabaseError:
        raise  # nothing can be stored now; the lease gives the row back
    except Exception as error:
        return as_problem(error)


def _return_passwords(
    connection: Connection, rows: Sequence[FollowUp], runtime: Runtime
) -> Mapping[str, MemberhookError | None]:
    """What went wrong, by contact id."""
    try:
        return crm_client(connection, runtime.http).write_fields([_write(row, runtime.now()) for row in rows])
    except DatabaseError:
        raise
    except Exception as error:
        return {row.contact_id or "": as_problem(error) for row in rows}


def _write(row: FollowUp, now: datetime) -> FieldWrite:
    field = row.delivery.hook.return_password_field
    fresh = row.attempts == 1 and now - row.first_due_at < FRESH
    return FieldWrite(row.contact_id or "", row.email, {field: encryption.decrypt(row.secret)}, fresh)


def _finish(claim: Claim[FollowUp], result: Result[FollowUp], now: datetime) -> None:
    with transaction.atomic():
        if claims.finish(claim, [result], now) and result.state is State.FAILED:
            _warn(result.row, result.message)


def release_expired(now: datetime, *, workers: Collection[str] = ()) -> None:
    """Release what dead workers had claimed: see `claims.release_expired`."""
    with transaction.atomic():
        for claim in claims.release_expired(FollowUp.objects.all(), now, workers):
            for row in claim.rows:
                if row.state == State.FAILED:
                    _warn(row, row.message)


def _warn(row: FollowUp, message: str) -> None:
    """A follow-up that failed becomes a warning of its delivery, where the owner looks."""
    delivery = Delivery.objects.select_for_update().get(pk=row.delivery_id)
    delivery.outcome.setdefault("warnings", []).append(f"{_NOT_DONE[Kind(row.kind)]}: {message}")
    delivery.save(update_fields=["outcome"])


_NOT_DONE = {
    Kind.WELCOME: "The welcome e-mail was not sent",
    Kind.RETURN_PASSWORD: "The password was not returned",
    Kind.SIGNALS: "The signals were not sent",
}
