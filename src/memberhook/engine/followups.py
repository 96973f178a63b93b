"""Does what is still to be done for members. Each row is claimed, done, then marked done.

A worker that dies in between leaves the row for the next one. Returning a password twice writes the same value; a
welcome e-mail sent twice is one message (see welcome.py); receivers of signals may hear a thing twice.
"""

from __future__ import annotations

import logging
import smtplib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F, Q

from memberhook import conf, encryption
from memberhook.core.errors import MemberhookError, PermanentError, TransientError
from memberhook.crms.contract import FieldWrite
from memberhook.engine.clients import crm_client
from memberhook.engine.retry import after
from memberhook.engine.runtime import Runtime
from memberhook.engine.welcome import mailer, welcome_mail
from memberhook.models.connections import Connection
from memberhook.models.deliveries import Delivery
from memberhook.models.followups import FollowUp, Kind
from memberhook.signals import announce

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=60)
"""So long after loading a contact a write keyed by its e-mail can be trusted to reach that contact."""


def run_due(worker: str, runtime: Runtime, *, limit: int = 200) -> int:
    """Claims what is due and does it. How many were claimed."""
    claimed = _claim(worker, runtime.now(), limit)
    welcomes = [f for f in claimed if f.kind == Kind.WELCOME]
    returns = [f for f in claimed if f.kind == Kind.RETURN_PASSWORD]
    if returns:
        _return_passwords(returns, runtime)
    for followup in welcomes:
        _welcome(followup, runtime)
    for followup in (f for f in claimed if f.kind == Kind.SIGNALS):
        announce(followup.member_id, followup.data)
        _done(followup, runtime, "The host project was told.")
    return len(claimed)


def _claim(worker: str, now: datetime, limit: int) -> list[FollowUp]:
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    with transaction.atomic():
        due = FollowUp.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        rows = list(due.filter(free, done_at=None, due_at__lte=now).order_by("due_at")[:limit])
        FollowUp.objects.filter(pk__in=[row.pk for row in rows]).update(
            claimed_by=worker, lease_until=now + conf.LEASE() * 4, attempts=F("attempts") + 1
        )
    return list(FollowUp.objects.filter(pk__in=[r.pk for r in rows]).select_related("delivery__hook__connection"))


def release_expired(workers: Iterable[str]) -> None:
    """What workers known to be dead had in hand is free again."""
    FollowUp.objects.filter(claimed_by__in=list(workers), done_at=None).update(lease_until=None, claimed_by=None)


def _welcome(followup: FollowUp, runtime: Runtime) -> None:
    try:
        message = welcome_mail(followup)
        if message is None:
            return _done(followup, runtime, "The member is gone; no mail was sent.")
        mailer().send_messages([message])
    except MemberhookError as error:
        _not_done(followup, error, runtime)
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        kind = PermanentError if all(code >= 500 for code in codes) else TransientError
        _not_done(followup, kind("The mail server refused the member's address.", code="mail_refused"), runtime)
    except OSError as error:
        reason = (
            f"The mail server could not take the welcome e-mail ({type(error).__name__}); check MEMBERHOOK_EMAIL_URL."
        )
        _not_done(followup, TransientError(reason, code="mail_failed"), runtime)
    else:
        _done(followup, runtime, "The welcome e-mail was sent.")


def _return_passwords(followups: Sequence[FollowUp], runtime: Runtime) -> None:
    by_connection: dict[Connection, list[FollowUp]] = defaultdict(list)
    for followup in followups:
        by_connection[followup.delivery.hook.connection].append(followup)
    for account, group in by_connection.items():
        answers: Mapping[str, MemberhookError | None]
        try:
            writes = [_write(followup, runtime.now()) for followup in group]
            answers = crm_client(account, runtime.http).write_fields(writes)
        except MemberhookError as error:
            answers = {followup.contact_id or "": error for followup in group}
        for followup in group:
            problem = answers.get(followup.contact_id or "")
            if problem is None:
                _done(followup, runtime, "The password was returned to the CRM.")
            else:
                _not_done(followup, problem, runtime)


def _write(followup: FollowUp, now: datetime) -> FieldWrite:
    field = followup.delivery.hook.return_password_field
    fresh = followup.attempts == 1 and now - followup.created_at < FRESH
    return FieldWrite(followup.contact_id or "", followup.email, {field: encryption.decrypt(followup.secret)}, fresh)


def _done(followup: FollowUp, runtime: Runtime, message: str) -> None:
    FollowUp.objects.filter(pk=followup.pk).update(
        done_at=runtime.now(), secret="", message=message, lease_until=None, claimed_by=None
    )


def _not_done(followup: FollowUp, error: MemberhookError, runtime: Runtime) -> None:
    now = runtime.now()
    due = after(error, followup.attempts, now, followup.created_at, runtime.jitter)
    changes: dict[str, object] = {"message": error.message, "lease_until": None, "claimed_by": None}
    if due is None:
        changes |= {"done_at": now, "failed": True, "secret": ""}
        _warn(followup, error.message)
    else:
        changes["due_at"] = due
    FollowUp.objects.filter(pk=followup.pk).update(**changes)
    log.warning("%s of delivery %s: %s", followup.kind, followup.delivery_id, error.message)


def _warn(followup: FollowUp, message: str) -> None:
    """A follow-up that failed for good is a warning of its delivery, where the owner looks."""
    what = "The welcome e-mail was not sent" if followup.kind == Kind.WELCOME else "The password was not returned"
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(pk=followup.delivery_id)
        delivery.outcome.setdefault("warnings", []).append(f"{what}: {message}")
        delivery.save(update_fields=["outcome"])
