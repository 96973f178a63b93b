"""The list of worker processes and when each was last seen."""

from __future__ import annotations

from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from memberhook import conf
from memberhook.console.admin_classes import ReadOnlyAdmin
from memberhook.console.markup import badge, span
from memberhook.models.deliveries import Worker


class WorkerAdmin(ReadOnlyAdmin):
    list_display = ("name", "seen", "state")
    fields = ("name", "seen_at", "state")
    ordering = ("-seen_at",)

    @admin.display(description=_("last seen"), ordering="seen_at")
    def seen(self, worker: Worker) -> str:
        return gettext("%(time)s ago") % {"time": span(timezone.now() - worker.seen_at)}

    @admin.display(description=_("state"))
    def state(self, worker: Worker) -> SafeString:
        running = worker.seen_at > timezone.now() - conf.LEASE()
        return badge(_("Running"), "good") if running else badge(_("Not responding"), "bad")
