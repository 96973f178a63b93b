"""What is still to be done for a member that was created or changed: written in the same transaction as the change."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memberhook.models.deliveries import Delivery


class Kind(models.TextChoices):
    WELCOME = "welcome", _("Welcome e-mail")
    RETURN_PASSWORD = "return_password", _("Return password to the CRM")
    SIGNALS = "signals", _("Signals to the Django project")


class FollowUpState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    FAILED = "failed", _("Failed")
    DONE = "done", _("Done")


class FollowUp(models.Model):
    """`secret` is the encrypted password to return; it is wiped when it is delivered or given up.

    `data`: for signals, what changed (see `local/signals.py`).
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="followups")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    member_id = models.CharField(max_length=100)
    contact_id = models.CharField(max_length=100, null=True)
    email = models.CharField(max_length=320)
    secret = models.TextField(blank=True)
    data: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    claimed_by = models.CharField(max_length=100, null=True)
    lease_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    failed = models.BooleanField(default=False)
    message = models.TextField(blank=True)

    class Meta:
        verbose_name = _("follow-up")
        constraints = [models.UniqueConstraint(fields=["kind", "delivery", "member_id"], name="one_followup_of_a_kind")]
        indexes = [models.Index(fields=["due_at"], name="followup_due", condition=models.Q(done_at=None))]

    def __str__(self) -> str:
        return f"{self.kind} of member {self.member_id}"

    @property
    def state(self) -> FollowUpState:
        if self.failed:
            return FollowUpState.FAILED
        return FollowUpState.DONE if self.done_at else FollowUpState.WAITING
