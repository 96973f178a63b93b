"""The form of a hook. What it offers depends on the hook's site and connection."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from memberhook.conf import words
from memberhook.console.admin_classes import Checkboxes, ModelForm, Select, TextInput
from memberhook.core.errors import MemberhookError
from memberhook.core.types import Role, UsernameFormat
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.hook_rows import MappedField
from memberhook.models.tags import Tag
from memberhook.services import hooks
from memberhook.services.catalog import known_fields
from memberhook.sites.local.setup import LOCAL

USERNAMES = (
    (UsernameFormat.EMAIL, "the e-mail address (ada@example.com)"),
    (UsernameFormat.FIRST_LAST, "first and last name (ada-lovelace)"),
    (UsernameFormat.FIRST_NUMBER, "first name and a number (ada1)"),
)
SITE_FIELDS = ("user_email", "user_login", "user_pass", "role", "first_name", "last_name", "display_name")

Choices = list[tuple[str, Any]]


class AnyOf(forms.MultipleChoiceField):
    """Ticked boxes. The model decides whether a value is allowed, so that the command line gives the same message."""

    def valid_value(self, value: Any) -> bool:
        return True


@dataclass(frozen=True)
class HookChoices:
    """The values that a hook's form offers. `roles_problem`: why the roles of its site are not known."""

    hook: Hook
    site: Site
    connections: Sequence[Connection]
    roles: tuple[Role, ...] = ()
    roles_problem: str = ""

    @classmethod
    def of(cls, request: HttpRequest, hook: Hook) -> HookChoices:
        """A hook that is being added is for the site that the form or the address names, else for the local one."""
        if hook.pk:
            site, connections = hook.site, [hook.connection]
        else:
            named = request.POST.get("site") or request.GET.get("site") or ""
            found = Site.objects.filter(pk=named).first() if named.isdecimal() else None
            site, connections = found or Site.objects.get(name=LOCAL), list(Connection.objects.order_by("name"))
        try:
            return cls(hook, site, connections, hooks.site_roles(site, system_runtime().http))
        except MemberhookError as error:
            return cls(hook, site, connections, roles_problem=error.message)

    @cached_property
    def crm_fields(self) -> Choices:
        """The fields of the connection; those of several connections in groups."""
        groups: Choices = [
            (
                account.name,
                [(f.name, f"{f.title} ({f.name})" if f.title != f.name else f.name) for f in fields.values()],
            )
            for account in self.connections
            if (fields := known_fields(account))
        ]
        if not groups:
            return [(name, name) for name in hooks.DEFAULT_MAP.values()]
        return groups if len(groups) > 1 else list(groups[0][1])

    @cached_property
    def tags(self) -> list[Tag]:
        return list(Tag.objects.filter(connection__in=self.connections).order_by("title"))

    @cached_property
    def site_fields(self) -> list[str]:
        """Suggestions: the usual ones, and those that other hooks map."""
        mapped = MappedField.objects.order_by("site_field").values_list("site_field", flat=True).distinct()
        return list(dict.fromkeys((*SITE_FIELDS, *mapped)))

    def role_choices(self, *, privileged: bool) -> Choices:
        return [
            (r.slug, f"{r.title} ({r.slug})" + (self._note(r.slug) if privileged else ""))
            for r in self.roles
            if r.slug and r.privileged is privileged
        ]

    def _note(self, slug: str) -> str:
        return ", privileged, confirmed" if slug in self.hook.confirmed_privileged else ", privileged"


def with_stored(choices: Choices, *stored: str, note: str = "not known") -> Choices:
    """The choices, and what is stored though it is not among them."""
    known = {
        key
        for value, entry in choices
        for key in ([value] if isinstance(entry, str) else [inner for inner, _ in entry])
    }
    return [*choices, *((value, f"{value} ({note})") for value in stored if value and value not in known)]


class HookForm(ModelForm):
    """`choices` and `user`: set for each request by the admin."""

    choices: HookChoices
    user: Any = None

    default_role = forms.CharField(
        widget=Select, help_text="New members get it when neither the address nor the contact asks for a role."
    )
    allowed_roles = AnyOf(
        widget=Checkboxes,
        required=False,
        help_text="Further roles that an address (…&role=customer) or a contact may ask for.",
    )
    confirm_privileged = forms.CharField(
        label="Confirm privileged roles",
        required=False,
        widget=TextInput(attrs={"autocomplete": "off"}),
        help_text="A privileged role can manage users, settings, code or others' content. Anyone who knows the access "
        "key could give it to anyone. To allow one anyway, tick it above and type its name (slug) here.",
    )
    username_format = forms.ChoiceField(label="Usernames", choices=USERNAMES, widget=Select)
    return_password_field = forms.CharField(
        label="Return password to",
        required=False,
        widget=Select,
        help_text="The CRM field that generated passwords are written to, for a welcome e-mail of your own.",
    )

    class Meta:
        model = Hook
        fields = (
            "name",
            "connection",
            "site",
            "default_role",
            "allowed_roles",
            "username_format",
            "welcome",
            "return_password_field",
            "trust_payload",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before = copy.copy(self.instance) if self.instance.pk else None
        self._fill_roles()
        fields = with_stored(self.choices.crm_fields, self.instance.return_password_field)
        self._offer("return_password_field", [("", "nowhere"), *fields])
        if self.before is None:
            for name in ("default_role", "username_format"):
                self.initial.setdefault(name, getattr(self.instance, name))
            self.initial.setdefault("site", self.choices.site)
            if len(self.choices.connections) == 1:
                self.initial.setdefault("connection", self.choices.connections[0])

    def _fill_roles(self) -> None:
        default, stored = self.instance.default_role, self.instance.allowed_roles
        granted, privileged = (self.choices.role_choices(privileged=kind) for kind in (False, True))
        if self.choices.roles_problem:
            self._offer("default_role", with_stored([], default))
            self._offer("allowed_roles", with_stored([], *stored))
            for name in ("default_role", "allowed_roles"):
                self.fields[
                    name
                ].help_text = f"The roles of {self.choices.site} are not known now. {self.choices.roles_problem}"
            return
        unfit = [] if default in dict(granted) else [("", f"— ({default} cannot be granted)")]
        self._offer("default_role", [*unfit, *granted])
        self._offer("allowed_roles", with_stored([*granted, *privileged], *stored, note="not on the site"))

    def _offer(self, name: str, choices: Choices) -> None:
        field: Any = self.fields[name]
        field.widget.choices = choices

    def _post_clean(self) -> None:
        """After the model's own rules, those about roles: they need the roles of the site."""
        super()._post_clean()  # type: ignore[misc]  # the stubs do not have it
        if self.before is None and self.choices.roles_problem:
            self.add_error("site", self.choices.roles_problem)
        elif not {"default_role", "allowed_roles", "site"} & set(self.errors):
            try:
                self.instance.confirmed_privileged = hooks.check_roles(
                    self.instance,
                    self.choices.roles,
                    before=self.before,
                    typed=words(self.cleaned_data.get("confirm_privileged", "")),
                    may_confirm=may_change_users(self.user),
                )
            except ValidationError as error:
                self.add_error(None, error)


def may_change_users(user: Any) -> bool:
    meta = get_user_model()._meta
    return user is not None and bool(user.has_perm(f"{meta.app_label}.change_{meta.model_name}"))
