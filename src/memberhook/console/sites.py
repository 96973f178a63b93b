"""The admin of sites. The local site always exists and has no settings; WordPress sites can be added and tested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import display
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from memberhook.console.accounts import FIELDS, AccountAdmin, AccountForm
from memberhook.console.admin_classes import Checkbox, Select, TextInput
from memberhook.console.labels import Text
from memberhook.console.markup import Link, badge, moment
from memberhook.core.errors import UsageError
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Site
from memberhook.services import sites
from memberhook.sites.registry import REMOTE
from memberhook.sites.wordpress import plugin_file, site_data

OPTIONS = ("full_cost_hash", "wp_fusion")
FOUND = ("checked", "transport", "version", "role_list", "meta_keys")


class SiteForm(AccountForm):
    """`full_cost_hash` and `wp_fusion` are the site's options."""

    help_for_new = _(
        "An application password of that user. With the connector, WordPress makes both under Settings > Memberhook; "
        "without it, the user must be an administrator. Stored encrypted and not shown again."
    )

    kind = forms.ChoiceField(choices=tuple(REMOTE.items()), widget=Select)
    full_cost_hash = forms.BooleanField(
        label=_("Full-cost hash"), required=False, widget=Checkbox, help_text=site_data.FULL_COST_HASH
    )
    wp_fusion = forms.CharField(label=_("WP Fusion"), required=False, widget=TextInput, help_text=site_data.WP_FUSION)

    class Meta(AccountForm.Meta):
        model = Site
        help_texts: Mapping[str, Any] = {
            "url": _("The address of the WordPress site, for example https://club.example.")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in OPTIONS:
            self.initial.setdefault(name, self.instance.options.get(name))

    def clean_wp_fusion(self) -> str:
        slug: str = self.cleaned_data["wp_fusion"]
        try:
            return str(site_data.options(full_cost_hash=False, wp_fusion=slug)["wp_fusion"])
        except UsageError as error:
            raise forms.ValidationError(error.message) from error

    def save(self, commit: bool = True) -> Any:
        chosen = {name: self.cleaned_data[name] for name in OPTIONS}
        self.instance.options = site_data.options(**chosen)
        return super().save(commit)


class SiteAdmin(AccountAdmin):
    form = SiteForm
    list_display = ("name", "kind_name", "url", "transport", "version", "number_of_hooks", "state")
    test_label = _("Test the site")
    fieldsets = (
        (None, {"fields": ("name", "kind_name", *FIELDS)}),
        (_("Options"), {"fields": OPTIONS}),
        (_("Found at the last test"), {"fields": FOUND}),
    )
    fieldsets_for_new = ((None, {"fields": ("name", "kind", *FIELDS)}), (_("Options"), {"fields": OPTIONS}))
    fieldsets_for_local = ((None, {"fields": ("name", "kind_name", "number_of_hooks")}),)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fieldsets_for_new
        return self.fieldsets if sites.is_remote(obj) else self.fieldsets_for_local

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = ("kind_name", "number_of_hooks", *FOUND)
        may_change = obj is None or self.has_change_permission(request, obj)
        return shown if may_change else (*shown, "url", "password", *OPTIONS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or sites.is_remote(obj)) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or sites.is_remote(obj)) and super().has_delete_permission(request, obj)

    @display(description=_("kind"))
    def kind_name(self, site: Site) -> str:
        return sites.kind_name(site)

    @display(description=_("hooks"))
    def number_of_hooks(self, site: Site) -> int:
        return site.hooks.count()

    @display(description=_("full-cost hash"), boolean=True)
    def full_cost_hash(self, site: Site) -> bool:
        return bool(site.options.get("full_cost_hash"))

    @display(description=_("WP Fusion"))
    def wp_fusion(self, site: Site) -> str:
        return str(site.options.get("wp_fusion") or "")

    @display(description=_("last tested"), ordering="checked_at")
    def checked(self, site: Site) -> Text:
        return moment(site.checked_at) or _("never")

    @display(description=_("connected through"))
    def transport(self, site: Site) -> SafeString | str:
        capabilities = sites.known_capabilities(site)
        if not capabilities.transport:
            return ""
        return (
            capabilities.transport_label
            if capabilities.connector
            else format_html('<span title="{}">{}</span>', sites.WITHOUT_CONNECTOR, capabilities.transport_label)
        )

    @display(description=_("version"))
    def version(self, site: Site) -> str:
        return sites.known_capabilities(site).wordpress or ""

    @display(description=_("roles"))
    def role_list(self, site: Site) -> SafeString | Text:
        marks = {True: badge(_("Privileged"), "warn"), False: ""}
        rows = ((r.title, r.slug, marks[r.privileged]) for r in sites.known_capabilities(site).roles)
        return format_html_join("", "<div>{} <code>{}</code> {}</div>", rows) or _("not known yet")

    @display(description=_("user meta keys"))
    def meta_keys(self, site: Site) -> SafeString | Text:
        keys = ((key,) for key in sites.known_capabilities(site).meta_keys)
        return format_html_join(" ", "<code>{}</code>", keys) or _("none")

    def test_account(self, request: HttpRequest, account: Site) -> None:
        """Report each result; if nothing required fails, store the site's capabilities."""
        checked = sites.check(account, system_runtime().http, timezone.now())
        self.report(request, account, checked.results)
        if checked.problem is None and not sites.known_capabilities(account).connector:
            hint = gettext("You can download the plugin from the site's page.")
            messages.warning(request, f"{account}: {sites.WITHOUT_CONNECTOR} {hint}")

    def save_model(self, request: HttpRequest, obj: Site, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if change and (warning := sites.moved_warning(obj, form.initial["url"])):
            messages.warning(request, warning)

    def links(self, account: Site | None) -> list[Link]:
        if account is None:
            return [Link(reverse("admin:memberhook_site_connector"), _("Download the connector plugin (zip)"))]
        if not sites.is_remote(account):
            return []
        add_hook = f"{reverse('admin:memberhook_hook_add')}?site={account.pk}"
        return [*self.links(None), Link(add_hook, _("Add a hook for this site"))]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.connector_zip)
        return [path("connector.zip", view, name="memberhook_site_connector"), *super().get_urls()]

    def connector_zip(self, request: HttpRequest) -> HttpResponseBase:
        """The file is the same for every installation and contains no secret."""
        disposition = f'attachment; filename="{plugin_file.zip_name()}"'
        return HttpResponse(
            plugin_file.as_zip(), content_type="application/zip", headers={"Content-Disposition": disposition}
        )
