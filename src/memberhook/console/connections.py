"""The admin of connections to CRM accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from memberhook.console.accounts import FIELDS, AccountAdmin, AccountForm
from memberhook.console.admin_classes import Select
from memberhook.console.labels import Text
from memberhook.console.markup import moment
from memberhook.crms.registry import CRMS, crm
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Connection
from memberhook.models.hook_rows import TYPES
from memberhook.models.tags import Tag
from memberhook.services import connect
from memberhook.services.catalog import known_fields


class ConnectionForm(AccountForm):
    help_for_new = _("For FluentCRM: an application password of that user. Stored encrypted and not shown again.")

    kind = forms.ChoiceField(
        label=_("CRM"), choices=lambda: [(slug, crm(slug).name) for slug in sorted(CRMS)], widget=Select
    )

    class Meta(AccountForm.Meta):
        model = Connection
        help_texts: Mapping[str, Any] = {
            "url": _("The address of the site that runs the CRM, for example https://shop.example.")
        }


class ConnectionAdmin(AccountAdmin):
    form = ConnectionForm
    list_display = ("name", "crm_name", "url", "number_of_tags", "number_of_fields", "loaded", "state")
    test_label = _("Test and reload tags and fields")
    fieldsets = (
        (None, {"fields": ("name", "crm_name", *FIELDS)}),
        (_("Tags and fields"), {"fields": ("loaded", "number_of_tags", "field_list")}),
    )
    fieldsets_for_new = ((None, {"fields": ("name", "kind", *FIELDS)}),)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else self.fieldsets_for_new

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = ("crm_name", "loaded", "number_of_tags", "field_list")
        may_change = obj is None or self.has_change_permission(request, obj)
        return shown if may_change else (*shown, "url", "password")

    @admin.display(description=_("CRM"))
    def crm_name(self, connection: Connection) -> str:
        return crm(connection.kind).name if connection.kind in CRMS else connection.kind

    @admin.display(description=_("tags"))
    def number_of_tags(self, connection: Connection) -> int:
        return connection.tags.count()

    @admin.display(description=_("fields"))
    def number_of_fields(self, connection: Connection) -> int:
        return len(connection.fields)

    @admin.display(description=_("fields"))
    def field_list(self, connection: Connection) -> SafeString | Text:
        rows = ((f.title, f.name, TYPES[f.type]) for f in known_fields(connection).values())
        return format_html_join("", "<div>{} <code>{}</code> {}</div>", rows) or _("not loaded yet")

    @admin.display(description=_("loaded"), ordering="catalog_at")
    def loaded(self, connection: Connection) -> Text:
        return moment(connection.catalog_at) or _("never")

    def test_account(self, request: HttpRequest, account: Connection) -> None:
        """Report each result; if nothing required fails, store the CRM's tags and fields."""
        checked = connect.check(account, system_runtime().http, timezone.now())
        self.report(request, account, checked.results)
        if catalog := checked.catalog:
            messages.success(request, f"{account}: {_loaded(len(catalog.tags), len(catalog.fields))}")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Allow deleting a connection with its tags, although tags alone cannot be deleted."""
        summaries, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return summaries, counts, set(lacking) - {Tag._meta.verbose_name}, protected


def _loaded(tags: int, fields: int) -> str:
    return gettext("Loaded %(tags)s and %(fields)s.") % {
        "tags": ngettext("%(number)d tag", "%(number)d tags", tags) % {"number": tags},
        "fields": ngettext("%(number)d field", "%(number)d fields", fields) % {"number": fields},
    }
