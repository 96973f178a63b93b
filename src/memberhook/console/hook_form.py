"""The form of a hook, with every rule told in words. A privileged role is never the default, and is allowed only by
typing its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from memberhook.conf import words
from memberhook.console.base import Checkboxes, ModelForm, Select, TextArea, TextInput, set_choices
from memberhook.console.field_map import FieldMapField
from memberhook.core.errors import MemberhookError, UsageError
from memberhook.core.types import FieldType, Role, UsernameFormat
from memberhook.engine.clients import open_site_row
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Connection, Hook, Site
from memberhook.services.catalog import known_fields
from memberhook.services.hooks import DEFAULT_MAP, tag_rule, tag_rules
from memberhook.sites.local.setup import LOCAL

USERNAMES = (
    (UsernameFormat.EMAIL, "the e-mail address (ada@example.com)"),
    (UsernameFormat.FIRST_LAST, "first and last name (ada-lovelace)"),
    (UsernameFormat.FIRST_NUMBER, "first name and a number (ada1)"),
)
SITE_FIELDS = ("user_email", "user_login", "user_pass", "role", "first_name", "last_name", "display_name")


class RulesField(forms.CharField):
    """Rules, one a line; the form turns them into what a hook stores."""

    def to_python(self, value: Any) -> str:
        return "\n".join(line for row in (super().to_python(value) or "").splitlines() if (line := row.strip()))


class HookForm(ModelForm):
    """`user`: who fills it in; set by the screen."""

    user: Any = None

    default_role = forms.ChoiceField(
        widget=Select, help_text="What new members become when neither the address nor the contact asks for a role."
    )
    allowed_roles = forms.MultipleChoiceField(
        widget=Checkboxes,
        required=False,
        help_text="Further roles that an address (…&role=customer) or a contact may ask for.",
    )
    confirm_privileged = forms.CharField(
        label="Confirm privileged roles",
        required=False,
        widget=TextInput(attrs={"autocomplete": "off"}),
        help_text="A privileged role can manage users, settings, code or others' content. Whoever knows the access key "
        "could give it to anybody. To allow one all the same, tick it above and type its name (slug) here.",
    )
    tag_roles = RulesField(
        label="Roles that follow tags",
        required=False,
        widget=TextArea(attrs={"rows": 4, "placeholder": "Course = student"}),
        help_text="One rule a line: tag = role. While the contact has the tag, the member has the role, beside its "
        "others; without the tag it is taken away, whoever gave it. The role must be the default one or ticked above.",
    )
    field_map = FieldMapField(
        required=False,
        help_text="What the CRM knows goes into the site's fields at every add and update. An empty CRM field leaves "
        "the site's as it is, unless “empty clears” is ticked. Site fields with a meaning: user_email, user_login, "
        "user_pass, role.",
    )
    username_format = forms.ChoiceField(label="Logins", choices=USERNAMES, widget=Select)
    return_password_field = forms.ChoiceField(
        label="Return password to",
        required=False,
        widget=Select,
        help_text="The CRM's field that a generated password is written to, for your own welcome e-mail.",
    )

    class Meta:
        model = Hook
        fields = (
            "name",
            "connection",
            "site",
            "default_role",
            "allowed_roles",
            "tag_roles",
            "field_map",
            "username_format",
            "welcome",
            "return_password_field",
            "trust_payload",
        )
        labels = {"trust_payload": "Trust the webhook alone", "welcome": "Always send the welcome e-mail"}
        help_texts = {
            "name": "Part of its address; it cannot be changed later.",
            "welcome": "To every member that is created, whether or not the address asks for it.",
            "trust_payload": "Only for a CRM that cannot be asked. The contact is not loaded: whatever a webhook says "
            "is believed, so whoever knows the access key can change every member's fields, e-mail and password (those "
            "who hold a privileged role keep the last two). Webhooks that come late are told by their updated_at.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.site = self._site()
        self.site_roles, self.roles_problem = site_roles(self.site)
        self.privileged = {role.slug for role in self.site_roles if role.privileged}
        self.roles = {role.slug: role.title for role in self.site_roles if role.slug}
        self.initial["tag_roles"] = "\n".join(tag_rules(self.instance)) if self.instance.pk else ""
        self.connections = self._connections()
        self._fill_role_choices()
        self._fill_field_choices()
        if self.instance.pk is None:
            self.initial.setdefault("field_map", [{"site": s, "crm": c} for s, c in DEFAULT_MAP.items()])
            self.initial.setdefault("site", self.site)
            self.initial.setdefault("default_role", self.instance.default_role)
            self.initial.setdefault("username_format", self.instance.username_format)
            if len(self.connections) == 1:
                self.initial.setdefault("connection", self.connections[0])

    def _site(self) -> Site:
        if self.instance.pk:
            own: Site = self.instance.site
            return own
        chosen = str(self.data.get(self.add_prefix("site")) or self.initial.get("site") or "")
        site = Site.objects.filter(pk=chosen).first() if chosen.isdecimal() else None
        return site or Site.objects.get(name=LOCAL)

    def _connections(self) -> list[Connection]:
        return [self.instance.connection] if self.instance.pk else list(Connection.objects.order_by("name"))

    def _fill_role_choices(self) -> None:
        named = {slug: f"{title} ({slug})" for slug, title in self.roles.items()}
        granted = [(slug, name) for slug, name in named.items() if slug not in self.privileged]
        confirmed = dict.fromkeys(self.instance.confirmed_privileged, ", confirmed")
        privileged = [
            (slug, f"{name}, privileged{confirmed.get(slug, '')}")
            for slug, name in named.items()
            if slug in self.privileged
        ]
        default, stored = self.instance.default_role, self.instance.allowed_roles
        if self.roles_problem:
            self._keep_roles(default, stored)
            return
        lost = [(slug, f"{slug}, not on the site") for slug in stored if slug not in named]
        unfit = [] if default in dict(granted) else [("", f"— ({default} cannot be granted)")]
        set_choices(self, "default_role", [*unfit, *granted])
        set_choices(self, "allowed_roles", [*granted, *privileged, *lost])

    def _keep_roles(self, default: str, stored: Sequence[str]) -> None:
        """Where the site cannot tell its roles, those of the hook stay as they are, and the form says why."""
        set_choices(self, "default_role", [(default, f"{default} (not known)")])
        set_choices(self, "allowed_roles", [(slug, f"{slug} (not known)") for slug in stored])
        for name in ("default_role", "allowed_roles"):
            self.fields[name].help_text = f"The roles of {self.site} are not known now. {self.roles_problem}"

    def _fill_field_choices(self) -> None:
        choices = crm_choices(self.connections)
        stored = self.instance.return_password_field
        extra = [(stored, f"{stored} (not known)")] if stored and stored not in self._known() else []
        set_choices(self, "return_password_field", [("", "nothing: it is not returned"), *choices, *extra])
        widget: Any = self.fields["field_map"].widget
        mapped = (row["site"] for hook in Hook.objects.only("field_map") for row in hook.field_map)
        widget.crm_fields, widget.site_fields = choices, list(dict.fromkeys((*SITE_FIELDS, *mapped)))

    def _known(self, connection: Connection | None = None) -> set[str]:
        return {
            name for account in ([connection] if connection else self.connections) for name in known_fields(account)
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.roles_problem and self.instance.pk is None:
            self.add_error("site", f"Its roles are not known, so it can have no hook yet. {self.roles_problem}")
        self._check_privileged(cleaned)
        connection = self.instance.connection if self.instance.pk else cleaned.get("connection")
        if connection:
            self._check_fields(cleaned, connection)
            self._read_rules(cleaned, connection)
        return cleaned

    def _check_privileged(self, cleaned: dict[str, Any]) -> None:
        """Each privileged role on the list must have been typed, now or before; also one that became so later."""
        asked = self.privileged & set(cleaned.get("allowed_roles", ()))
        fresh = asked - set(self.instance.confirmed_privileged)
        typed = {word.lower() for word in words(cleaned.get("confirm_privileged", ""))}
        missing = sorted(slug for slug in fresh if slug.lower() not in typed)
        if missing:
            names = ", ".join(missing)
            self.add_error("confirm_privileged", f"Privileged: {names}. To allow this really, type here: {names}")
        elif fresh and not _may_give_by_hand(self.user):
            self.add_error("allowed_roles", "Only who may change users may let a hook give a privileged role.")
        if self.roles_problem:
            asked = set(self.instance.confirmed_privileged) & set(cleaned.get("allowed_roles", ()))
        self.confirmed = sorted(asked)

    def _check_fields(self, cleaned: dict[str, Any], connection: Connection) -> None:
        """CRM fields must be ones that the connection is known to have (or that were chosen before)."""
        known = known_fields(connection)
        before = {row["crm"] for row in self.instance.field_map} | {self.instance.return_password_field, ""}
        rows = cleaned.get("field_map", [])
        unknown = [row["crm"] for row in rows if row["crm"] not in known and row["crm"] not in before]
        if known and unknown:
            self.add_error("field_map", _unknown(connection, unknown))
        returned = cleaned.get("return_password_field", "")
        if known and returned not in known and returned not in before:
            self.add_error("return_password_field", _unknown(connection, [returned]))
        for row in rows:
            field = known.get(row["crm"])
            row["type"] = row["type"] or (field.type if field else FieldType.AUTO).value

    def _read_rules(self, cleaned: dict[str, Any], connection: Connection) -> None:
        """From lines to what a hook stores. A tag that the CRM has lost may stay."""
        granted = {cleaned.get("default_role", ""), *cleaned.get("allowed_roles", ())} - {""}
        lost = {rule["tag"] for rule in self.instance.tag_roles}
        rules = []
        for number, line in enumerate(cleaned.get("tag_roles", "").splitlines(), 1):
            try:
                rules.append(tag_rule(line, connection, granted, self.site_roles, lost))
            except UsageError as error:
                self.add_error("tag_roles", f"Line {number}: {error.message}")
        cleaned["tag_roles"] = rules

    def save(self, commit: bool = True) -> Any:
        self.instance.confirmed_privileged = self.confirmed
        return super().save(commit)


def site_roles(site: Site) -> tuple[tuple[Role, ...], str]:
    """The site's roles, or why they are not known: it is down, was never looked at, its password cannot be read."""
    try:
        roles = open_site_row(site, system_runtime().http).roles()
    except MemberhookError as error:
        return (), error.message
    if not roles:
        return (), f"Test the site {site} first; it tells its roles then."
    return roles, ""


def crm_choices(connections: Sequence[Connection]) -> list[tuple[str, Any]]:
    """The fields of a connection as choices; of several, in groups."""
    groups = [
        (account.name, [(f.name, f"{f.title} ({f.name})" if f.title != f.name else f.name) for f in fields.values()])
        for account in connections
        if (fields := known_fields(account))
    ]
    if not groups:
        return [(name, name) for name in DEFAULT_MAP.values()]
    return groups if len(groups) > 1 else list(groups[0][1])


def _unknown(connection: Connection, names: Iterable[str]) -> str:
    return (
        f"{connection.name} has no field {', '.join(names)}. Made it just now? Open the connection, press “Test and "
        "reload tags and fields”, then try again."
    )


def _may_give_by_hand(user: Any) -> bool:
    meta = get_user_model()._meta
    return user is not None and bool(user.has_perm(f"{meta.app_label}.change_{meta.model_name}"))
