"""Connections to CRM accounts, and sites. A password goes in here and never comes out again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from memberhook.addresses import target_of
from memberhook.connections.clients import crm_client, known_fields, save_catalog
from memberhook.connections.models import Connection
from memberhook.console.base import ModelForm, Password, ReadOnlyScreen, Screen, Select, TextInput, set_choices
from memberhook.console.html import badge, moment
from memberhook.crms.registry import CRMS, crm
from memberhook.errors import MemberhookError
from memberhook.local.models import Tag
from memberhook.worker import real_tools


class ConnectionForm(ModelForm):
    """`address` and `password` are no model fields here: the first is checked as the HTTP client will, the second is
    only ever written."""

    kind = forms.ChoiceField(label="CRM", widget=Select)
    address = forms.CharField(
        max_length=500, widget=TextInput, help_text="Of the site that the CRM runs on, like https://shop.example."
    )
    password = forms.CharField(
        required=False, strip=False, widget=Password(attrs={"autocomplete": "new-password"}), label="Password"
    )

    class Meta:
        model = Connection
        fields = ("name", "kind", "username", "allow_private")
        labels = {"username": "User name", "allow_private": "Allow private addresses"}
        help_texts = {
            "allow_private": "Only for a CRM that is in your own network or on this machine. Without it such addresses "
            "are not called, whoever asks."
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" in self.fields:
            set_choices(self, "kind", ((slug, crm(slug).name) for slug in sorted(CRMS)))
        if "address" in self.fields:
            self.initial["address"] = self.instance.url
            stored = "Stored encrypted; it is not shown again. Leave empty to keep it."
            new = "For FluentCRM an application password of that user. It is stored encrypted and not shown again."
            self.fields["password"].help_text = stored if self.instance.pk else new

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"].strip()
        try:
            target_of(address)
        except MemberhookError as error:
            raise ValidationError(error.message) from error
        return address

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("password"):
            return cleaned
        now = (cleaned.get("address"), cleaned.get("username"))
        if self.instance.pk is None:
            self.add_error("password", "Give the password.")
        elif now != (self.instance.url, self.instance.username):
            text = "Give the password again: it is not sent to another address or as another user unseen."
            self.add_error("password", text)
        return cleaned

    def save(self, commit: bool = True) -> Any:
        self.instance.url = self.cleaned_data["address"]
        if self.cleaned_data["password"]:
            self.instance.password = self.cleaned_data["password"]
        return super().save(commit)


class ConnectionScreen(Screen):
    form = ConnectionForm
    change_form_template = "memberhook/console/connection.html"
    list_display = ("name", "crm_name", "url", "number_of_tags", "number_of_fields", "loaded", "state")
    ordering = ("name",)
    actions = ("test_and_reload",)
    fieldsets = (
        (None, {"fields": ("name", "crm_name", "address", "username", "password", "allow_private")}),
        ("What the CRM has", {"fields": ("loaded", "number_of_tags", "field_list")}),
    )
    fieldsets_for_new = ((None, {"fields": ("name", "kind", "address", "username", "password", "allow_private")}),)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj else self.fieldsets_for_new

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = ("crm_name", "loaded", "number_of_tags", "field_list")
        may_change = obj is None or self.has_change_permission(request, obj)
        return shown if may_change else (*shown, "address", "password")

    @admin.display(description="CRM")
    def crm_name(self, connection: Connection) -> str:
        return crm(connection.kind).name if connection.kind in CRMS else connection.kind

    @admin.display(description="address")
    def address(self, connection: Connection) -> str:
        return connection.url

    @admin.display(description="password")
    def password(self, connection: Connection) -> str:
        return "stored" if connection.secret else "none"

    @admin.display(description="tags")
    def number_of_tags(self, connection: Connection) -> int:
        return connection.tags.count()

    @admin.display(description="fields")
    def number_of_fields(self, connection: Connection) -> int:
        return len(connection.fields)

    @admin.display(description="fields")
    def field_list(self, connection: Connection) -> SafeString | str:
        rows = ((f.title, f.name, f.type.value) for f in known_fields(connection).values())
        return format_html_join("", "<div>{} <code>{}</code> {}</div>", rows) or "not loaded yet"

    @admin.display(description="loaded", ordering="catalog_at")
    def loaded(self, connection: Connection) -> str:
        return moment(connection.catalog_at) or "never"

    @admin.display(description="state")
    def state(self, connection: Connection) -> SafeString:
        paused = connection.paused_until is not None and connection.paused_until > timezone.now()
        return badge("paused", "warn") if paused else badge("ready", "good")

    @admin.action(description="Test and reload tags and fields", permissions=["change"])
    def test_and_reload(self, request: HttpRequest, queryset: QuerySet[Connection]) -> None:
        for connection in queryset:
            self.test(request, connection)

    def test(self, request: HttpRequest, connection: Connection) -> None:
        """Tells each finding as a message; where all is well, keeps what the CRM has."""
        try:
            client = crm_client(connection, real_tools().http)
            findings = client.check()
            for finding in findings:
                level = messages.SUCCESS if finding.ok else messages.ERROR
                messages.add_message(request, level, f"{connection}, {finding.name}: {finding.message}")
            if all(finding.ok for finding in findings):
                catalog = client.catalog()
                with transaction.atomic():
                    save_catalog(connection, catalog, timezone.now())
                loaded = f"{len(catalog.tags)} tags and {len(catalog.fields)} fields"
                messages.success(request, f"{connection}: loaded {loaded}.")
        except MemberhookError as error:
            messages.error(request, f"{connection}: {error.message}")

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if not change or {"address", "username", "password", "allow_private"} & set(form.changed_data):
            # After the transaction: nobody waits for a lock while the CRM takes its time.
            transaction.on_commit(lambda: self.test(request, obj))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.test_page)
        return [path("<path:object_id>/test/", view, name="memberhook_connection_test"), *super().get_urls()]

    def test_page(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        connection = self.get_object(request, object_id)
        if connection is None:
            raise Http404
        if not self.has_change_permission(request, connection):
            raise PermissionDenied
        self.test(request, connection)
        return HttpResponseRedirect(reverse("admin:memberhook_connection_change", args=[connection.pk]))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its tags go with it, though nobody deletes a tag alone."""
        listed, counts, lacking, protected = super().get_deleted_objects(objs, request)
        return listed, counts, set(lacking) - {Tag._meta.verbose_name}, protected


class SiteScreen(ReadOnlyScreen):
    """The site `local` is always there and has nothing to set."""

    list_display = ("name", "kind", "url", "number_of_hooks")
    fields = ("name", "kind", "url", "username", "allow_private", "number_of_hooks")
    ordering = ("name",)

    @admin.display(description="hooks")
    def number_of_hooks(self, site: Any) -> int:
        return int(site.hooks.count())
