"""What is still to be done for a member that was created or changed: stored in the same transaction as the change."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from memberhook.core.states import State
from memberhook.models.claims import Claimable
from memberhook.models.deliveries import Delivery


class Kind(models.TextChoices):
    WELCOME = "welcome", _("Welcome e-mail")
    RETURN_PASSWORD = "return_password", _("Return password to the CRM")
    SIGNALS = "signals", _("Signals to the Django project")


class FollowUpState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    FAILED = "failed", _("Failed")
    DONE = "done", _("Done")


class FollowUp(Claimable):
    """`secret`: the encrypted password to return. `data`: for signals, what changed (see `signals.py`)."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="followups")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    member_id = models.CharField(max_length=100)
    contact_id = models.CharField(max_length=100, null=True)
    email = models.CharField(max_length=320)
    data: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("follow-up")
        constraints = [models.UniqueConstraint(fields=["kind", "delivery", "member_id"], name="one_followup_of_a_kind")]
        indexes = [models.Index(fields=["due_at"], name="followup_due", condition=models.Q(finished_at=None))]

    def __str__(self) -> str:
        return f"{self.kind} of member {self.member_id}"

    @property
    def progress(self) -> FollowUpState:
        ended = {State.APPLIED.value: FollowUpState.DONE, State.FAILED.value: FollowUpState.FAILED}
        return ended.get(self.state, FollowUpState.WAITING)
