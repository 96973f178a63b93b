"""The pages of roles of the local site, and of tags."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from memberhook.console.admin_classes import ConsoleAdmin, ModelForm, ReadOnlyAdmin
from memberhook.console.markup import admin_url, badge, link
from memberhook.models.members import RoleInfo
from memberhook.models.tags import Tag
from memberhook.services import accounts
from memberhook.sites.local.group_roles import group_roles, risky_permissions

REASONS_SHOWN = 4


class RoleForm(ModelForm):
    """A new role gets a new group, or the untitled group with that slug."""

    class Meta:
        model = RoleInfo
        fields = ("slug", "title", "privileged")
        help_texts = {
            "slug": "Its short name, used in addresses (…&role=customer). It cannot be changed later.",
            "privileged": "Webhooks may not give it, whatever its permissions are. Permissions can make a role "
            "privileged too.",
        }

    def clean_slug(self) -> str:
        return str(self.cleaned_data["slug"]).lower()


class RoleAdmin(ConsoleAdmin):
    form = RoleForm
    change_list_template = "memberhook/console/roles.html"
    list_display = ("title", "slug", "privileges", "permissions", "members")
    list_select_related = ("group",)
    ordering = ("title",)
    fields = ("slug", "title", "privileged", "privileges", "permissions")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(number_of_permissions=Count("group__permissions"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("slug", "title", "privileged")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug", "privileges", "permissions") if obj else ()

    @admin.display(description="privileged")
    def privileges(self, role: RoleInfo) -> SafeString:
        """Whether the role is privileged, and why."""
        if not any(entry.role.privileged for entry in group_roles() if entry.group_id == role.group_id):
            return badge("no", "calm")
        risky = risky_permissions().get(role.group_id, [])
        reasons = ["marked as privileged"] if role.privileged else []
        more = f" and {len(risky) - REASONS_SHOWN} more" if len(risky) > REASONS_SHOWN else ""
        reasons += [f"may {', '.join(risky[:REASONS_SHOWN])}{more}"] if risky else []
        return format_html("{} {}", badge("privileged", "warn"), "; ".join(reasons))

    @admin.display(description="permissions", ordering="number_of_permissions")
    def permissions(self, role: Any) -> SafeString | str:
        return link(admin_url(Group, "change", role.group_id), role.number_of_permissions)

    @admin.display(description="members")
    def members(self, role: RoleInfo) -> int:
        return int(role.group.user_set.count())

    def save_model(self, request: HttpRequest, obj: RoleInfo, form: Any, change: Any) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            accounts.save_role(obj)

    def delete_model(self, request: HttpRequest, obj: RoleInfo) -> None:
        self.delete_queryset(request, RoleInfo.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RoleInfo]) -> None:
        """A group that was there before its role stays, with its members and permissions."""
        owned = list(queryset.filter(owns_group=True).values_list("group_id", flat=True))
        queryset.filter(owns_group=False).delete()
        Group.objects.filter(pk__in=owned).delete()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Show what is deleted: the group, where Memberhook made it, else the role alone."""
        owned = Group.objects.filter(memberhook_role__in=[role.pk for role in objs if role.owns_group])
        others = [role for role in objs if not role.owns_group]
        first, second = (super(RoleAdmin, self).get_deleted_objects(rows, request) for rows in (owned, others))
        return first[0] + second[0], {**first[1], **second[1]}, first[2] | second[2], first[3] + second[3]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        titled = set(RoleInfo.objects.values_list("group_id", flat=True))
        untitled = [entry.role for entry in group_roles() if entry.group_id not in titled]
        return super().changelist_view(request, {**(extra_context or {}), "untitled": untitled})


class TagAdmin(ReadOnlyAdmin):
    """Tags are created, renamed and assigned in the CRM."""

    list_display = ("title", "slug", "crm_id", "connection", "members")
    list_filter = ("connection",)
    list_select_related = ("connection",)
    search_fields = ("title", "slug", "=crm_id")
    fields = ("title", "slug", "crm_id", "connection", "members")
    ordering = ("title",)

    @admin.display(description="members")
    def members(self, tag: Tag) -> int:
        return tag.members.count()
