"""What the admins of connections and remote sites share: address, password and the test. A password can be set here,
but is never shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from memberhook.console.admin_classes import ConsoleAdmin, ModelForm, Password
from memberhook.console.labels import Text
from memberhook.console.markup import Link, badge
from memberhook.core.check_result import CheckResult
from memberhook.core.errors import MemberhookError
from memberhook.models.connections import Account

FIELDS = ("url", "username", "password", "allow_private")


class AccountForm(ModelForm):
    """`password` can be set but is never shown. Each subclass declares its own `kind`."""

    help_for_new: Text = ""

    password = forms.CharField(
        required=False, strip=False, widget=Password(attrs={"autocomplete": "new-password"}), label=_("Password")
    )

    class Meta:
        fields = ("name", "kind", "url", "username", "allow_private")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "password" in self.fields:
            self.moved_from = (self.instance.url, self.instance.username)
            stored = _("Stored encrypted and not shown again. Leave empty to keep the current password.")
            self.fields["password"].help_text = stored if self.instance.pk else self.help_for_new

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("password"):
            self.instance.password = cleaned["password"]
        elif self.instance.pk and (cleaned.get("url"), cleaned.get("username")) != self.moved_from:
            text = _(
                "Enter the password again. It is never sent to a new address or for a new user without your consent."
            )
            self.add_error("password", text)
        return cleaned


class AccountAdmin(ConsoleAdmin):
    """Subclasses set `test_label`, the text of the button, and `test_account`, which may raise `MemberhookError`."""

    change_form_template = "memberhook/console/account.html"
    actions = ("test_chosen",)
    ordering = ("name",)
    test_label: Text = ""

    def test_account(self, request: HttpRequest, account: Any) -> None:
        raise NotImplementedError

    def links(self, account: Any) -> list[Link]:
        """Return the links shown next to the button; `account` is None on the page that adds one."""
        return []

    @admin.display(description=_("password"))
    def password(self, account: Account) -> Text:
        return _("stored") if account.secret else _("none")

    @admin.display(description=_("state"))
    def state(self, account: Account) -> SafeString:
        paused = account.paused_until is not None and account.paused_until > timezone.now()
        return badge(_("Paused"), "warn") if paused else badge(_("Ready"), "good")

    @admin.action(description=_("Test"), permissions=["change"])
    def test_chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for account in queryset:
            if self.has_change_permission(request, account):
                self.test(request, account)

    def test(self, request: HttpRequest, account: Account) -> None:
        try:
            self.test_account(request, account)
        except MemberhookError as error:
            messages.error(request, f"{account}: {error.message}")

    def report(self, request: HttpRequest, account: Account, results: Iterable[CheckResult]) -> None:
        """Show each result as a message."""
        for result in results:
            bad = messages.ERROR if result.needed else messages.WARNING
            level = messages.SUCCESS if result.ok else bad
            messages.add_message(request, level, f"{account}, {result.name}: {result.message}")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if not change or set(FIELDS) & set(form.changed_data):
            # After the commit: a slow answer must not keep the transaction open.
            transaction.on_commit(lambda: self.test(request, obj))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        shown = {"test_label": self.test_label, "links": self.links(context["original"])}
        return super().render_change_form(request, {**context, **shown}, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view(self.test_page), f"memberhook_{self.opts.model_name}_test"
        return [path("<path:object_id>/test/", view, name=name), *super().get_urls()]

    def test_page(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        account = self.get_object(request, object_id)
        if account is None:
            raise Http404
        if not self.has_change_permission(request, account):
            raise PermissionDenied
        self.test(request, account)
        return HttpResponseRedirect(reverse(f"admin:memberhook_{self.opts.model_name}_change", args=[account.pk]))
