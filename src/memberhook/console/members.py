"""Members of the local site: Django's users, with their tags, fields and contacts.

A host project that has a page for its users adds `inlines = [TagInline, FieldInline]` to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import ModelAdmin as AnyAdmin
from django.contrib.admin import SimpleListFilter
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from memberhook.console.admin_classes import (
    AdminPasswordChangeForm,
    ConsoleAdmin,
    ModelForm,
    Select,
    TextArea,
    UntitledInline,
    UserChangeForm,
    UserCreationForm,
)
from memberhook.console.labels import Text
from memberhook.console.markup import admin_url
from memberhook.core.closed_fields import is_secret
from memberhook.core.errors import UsageError
from memberhook.core.outcome import HIDDEN
from memberhook.models.connections import Link
from memberhook.models.deliveries import Delivery
from memberhook.models.members import MemberField, MemberTag
from memberhook.models.tags import Tag
from memberhook.services import accounts
from memberhook.sites.local.group_roles import group_roles
from memberhook.sites.local.setup import LOCAL

KINDS: Mapping[str, Text] = {
    "text": _("text"),
    "number": _("number"),
    "yes_no": _("yes or no"),
    "list": _("list, one a line"),
}
YES_NO = {"yes": True, "no": False}


class MemberFieldForm(ModelForm):
    """The JSON value as a kind and text. A value that looks like a secret is hidden; left alone, it stays."""

    kind = forms.ChoiceField(choices=tuple(KINDS.items()), widget=Select, label=_("type"))
    content = forms.CharField(required=False, widget=TextArea(attrs={"rows": 1}), label=_("value"))

    class Meta:
        model = MemberField
        fields = ("key",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            kind, content = _written(self.instance.value)
            self.initial["kind"] = kind
            self.initial["content"] = HIDDEN if is_secret(self.instance.key) else content

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        content, key = cleaned.get("content", ""), cleaned.get("key", "")
        if content == HIDDEN and self.instance.pk and is_secret(self.instance.key):
            if not is_secret(key):
                self.add_error("content", "Type the value again: under its new name it would be shown.")
            return cleaned
        try:
            self.instance.value = _read(cleaned.get("kind", ""), content)
        except ValueError as error:
            self.add_error("content", ValidationError(str(error)))
        return cleaned


def _written(value: Any) -> tuple[str, str]:
    if isinstance(value, bool):
        return "yes_no", "yes" if value else "no"
    if isinstance(value, int | float):
        return "number", str(value)
    if isinstance(value, list):
        return "list", "\n".join(map(str, value))
    return "text", "" if value is None else str(value)


def _read(kind: str, text: str) -> str | int | float | bool | list[str]:
    """Raises ValueError, in words."""
    if kind == "list":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if kind == "yes_no":
        if text.strip().lower() not in YES_NO:
            raise ValueError("Write yes or no.")
        return YES_NO[text.strip().lower()]
    if kind == "number":
        try:
            number = float(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is no number.") from error
        if number - number != 0:  # infinite, or no number at all
            raise ValueError(f"{text!r} is no number that can be stored.")
        return int(number) if number == int(number) and abs(number) < 1e15 else number
    return text


class FieldInline(UntitledInline):
    model = MemberField
    form = MemberFieldForm
    extra = 0
    fields = ("key", "kind", "content")
    ordering = ("key",)
    verbose_name = _("field")
    verbose_name_plural = _("fields (those that a hook maps are written again at the next update)")


class TagInline(UntitledInline):
    """A member has exactly the contact's tags, so they are changed in the CRM."""

    model = MemberTag
    fields = ("tag", "connection")
    readonly_fields = ("tag", "connection")
    extra = 0
    can_delete = False
    verbose_name = _("tag")
    verbose_name_plural = _("tags (change them in the CRM)")

    def get_queryset(self, request: HttpRequest) -> QuerySet[MemberTag]:
        return super().get_queryset(request).select_related("tag__connection").order_by("tag__title")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("connection"))
    def connection(self, row: MemberTag) -> str:
        return row.tag.connection.name


class RoleFilter(SimpleListFilter):
    title = _("role")
    parameter_name = "role"

    def lookups(self, request: HttpRequest, model_admin: AnyAdmin[Any]) -> list[tuple[str, str]]:
        return [(str(entry.group_id), entry.role.title) for entry in group_roles()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ""
        return queryset.filter(groups=int(chosen)) if chosen.isdecimal() else queryset


class TagFilter(SimpleListFilter):
    title = _("tag")
    parameter_name = "tag"

    def lookups(self, request: HttpRequest, model_admin: AnyAdmin[Any]) -> list[tuple[str, str]]:
        tags = Tag.objects.select_related("connection").order_by("title")
        return [(str(tag.pk), f"{tag.title} ({tag.connection.name})") for tag in tags]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value() or ""
        return queryset.filter(memberhook_tags__tag=int(chosen)) if chosen.isdecimal() else queryset


class MemberForm(UserChangeForm):  # type: ignore[type-arg]  # not generic in Unfold
    """A second member with the same username or e-mail, in another case, could not be distinguished by a webhook."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name in {"username", "email"} & set(self.changed_data) & set(cleaned):
            try:
                accounts.check_unused(name, cleaned[name], but=self.instance.pk)
            except UsageError as error:
                self.add_error(name, error.message)
        return cleaned


class MemberAdmin(DjangoUserAdmin, ConsoleAdmin):  # type: ignore[type-arg]  # Django's own user is meant
    form = MemberForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "roles", "is_staff", "date_joined")
    list_filter = (RoleFilter, TagFilter, "is_staff", "is_active")
    ordering = ("-pk",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("groups__memberhook_role")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = tuple(super().get_fieldsets(request, obj))
        return (*shown[:2], ("CRM", {"fields": ("contacts",)}), *shown[2:]) if obj else shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), "contacts")

    def get_inlines(self, request: HttpRequest, obj: Any) -> list[type[Any]]:
        return [TagInline, FieldInline] if obj else []

    @admin.display(description=_("roles"))
    def roles(self, user: Any) -> str:
        return ", ".join(
            group.memberhook_role.title if hasattr(group, "memberhook_role") else group.name
            for group in user.groups.all()
        )

    @admin.display(description=_("contacts"))
    def contacts(self, user: Any) -> SafeString | str:
        """The contacts that the member is linked with, each with a link to its deliveries."""
        links = Link.objects.filter(site__kind=LOCAL, member_id=str(user.pk)).select_related("connection")
        listing = admin_url(Delivery, "changelist")
        rows = (
            {"connection": row.connection.name, "id": row.contact_id, "url": f"{listing}?q={row.contact_id}"}
            for row in links
        )
        line = gettext('{connection}: contact {id} (<a href="{url}">its deliveries</a>)')
        shown = format_html_join("", f"<div>{line}</div>", rows)
        return shown or gettext("none: this member was created by hand")


class GroupAdmin(DjangoGroupAdmin, ConsoleAdmin):
    """Django's own, in the style of the console."""
