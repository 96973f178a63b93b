"""The data of a delivery's page: outcome, member, contact, plan, attempts, follow-ups and request, without secrets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from memberhook.console.labels import Label, Text, action_label, follow_up_label, result_label, status_label
from memberhook.console.markup import admin_url
from memberhook.console.raw_request import ReadableRequest, hide, readable_request
from memberhook.core.closed_fields import is_secret
from memberhook.core.outcome import HIDDEN, secret_fields
from memberhook.core.states import FINISHED, State
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Attempt, Delivery, Origin
from memberhook.models.followups import FollowUp
from memberhook.sites.local.setup import LOCAL

NEXT_STEPS: Mapping[State, Text] = {
    State.PENDING: _("Waiting for a worker."),
    State.WORKING: _("A worker is applying it now."),
    State.RETRYING: _("It will be retried automatically."),
    State.APPLIED: "",
    State.UNCHANGED: "",
    State.IGNORED: _("No action is needed. If the reason no longer holds, replay the delivery."),
    State.FAILED: _("Fix the problem described above, then replay the delivery."),
}


@dataclass(frozen=True, slots=True)
class FollowUpLine:
    kind: str
    to: str
    state: Label
    attempts: int
    message: str


@dataclass(frozen=True, slots=True)
class AttemptLine:
    attempt: Attempt
    result: Label


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """`contact`: field and value; `tags`: None if the CRM did not send any; `next_step`: what the owner can do."""

    delivery: Delivery
    status: Label
    action: Text
    origin: str
    next_step: Text
    next_try: datetime | None
    warnings: list[str]
    member: Mapping[str, Any] | None
    member_url: str | None
    changes: list[str]
    contact: list[tuple[str, str]]
    tags: list[str] | None
    plan: list[str]
    attempts: list[AttemptLine]
    followups: list[FollowUpLine]
    request: ReadableRequest | None
    hook_url: str | None
    replay_url: str | None


def delivery_page(delivery: Delivery, *, can_replay: bool) -> DeliveryPage:
    outcome = delivery.outcome
    trail = outcome.get("trail") or {}
    hidden = _secrets(delivery.hook)
    finished = delivery.state in FINISHED
    member = outcome.get("member")
    return DeliveryPage(
        delivery=delivery,
        status=status_label(delivery.status),
        action=action_label(delivery.action),
        origin=str(Origin(delivery.origin).label),
        next_step=NEXT_STEPS[State(delivery.status)],
        next_try=delivery.due_at if delivery.status == State.RETRYING else None,
        warnings=outcome.get("warnings", []),
        member=member,
        member_url=_member_url(delivery.hook, member),
        changes=outcome.get("changes", []),
        contact=_contact(trail.get("contact"), hidden),
        tags=(trail.get("contact") or {}).get("tags"),
        plan=_plan(trail.get("plan", []), delivery.hook, hidden),
        attempts=[AttemptLine(attempt, result_label(attempt.result)) for attempt in delivery.tries.all()],
        followups=[_followup(row) for row in delivery.followups.defer("secret").order_by("pk")],
        request=readable_request(delivery, hidden),
        hook_url=admin_url(Hook, "change", delivery.hook_id),
        replay_url=f"{reverse('admin:memberhook_delivery_replay')}?id={delivery.pk}"
        if finished and can_replay
        else None,
    )


def _secrets(hook: Hook) -> set[str]:
    return secret_fields(hook.options().field_map, hook.return_password_field)


def _member_url(hook: Hook, member: Mapping[str, Any] | None) -> str | None:
    known = member and member.get("id") and hook.site.kind == LOCAL
    return admin_url(get_user_model(), "change", member["id"]) if member and known else None


def _contact(contact: Mapping[str, Any] | None, hidden: Collection[str]) -> list[tuple[str, str]]:
    """Return id, e-mail and version, then all fields, as text."""
    if not contact:
        return []
    fields = hide(contact.get("fields") or {}, hidden)
    rows = [("id", contact.get("id")), ("email", contact.get("email")), ("updated_at", contact.get("version"))]
    shown = {name for name, _ in rows}
    rows += [(name, value) for name, value in fields.items() if name not in shown] if isinstance(fields, dict) else []
    return [(name, _text(value)) for name, value in rows if value not in (None, "")]


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _plan(lines: Collection[str], hook: Hook, hidden: Collection[str]) -> list[str]:
    """Return the lines of the plan with secret values hidden."""
    secret = {m.site_field for m in hook.options().field_map if m.crm_field in hidden or is_secret(m.crm_field)}
    return [_without_secret(line, secret) for line in lines]


def _without_secret(line: str, secret: Collection[str]) -> str:
    verb, _, rest = line.partition(" ")
    name, to, _ = rest.partition(" to ")
    return f"set {name} to {HIDDEN}" if verb == "set" and to and (name in secret or is_secret(name)) else line


def _followup(row: FollowUp) -> FollowUpLine:
    return FollowUpLine(row.get_kind_display(), row.email, follow_up_label(row.progress), row.attempts, row.message)
