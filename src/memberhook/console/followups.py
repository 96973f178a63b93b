"""The list of follow-ups. The passwords that some of them carry are never loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from memberhook.console.admin_classes import ReadOnlyAdmin
from memberhook.console.labels import follow_up_label
from memberhook.console.markup import admin_url, label_badge, link, moment, one_line, short
from memberhook.core.states import State
from memberhook.models.deliveries import Delivery
from memberhook.models.followups import FollowUp, FollowUpState

IN_STATE: Mapping[FollowUpState, Q] = {
    FollowUpState.WAITING: Q(finished_at=None),
    FollowUpState.FAILED: Q(state=State.FAILED),
    FollowUpState.DONE: Q(state=State.APPLIED),
}
"""`FollowUp.progress` as a query."""


class StateFilter(SimpleListFilter):
    """Waiting follow-ups are the default, in place of all of them."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        others = [(state.value, str(state.label)) for state in FollowUpState if state is not FollowUpState.WAITING]
        return [*others, ("all", gettext("All"))]

    def choices(self, changelist: Any) -> Any:
        waiting = {"selected": self.value() is None, "query_string": changelist.get_query_string(remove=["state"])}
        yield {**waiting, "display": FollowUpState.WAITING.label}
        yield from list(super().choices(changelist))[1:]

    def queryset(self, request: HttpRequest, queryset: QuerySet[FollowUp]) -> QuerySet[FollowUp]:
        chosen = self.value() or FollowUpState.WAITING
        return queryset.filter(IN_STATE[FollowUpState(chosen)]) if chosen in FollowUpState.values else queryset


class FollowUpAdmin(ReadOnlyAdmin):
    list_display = (
        "kind_name",
        "email",
        "progress_badge",
        "delivery_link",
        "attempts",
        "next_attempt",
        "short_message",
    )
    list_filter = (StateFilter, "kind")
    search_fields = ("email", "=member_id", "=contact_id")
    search_help_text = _("Search by e-mail address, member id or contact id")
    list_fullwidth = True  # Unfold: the message column needs the width
    ordering = ("due_at",)
    fields = (
        "kind_name",
        "email",
        "progress_badge",
        "delivery_link",
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

    @admin.display(description=_("follow-up"), ordering="kind")
    def kind_name(self, followup: FollowUp) -> SafeString:
        return one_line(followup.get_kind_display())

    @admin.display(description=_("state"))
    def progress_badge(self, followup: FollowUp) -> SafeString:
        return label_badge(follow_up_label(followup.progress))

    @admin.display(description=_("delivery"), ordering="delivery")
    def delivery_link(self, followup: FollowUp) -> SafeString | str:
        return link(admin_url(Delivery, "change", followup.delivery_id), followup.delivery_id)

    @admin.display(description=_("next attempt"), ordering="due_at")
    def next_attempt(self, followup: FollowUp) -> str:
        return "" if followup.finished_at else moment(followup.due_at)

    @admin.display(description=_("message"))
    def short_message(self, followup: FollowUp) -> str:
        return short(followup.message)
