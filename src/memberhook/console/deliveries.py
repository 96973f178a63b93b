"""The admin of deliveries: read-only, but finished deliveries can be replayed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from memberhook.console.admin_classes import ReadOnlyAdmin
from memberhook.console.delivery_filters import ActionFilter, HookFilter, OriginFilter, StatusFilter
from memberhook.console.delivery_page import delivery_page
from memberhook.console.labels import action_label, status_label
from memberhook.console.markup import label_badge, moment, one_line, short
from memberhook.console.replay import Replay, replay_view
from memberhook.core.states import State
from memberhook.models.deliveries import Delivery


class DeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "received",
        "hook",
        "action_name",
        "contact",
        "status_badge",
        "short_message",
        "number_of_attempts",
    )
    list_filter = (StatusFilter, HookFilter, ActionFilter, OriginFilter, "received_at")
    search_fields = ("=id", "=contact_id", "email")
    search_help_text = _("Search by contact id, e-mail address or delivery number")
    list_select_related = ("hook",)
    ordering = ("-id",)
    actions = ("replay",)
    list_fullwidth = True  # Unfold: the message column needs the width
    change_list_template = "memberhook/console/deliveries.html"
    change_form_template = "memberhook/console/delivery.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        return super().get_queryset(request).defer("body", "query")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """The change permission allows replaying: deliveries cannot be edited."""
        return request.user.has_perm("memberhook.change_delivery")

    @admin.display(description=_("received"), ordering="id")
    def received(self, delivery: Delivery) -> str:
        return moment(delivery.received_at)

    @admin.display(description=_("action"), ordering="action")
    def action_name(self, delivery: Delivery) -> SafeString:
        return one_line(action_label(delivery.action))

    @admin.display(description=_("contact"), ordering="email")
    def contact(self, delivery: Delivery) -> SafeString | str:
        known = (delivery.outcome.get("trail") or {}).get("contact") or {}
        email = delivery.email or known.get("email")
        number = f"#{delivery.contact_id}" if delivery.contact_id else ""
        return short(" · ".join(filter(None, [number, email])))

    @admin.display(description=_("status"), ordering="state")
    def status_badge(self, delivery: Delivery) -> SafeString:
        return label_badge(status_label(delivery.status))

    @admin.display(description=_("message"))
    def short_message(self, delivery: Delivery) -> str:
        return short(delivery.message)

    @admin.display(description=_("attempts"), ordering="attempts")
    def number_of_attempts(self, delivery: Delivery) -> int:
        return delivery.attempts

    @admin.action(description=_("Replay"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> HttpResponse | None:
        replay = Replay(self, request, queryset, _("Replay the selected deliveries?"))
        if "confirmed" in request.POST:
            replay.run()
            return None
        return replay.confirmation_page(action="replay")

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
            extra_context = {
                **(extra_context or {}),
                "page": page,
                "title": _("Delivery %(number)d") % {"number": delivery.pk},
            }
        return super().change_view(request, object_id, form_url, extra_context)
