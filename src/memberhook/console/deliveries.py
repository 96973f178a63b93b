"""Deliveries: what came in and what became of it. Nobody writes them by hand; they can be replayed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from memberhook.console.base import ReadOnlyAdmin
from memberhook.console.delivery_page import delivery_page
from memberhook.console.filters import ActionFilter, HookFilter, OriginFilter, StatusFilter
from memberhook.console.html import label_badge, moment, short
from memberhook.console.labels import Text, action_label, status_label
from memberhook.console.replaying import Replay, replay_view
from memberhook.core.states import State
from memberhook.models.deliveries import Delivery


class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("id", "received", "hook", "action_name", "contact", "status_badge", "what_happened", "tries_so_far")
    list_filter = (StatusFilter, HookFilter, ActionFilter, OriginFilter, "received_at")
    search_fields = ("=id", "=contact_id", "email")
    search_help_text = "A contact's id or e-mail, or the number of a delivery"
    list_select_related = ("hook",)
    ordering = ("-id",)
    actions = ("replay",)
    list_fullwidth = True  # Unfold: the message is worth the room
    change_list_template = "memberhook/console/deliveries.html"
    change_form_template = "memberhook/console/delivery.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).defer("body", "query")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Nobody changes a delivery; the right to do so is the right to have it tried again."""
        return request.user.has_perm("memberhook.change_delivery")

    @admin.display(description="received", ordering="id")
    def received(self, delivery: Delivery) -> str:
        return moment(delivery.received_at)

    @admin.display(description="action", ordering="action")
    def action_name(self, delivery: Delivery) -> Text:
        return action_label(delivery.action)

    @admin.display(description="contact", ordering="email")
    def contact(self, delivery: Delivery) -> str:
        known = (delivery.outcome.get("trail") or {}).get("contact") or {}
        email = delivery.email or known.get("email")
        return " · ".join(part for part in (delivery.contact_id and f"#{delivery.contact_id}", email) if part)

    @admin.display(description="status", ordering="state")
    def status_badge(self, delivery: Delivery) -> SafeString:
        return label_badge(status_label(delivery.status))

    @admin.display(description="message")
    def what_happened(self, delivery: Delivery) -> str:
        return short(delivery.message)

    @admin.display(description="attempts", ordering="attempts")
    def tries_so_far(self, delivery: Delivery) -> int:
        return delivery.attempts

    @admin.action(description="Replay", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        chosen = Replay(self, request, queryset, "the chosen deliveries")
        if "confirmed" in request.POST:
            chosen.do()
            return None
        return chosen.ask(action="replay")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.replay_page)
        return [path("replay/", view, name="memberhook_delivery_replay"), *super().get_urls()]

    def replay_page(self, request: HttpRequest) -> HttpResponseBase:
        return replay_view(self, request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        can_replay = self.has_replay_permission(request)
        failed = Delivery.objects.filter(state=State.FAILED).count() if can_replay else 0
        return super().changelist_view(request, {**(extra_context or {}), "failed": failed})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        delivery = self.get_object(request, object_id)
        if delivery is not None:
            page = delivery_page(delivery, can_replay=self.has_replay_permission(request))
            extra_context = {**(extra_context or {}), "page": page, "title": f"Delivery {delivery.pk}"}
        return super().change_view(request, object_id, form_url, extra_context)
