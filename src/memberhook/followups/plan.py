"""What follows when a member was created: rows written in the same transaction as the member."""

from __future__ import annotations

from datetime import datetime

from memberhook.connections import secrets
from memberhook.followups.models import FollowUp, Kind
from memberhook.inbox.models import Delivery
from memberhook.members.types import Plan
from memberhook.sites.base import Applied


def plan_followups(delivery: Delivery, plan: Plan, applied: Applied, now: datetime, *, welcome: bool) -> None:
    """`welcome`: whether the welcome e-mail is ours to send (some sites send it themselves)."""
    common = {
        "delivery": delivery,
        "member_id": applied.member_id,
        "contact_id": plan.contact.id,
        "email": plan.contact.email,
        "due_at": now,
        "created_at": now,
    }
    rows = []
    if plan.welcome and welcome:
        rows.append(FollowUp(kind=Kind.WELCOME, **common))
    if plan.return_password and plan.contact.id and plan.changes.password:
        rows.append(FollowUp(kind=Kind.RETURN_PASSWORD, secret=secrets.encrypt(plan.changes.password), **common))
    FollowUp.objects.bulk_create(rows)
