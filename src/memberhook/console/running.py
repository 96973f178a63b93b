"""What runs and what waits: follow-ups (never their secrets) and workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from memberhook import conf
from memberhook.console.base import ReadOnlyAdmin
from memberhook.console.html import admin_url, badge, label_badge, link, moment, short, span
from memberhook.console.labels import follow_up_label
from memberhook.core.states import State
from memberhook.models.deliveries import Delivery, Worker
from memberhook.models.followups import FollowUp, FollowUpState

IN_STATE: Mapping[FollowUpState, Q] = {
    FollowUpState.WAITING: Q(finished_at=None),
    FollowUpState.FAILED: Q(state=State.FAILED),
    FollowUpState.DONE: Q(state=State.APPLIED),
}
"""`FollowUp.progress` as a query."""


class StateFilter(SimpleListFilter):
    """Waiting follow-ups are the default, in place of all of them."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        others = [(state.value, str(state.label)) for state in FollowUpState if state is not FollowUpState.WAITING]
        return [*others, ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        waiting = {"selected": self.value() is None, "query_string": changelist.get_query_string(remove=["state"])}
        yield {**waiting, "display": FollowUpState.WAITING.label}
        yield from list(super().choices(changelist))[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[FollowUp]) -> QuerySet[FollowUp]:
        chosen = self.value() or FollowUpState.WAITING
        return queryset.filter(IN_STATE[FollowUpState(chosen)]) if chosen in FollowUpState.values else queryset


class FollowUpAdmin(ReadOnlyAdmin):
    list_display = ("what", "email", "progress", "of_delivery", "attempts", "next_try", "what_happened")
    list_filter = (StateFilter, "kind")
    search_fields = ("email", "=member_id", "=contact_id")
    ordering = ("due_at",)
    fields = (
        "what",
        "email",
        "progress",
        "of_delivery",
        "member_id",
        "contact_id",
        "attempts",
        "due_at",
        "first_due_at",
        "finished_at",
        "message",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[FollowUp]:
        return super().get_queryset(request).defer("secret")

    @admin.display(description="follow-up", ordering="kind")
    def what(self, followup: FollowUp) -> str:
        return followup.get_kind_display()

    @admin.display(description="state")
    def progress(self, followup: FollowUp) -> SafeString:
        return label_badge(follow_up_label(followup.progress))

    @admin.display(description="delivery", ordering="delivery")
    def of_delivery(self, followup: FollowUp) -> SafeString | str:
        return link(admin_url(Delivery, "change", followup.delivery_id), followup.delivery_id)

    @admin.display(description="next attempt", ordering="due_at")
    def next_try(self, followup: FollowUp) -> str:
        return "" if followup.finished_at else moment(followup.due_at)

    @admin.display(description="message")
    def what_happened(self, followup: FollowUp) -> str:
        return short(followup.message)


class WorkerAdmin(ReadOnlyAdmin):
    list_display = ("name", "seen", "progress")
    fields = ("name", "seen_at", "progress")
    ordering = ("-seen_at",)

    @admin.display(description="last seen", ordering="seen_at")
    def seen(self, worker: Worker) -> str:
        return f"{span(timezone.now() - worker.seen_at)} ago"

    @admin.display(description="state")
    def state(self, worker: Worker) -> SafeString:
        alive = worker.seen_at > timezone.now() - conf.LEASE()
        return badge("alive", "good") if alive else badge("silent", "bad")
