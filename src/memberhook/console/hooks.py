"""The hook pages: options, field map, tag rules, access keys."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from memberhook.console.admin_classes import ConsoleAdmin
from memberhook.console.hook_form import HookChoices, HookForm
from memberhook.console.hook_rows import SITE_FIELD_LIST, TAG_LIST, MappedFieldInline, RowInline, TagRuleInline
from memberhook.console.keys import KeyInline, new_key_view, show_key
from memberhook.console.markup import admin_url, link
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery
from memberhook.services import hooks, keys


class HookAdmin(ConsoleAdmin):
    form = HookForm
    change_form_template = "memberhook/console/hook.html"
    list_display = ("name", "connection", "site", "default_role", "further_roles", "access_keys", "deliveries")
    list_filter = ("connection",)
    list_select_related = ("connection", "site")
    search_fields = ("name",)
    ordering = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "connection", "site")}),
        (_("Roles"), {"fields": ("default_role", "allowed_roles", "confirm_privileged")}),
        (_("New members"), {"fields": ("username_format", "welcome", "return_password_field")}),
        (_("Where the data comes from"), {"fields": ("trust_payload",)}),
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(number_of_keys=Count("keys"))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)  # a class made for this request
        form.user, form.choices = request.user, HookChoices.of(request, obj or Hook())
        return form

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if isinstance(inline, RowInline):
            kwargs["form_kwargs"] = {"choices": HookChoices.of(request, obj)}
        if isinstance(inline, MappedFieldInline) and not obj.pk and request.method == "GET":
            kwargs["initial"] = [{"site_field": s, "crm_field": c} for s, c in hooks.DEFAULT_MAP.items()]
        return kwargs

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        choices = context["adminform"].form.choices
        tags = list(dict.fromkeys(tag.title for tag in choices.tags))
        suggestions = {SITE_FIELD_LIST: choices.site_fields, TAG_LIST: tags}
        return super().render_change_form(request, {**context, "suggestions": suggestions}, *args, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name", "connection", "site") if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type[Any]]:
        return [MappedFieldInline, TagRuleInline, *([KeyInline] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """One at a time, and none that has deliveries. To close such a hook, revoke its keys."""
        unused = isinstance(obj, Hook) and not obj.deliveries.exists()
        return unused and super().has_delete_permission(request, obj)

    @admin.display(description=_("may also give"))
    def further_roles(self, hook: Hook) -> str:
        return ", ".join(hook.allowed_roles)

    @admin.display(description=_("keys"), ordering="number_of_keys")
    def access_keys(self, hook: Any) -> int:
        return int(hook.number_of_keys)

    @admin.display(description=_("deliveries"))
    def deliveries(self, hook: Hook) -> SafeString | str:
        return link(f"{admin_url(Delivery, 'changelist')}?hook={hook.pk}", "show")

    def response_add(self, request: HttpRequest, obj: Hook, post_url_continue: str | None = None) -> HttpResponse:
        """Show the key of the new hook: it is in this answer only, so there is no redirect."""
        return show_key(self, request, obj, keys.new_key(obj, timezone.now()))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.new_key_page)
        return [path("<path:object_id>/new-key/", view, name="memberhook_hook_new_key"), *super().get_urls()]

    def new_key_page(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        return new_key_view(self, request, object_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        hook = self.get_object(request, object_id)
        addresses = hooks.urls(hook, "YOURACCESSKEY") if hook else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "addresses": addresses})
