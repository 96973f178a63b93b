"""Access keys: their limits on the page of the hook, and the page that shows a new key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from memberhook.conf import words
from memberhook.console.admin_classes import Checkboxes, ModelForm, Radios, StackedInline, TextInput, set_choices
from memberhook.console.hook_form import AnyOf
from memberhook.console.hook_rows import HookFormSet
from memberhook.core.types import Action
from memberhook.models.connections import AccessKey, Hook
from memberhook.services import hooks, keys

KEEP_OLD = timedelta(hours=24)


class WordsField(forms.CharField):
    """A list, written with commas or spaces."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return list(words(super().to_python(value) or ""))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


class AccessKeyForm(ModelForm):
    actions = AnyOf(
        required=False,
        widget=Checkboxes,
        choices=[(action.value, action.value) for action in Action],
        help_text="None ticked: all.",
    )
    roles = AnyOf(
        required=False,
        widget=Checkboxes,
        help_text="Roles that webhooks with this key may ask for. None ticked: all.",
    )
    networks = WordsField(
        required=False,
        widget=TextInput,
        help_text="Addresses that webhooks may come from, like 203.0.113.7 or 203.0.113.0/24. Empty: from anywhere.",
    )

    class Meta:
        model = AccessKey
        fields = ("expires_at", "actions", "roles", "networks")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            hook = self.instance.hook
            choices = dict.fromkeys((hook.default_role, *hook.allowed_roles, *self.instance.roles))
            set_choices(self, "roles", ((slug, slug) for slug in choices))


class KeyFormSet(HookFormSet):
    def add_fields(self, form: AccessKeyForm, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].label = "Revoke"


class KeyInline(StackedInline):
    """Keys are made on a page of their own, which shows each key once."""

    model = AccessKey
    form = AccessKeyForm
    formset = KeyFormSet
    extra = 0
    fields = (("key", "created_at"), "expires_at", "actions", "roles", "networks")
    readonly_fields = ("key", "created_at")
    ordering = ("-created_at", "-pk")
    verbose_name = "access key"
    verbose_name_plural = "access keys (delete one to revoke it)"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="ends in")
    def key(self, access_key: AccessKey) -> str:
        ended = access_key.expires_at is not None and access_key.expires_at <= timezone.now()
        signs = " (signs)" if access_key.signing_secret else ""
        return f"…{access_key.hint}{signs}{' (expired)' if ended else ''}"


class NewKeyForm(forms.Form):
    """`newest`: the hook's newest key when the page was opened, so that submitting twice makes one key."""

    old_keys = forms.ChoiceField(
        label="Existing keys",
        widget=Radios,
        initial="keep",
        choices=(
            ("keep", "keep working for 24 hours, to give you time to replace the old address"),
            ("drop", "stop working now"),
            ("stay", "keep working: this is an additional key"),
        ),
    )
    newest = forms.CharField(widget=forms.HiddenInput, required=False)


def new_key_view(model_admin: Any, request: HttpRequest, object_id: str) -> HttpResponseBase:
    """GET asks what to do with the old keys; POST makes the new one and shows it."""
    hook = model_admin.get_object(request, object_id)
    if hook is None:
        raise Http404
    if not (model_admin.has_change_permission(request, hook) and request.user.has_perm("memberhook.add_accesskey")):
        raise PermissionDenied
    newest = str(hook.keys.order_by("-created_at", "-pk").values_list("pk", flat=True).first() or "")
    form = NewKeyForm(request.POST or None, initial={"newest": newest})
    if not form.is_valid():
        context = {**_context(model_admin, request, hook, "New access key"), "form": form}
        return TemplateResponse(request, "memberhook/console/new_key.html", context)
    if form.cleaned_data["newest"] != newest:
        messages.warning(request, "A new key has been made in the meantime, so none was made now.")
        return HttpResponseRedirect(reverse("admin:memberhook_hook_change", args=[hook.pk]))
    with transaction.atomic():
        key = _make(hook, form.cleaned_data["old_keys"])
        model_admin.log_change(request, hook, f"Made the access key …{key[-4:]}.")
    return show_key(model_admin, request, hook, key)


def _make(hook: Hook, old_keys: str) -> str:
    now = timezone.now()
    if old_keys == "stay":
        return keys.new_key(hook, now)
    return keys.rotate(hook, now, now + KEEP_OLD if old_keys == "keep" else None)


def show_key(model_admin: Any, request: HttpRequest, hook: Hook, key: str) -> TemplateResponse:
    """The key and its addresses, in this response only: not in the session, a message or a cache."""
    context = {
        **_context(model_admin, request, hook, "Access key"),
        "key": key,
        "addresses": hooks.urls(hook, key),
        "addresses_for_header": list(hooks.urls(hook, None).values()),
    }
    response = TemplateResponse(request, "memberhook/console/key.html", context)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _context(model_admin: Any, request: HttpRequest, hook: Hook, title: str) -> dict[str, Any]:
    return {
        **model_admin.admin_site.each_context(request),
        "opts": Hook._meta,
        "media": model_admin.media,
        "title": title,
        "hook": hook,
        "back": reverse("admin:memberhook_hook_change", args=[hook.pk]),
    }
