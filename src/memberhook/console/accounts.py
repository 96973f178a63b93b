"""What the screens of connections and of sites that are elsewhere share: address, password, test. A password goes in
here and never comes out again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
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

from memberhook.console.base import ConsoleAdmin, ModelForm, Password, TextInput
from memberhook.console.html import badge
from memberhook.core.check_result import CheckResult
from memberhook.core.errors import MemberhookError
from memberhook.core.url_check import target_of
from memberhook.models.connections import Account

FIELDS = ("address", "username", "password", "allow_private")


def address_field(help_text: str) -> forms.CharField:
    return forms.CharField(max_length=500, widget=TextInput, help_text=help_text)


class AccountForm(ModelForm):
    """`address` and `password` are no model fields here: the first is checked as the HTTP client will, the second is
    only ever written. Each form declares its own `kind` and `address`."""

    help_for_new = ""

    password = forms.CharField(
        required=False, strip=False, widget=Password(attrs={"autocomplete": "new-password"}), label="Password"
    )

    class Meta:
        fields = ("name", "kind", "username", "allow_private")
        labels = {"username": "User name", "allow_private": "Allow private addresses"}
        help_texts = {
            "allow_private": "Only for one that is in your own network or on this machine. Without it such addresses "
            "are not called, whoever asks."
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "address" in self.fields:
            self.initial["address"] = self.instance.url
            stored = "Stored encrypted; it is not shown again. Leave empty to keep it."
            self.fields["password"].help_text = stored if self.instance.pk else self.help_for_new

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


class AccountAdmin(ConsoleAdmin):
    """`test_label`: what a press on the button does; `test_account` does it, and may raise `MemberhookError`."""

    change_form_template = "memberhook/console/account.html"
    actions = ("test_chosen",)
    ordering = ("name",)
    test_label = ""

    def test_account(self, request: HttpRequest, account: Any) -> None:
        raise NotImplementedError

    def links(self, account: Any) -> list[tuple[str, str]]:
        """Addresses with their words, beside the button; `account` is None where one is added."""
        return []

    @admin.display(description="address")
    def address(self, account: Account) -> str:
        return account.url

    @admin.display(description="password")
    def password(self, account: Account) -> str:
        return "stored" if account.secret else "none"

    @admin.display(description="state")
    def state(self, account: Account) -> SafeString:
        paused = account.paused_until is not None and account.paused_until > timezone.now()
        return badge("paused", "warn") if paused else badge("ready", "good")

    @admin.action(description="Test", permissions=["change"])
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
        """Each finding as a message."""
        for result in results:
            bad = messages.ERROR if result.needed else messages.WARNING
            level = messages.SUCCESS if result.ok else bad
            messages.add_message(request, level, f"{account}, {result.name}: {result.message}")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        if not change or set(FIELDS) & set(form.changed_data):
            # After the transaction: nobody waits for a lock while the other side takes its time.
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
