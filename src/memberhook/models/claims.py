"""What deliveries and follow-ups have in common: a worker claims them under a lease and tries until they have ended."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from memberhook.core.states import State


class Claimable(models.Model):
    """Work for one worker at a time. `engine/claims.py` alone moves it from state to state.

    `first_due_at`: giving up counts from here. `secret`: an encrypted password that is still needed; wiped at the end.
    """

    state = models.CharField(max_length=10, default=State.PENDING.value)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    first_due_at = models.DateTimeField(default=timezone.now)
    claimed_by = models.CharField(max_length=100, null=True)
    claimed_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    message = models.TextField(blank=True)
    secret = models.TextField(blank=True)

    class Meta:
        abstract = True
