"""Deliveries, their attempts, and the workers that are alive."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from memberhook.core.states import State, status
from memberhook.models.claims import Claimable
from memberhook.models.connections import Hook


class Origin(models.TextChoices):
    WEBHOOK = "webhook", _("Webhook")
    IMPORT = "import", _("Import")
    RESYNC = "resync", _("Resync")


class Delivery(Claimable):
    """One event as it arrived, and what became of it.

    `query` is the contact-data part only: no key, no control parameters. `contact_id` and `email` (one of them) say
    who it is about. `payload`: the contact in the webhook, as JSON, where the hook trusts it; else "".
    `ordering_key` names the contact: its deliveries are handled in order, never side by side. `secret`: the password of
    a member whose creation is under way. `outcome`: member, changes, warnings, trail (see `core/outcome.py`).
    """

    hook = models.ForeignKey(Hook, on_delete=models.PROTECT, related_name="deliveries")
    key_hint = models.CharField(max_length=8, blank=True)
    action = models.CharField(max_length=20)
    role = models.CharField(max_length=100, null=True)
    notify = models.BooleanField(default=False)
    origin = models.CharField(max_length=12, default=Origin.WEBHOOK.value, choices=Origin.choices)
    method = models.CharField(max_length=8, blank=True)
    query = models.TextField(blank=True)
    content_type = models.CharField(max_length=200, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    body = models.BinaryField(blank=True)
    remote = models.CharField(max_length=45, blank=True)
    contact_id = models.CharField(max_length=100, null=True, db_index=True)
    email = models.CharField(max_length=320, null=True, db_index=True)
    payload = models.TextField(blank=True)
    ordering_key = models.CharField(max_length=400)
    outcome: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = _("deliveries")
        indexes = [
            models.Index(fields=["hook", "due_at"], name="delivery_due", condition=Q(finished_at=None)),
            models.Index(fields=["ordering_key"], name="delivery_ordering_key", condition=Q(finished_at=None)),
            models.Index(fields=["state", "-id"], name="delivery_state"),
            models.Index(fields=["finished_at"], name="delivery_finished"),
        ]

    def __str__(self) -> str:
        return f"delivery {self.pk}"

    @property
    def status(self) -> str:
        return status(self.state, self.attempts)


def with_status(deliveries: models.QuerySet[Delivery], status: str) -> models.QuerySet[Delivery]:
    """Those of this status: what `states.status` says of one, as a query."""
    if status == State.PENDING:
        return deliveries.filter(Q(state=State.PENDING) | Q(state=State.WORKING, attempts__lte=1))
    if status == State.RETRYING:
        return deliveries.filter(Q(state=State.RETRYING) | Q(state=State.WORKING, attempts__gt=1))
    return deliveries.filter(state=status)


class Attempt(models.Model):
    """One try at a delivery. `result`: the state it led to, or `ABANDONED` where the worker died."""

    ABANDONED = "abandoned"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="tries")
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    result = models.CharField(max_length=10)
    message = models.TextField(blank=True)

    class Meta:
        ordering = ["delivery", "number"]

    def __str__(self) -> str:
        return f"attempt {self.number}"


class Worker(models.Model):
    """A worker process and its last heartbeat."""

    name = models.CharField(max_length=100, primary_key=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
