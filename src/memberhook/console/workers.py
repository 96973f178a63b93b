"""The list of worker processes and when each was last seen."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString

from memberhook import conf
from memberhook.console.admin_classes import ReadOnlyAdmin
from memberhook.console.markup import badge, span
from memberhook.models.deliveries import Worker


class WorkerAdmin(ReadOnlyAdmin):
    list_display = ("name", "seen", "state")
    fields = ("name", "seen_at", "state")
    ordering = ("-seen_at",)

    @admin.display(description="last seen", ordering="seen_at")
    def seen(self, worker: Worker) -> str:
        return f"{span(timezone.now() - worker.seen_at)} ago"

    @admin.display(description="state")
    def state(self, worker: Worker) -> SafeString:
        alive = worker.seen_at > timezone.now() - conf.LEASE()
        return badge("alive", "good") if alive else badge("silent", "bad")
