"""Sites: the local one is always there and has nothing to set; a WordPress is added, changed and tested."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from memberhook.connections import sites
from memberhook.connections.models import Site
from memberhook.console.accounts import FIELDS, AccountForm, AccountScreen, address_field
from memberhook.console.base import Checkbox, Select, TextInput
from memberhook.console.html import badge, moment
from memberhook.errors import UsageError
from memberhook.sites.registry import REMOTE
from memberhook.sites.wordpress import plugin_file, row
from memberhook.worker import real_tools

OPTIONS = ("full_cost_hash", "wp_fusion")
FOUND = ("checked", "way", "version", "role_list", "meta_keys")


class SiteForm(AccountForm):
    """`full_cost_hash` and `wp_fusion` are the site's options."""

    help_for_new = (
        "An application password of that user. With the connector, WordPress makes both under Settings > Memberhook; "
        "without it the user needs the rights of an administrator. It is stored encrypted and not shown again."
    )

    kind = forms.ChoiceField(choices=tuple(REMOTE.items()), widget=Select)
    address = address_field("Of the WordPress, like https://club.example.")
    full_cost_hash = forms.BooleanField(
        label="Full-cost hash", required=False, widget=Checkbox, help_text=row.FULL_COST_HASH
    )
    wp_fusion = forms.CharField(label="WP Fusion", required=False, widget=TextInput, help_text=row.WP_FUSION)

    class Meta(AccountForm.Meta):
        model = Site

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in OPTIONS:
            self.initial.setdefault(name, self.instance.options.get(name))

    def clean_wp_fusion(self) -> str:
        slug: str = self.cleaned_data["wp_fusion"]
        try:
            return str(row.options(full_cost_hash=False, wp_fusion=slug)["wp_fusion"])
        except UsageError as error:
            raise forms.ValidationError(error.message) from error

    def save(self, commit: bool = True) -> Any:
        chosen = {name: self.cleaned_data[name] for name in OPTIONS}
        self.instance.options = row.options(**chosen)
        return super().save(commit)


class SiteScreen(AccountScreen):
    form = SiteForm
    list_display = ("name", "kind_name", "url", "way", "version", "number_of_hooks", "state")
    test_label = "Test and look again"
    fieldsets = (
        (None, {"fields": ("name", "kind_name", *FIELDS)}),
        ("Options", {"fields": OPTIONS}),
        ("What was found there", {"fields": FOUND}),
    )
    fieldsets_for_new = ((None, {"fields": ("name", "kind", *FIELDS)}), ("Options", {"fields": OPTIONS}))
    fieldsets_for_local = ((None, {"fields": ("name", "kind_name", "number_of_hooks")}),)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fieldsets_for_new
        return self.fieldsets if sites.is_remote(obj) else self.fieldsets_for_local

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = ("kind_name", "number_of_hooks", *FOUND)
        may_change = obj is None or self.has_change_permission(request, obj)
        return shown if may_change else (*shown, "address", "password", *OPTIONS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or sites.is_remote(obj)) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or sites.is_remote(obj)) and super().has_delete_permission(request, obj)

    @display(description="kind")
    def kind_name(self, site: Site) -> str:
        return sites.kind_name(site)

    @display(description="hooks")
    def number_of_hooks(self, site: Site) -> int:
        return site.hooks.count()

    @display(description="full-cost hash", boolean=True)
    def full_cost_hash(self, site: Site) -> bool:
        return bool(site.options.get("full_cost_hash"))

    @display(description="WP Fusion")
    def wp_fusion(self, site: Site) -> str:
        return str(site.options.get("wp_fusion") or "")

    @display(description="checked", ordering="checked_at")
    def checked(self, site: Site) -> str:
        return moment(site.checked_at) or "never"

    @display(description="reached by")
    def way(self, site: Site) -> SafeString | str:
        facts = sites.known_facts(site)
        if not facts.way:
            return ""
        return (
            facts.how
            if facts.connector
            else format_html('<span title="{}">{}</span>', sites.WITHOUT_CONNECTOR, facts.how)
        )

    @display(description="version")
    def version(self, site: Site) -> str:
        return sites.known_facts(site).wordpress or ""

    @display(description="roles")
    def role_list(self, site: Site) -> SafeString | str:
        marks = {True: badge("privileged", "warn"), False: ""}
        rows = ((r.title, r.slug, marks[r.privileged]) for r in sites.known_facts(site).roles)
        return format_html_join("", "<div>{} <code>{}</code> {}</div>", rows) or "not known yet"

    @display(description="user meta keys")
    def meta_keys(self, site: Site) -> SafeString | str:
        keys = ((key,) for key in sites.known_facts(site).meta_keys)
        return format_html_join(" ", "<code>{}</code>", keys) or "none"

    def test_account(self, request: HttpRequest, account: Site) -> None:
        """Tells each finding; where all that is needed is well, keeps what the site has."""
        checked = sites.look(account, real_tools().http)
        self.tell(request, account, checked.findings)
        if checked.problem is None:
            sites.save_facts(account, checked, timezone.now())
            sites.resume(account)
            if not sites.known_facts(account).connector:
                messages.warning(request, f"{account}: {sites.WITHOUT_CONNECTOR} Its zip is linked here.")

    def save_model(self, request: HttpRequest, obj: Site, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if change and (warning := sites.moved_warning(obj, form.initial["address"])):
            messages.warning(request, warning)

    def links(self, account: Site | None) -> list[tuple[str, str]]:
        if account is None:
            return [(reverse("admin:memberhook_site_connector"), "Connector plugin (zip)")]
        if not sites.is_remote(account):
            return []
        add_hook = f"{reverse('admin:memberhook_hook_add')}?site={account.pk}"
        return [*self.links(None), (add_hook, "Add a hook to it")]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.connector_zip)
        return [path("connector.zip", view, name="memberhook_site_connector"), *super().get_urls()]

    def connector_zip(self, request: HttpRequest) -> HttpResponseBase:
        """The same for everybody, and no secret in it."""
        disposition = f'attachment; filename="{plugin_file.zip_name()}"'
        return HttpResponse(
            plugin_file.as_zip(), content_type="application/zip", headers={"Content-Disposition": disposition}
        )
