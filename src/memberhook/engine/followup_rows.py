"""What follows when a member was created or changed: rows written in the same transaction as the change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from memberhook import encryption, signals
from memberhook.core.types import Applied, Plan
from memberhook.models.deliveries import Delivery
from memberhook.models.followups import FollowUp, Kind
from memberhook.sites.contract import Site


def followups_of(delivery: Delivery, plan: Plan, applied: Applied, site: Site, now: datetime) -> list[FollowUp]:
    """The rows, unsaved; fewer for a site that sends the welcome e-mail itself, or whose members are not users here."""
    common: dict[str, Any] = {
        "delivery": delivery,
        "member_id": applied.member_id,
        "contact_id": plan.contact.id,
        "email": plan.contact.email,
        "due_at": now,
        "created_at": now,
    }
    rows = []
    if applied.created and plan.welcome and not site.sends_welcome:
        rows.append(FollowUp(kind=Kind.WELCOME, **common))
    if applied.created and plan.return_password and plan.contact.id and plan.changes.password:
        rows.append(FollowUp(kind=Kind.RETURN_PASSWORD, secret=encryption.encrypt(plan.changes.password), **common))
    if site.has_signals and signals.anybody_listens() and (applied.created or applied.changes):
        rows.append(FollowUp(kind=Kind.SIGNALS, data=signals.what_changed(plan, applied), **common))
    return rows
