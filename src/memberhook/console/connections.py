"""Connections to CRM accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from memberhook.console.accounts import FIELDS, AccountAdmin, AccountForm, address_field
from memberhook.console.base import Select
from memberhook.console.field_map import TYPES
from memberhook.console.html import moment
from memberhook.crms.registry import CRMS, crm
from memberhook.engine.clients import crm_client
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Connection
from memberhook.models.tags import Tag
from memberhook.services.catalog import known_fields, save_catalog


class ConnectionForm(AccountForm):
    help_for_new = "For FluentCRM an application password of that user. It is stored encrypted and not shown again."

    kind = forms.ChoiceField(
        label="CRM", choices=lambda: [(slug, crm(slug).name) for slug in sorted(CRMS)], widget=Select
    )
    address = address_field("Of the site that the CRM runs on, like https://shop.example.")

    class Meta(AccountForm.Meta):
        model = Connection


class ConnectionAdmin(AccountAdmin):
    form = ConnectionForm
    list_display = ("name", "crm_name", "url", "number_of_tags", "number_of_fields", "loaded", "state")
    test_label = "Test and reload tags and fields"
    fieldsets = (
        (None, {"fields": ("name", "crm_name", *FIELDS)}),
        ("What the CRM has", {"fields": ("loaded", "number_of_tags", "field_list")}),
    )
    fieldsets_for_new = ((None, {"fields": ("name", "kind", *FIELDS)}),)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else self.fieldsets_for_new

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = ("crm_name", "loaded", "number_of_tags", "field_list")
        may_change = obj is None or self.has_change_permission(request, obj)
        return shown if may_change else (*shown, "address", "password")

    @admin.display(description="CRM")
    def crm_name(self, connection: Connection) -> str:
        return crm(connection.kind).name if connection.kind in CRMS else connection.kind

    @admin.display(description="tags")
    def number_of_tags(self, connection: Connection) -> int:
        return connection.tags.count()

    @admin.display(description="fields")
    def number_of_fields(self, connection: Connection) -> int:
        return len(connection.fields)

    @admin.display(description="fields")
    def field_list(self, connection: Connection) -> SafeString | str:
        rows = ((f.title, f.name, TYPES[f.type]) for f in known_fields(connection).values())
        return format_html_join("", "<div>{} <code>{}</code> {}</div>", rows) or "not loaded yet"

    @admin.display(description="loaded", ordering="catalog_at")
    def loaded(self, connection: Connection) -> str:
        return moment(connection.catalog_at) or "never"

    def test_account(self, request: HttpRequest, account: Connection) -> None:
        """Tells each finding; where all is well, keeps what the CRM has."""
        client = crm_client(account, system_runtime().http)
        results = client.check()
        self.report(request, account, results)
        if all(result.ok for result in results):
            catalog = client.catalog()
            with transaction.atomic():
                save_catalog(account, catalog, timezone.now())
            messages.success(request, f"{account}: loaded {len(catalog.tags)} tags and {len(catalog.fields)} fields.")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its tags go with it, though nobody deletes a tag alone."""
        summaries, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return summaries, counts, set(lacking) - {Tag._meta.verbose_name}, protected
