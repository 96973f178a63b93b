"""Connections, sites, hooks, keys and links, each with the rules for its values."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from memberhook import encryption
from memberhook.core.errors import PermanentError
from memberhook.core.types import Action, FieldMapping, FieldType, HookOptions, TagRole, UsernameFormat
from memberhook.core.url_check import target_of


class Account(models.Model):
    """What connections and remote sites have in common: an address and credentials."""

    name = models.SlugField(
        max_length=64, unique=True, error_messages={"unique": "This name is taken. Choose another name."}
    )
    kind = models.CharField(max_length=32)
    url = models.CharField("address", max_length=500, blank=True)
    username = models.CharField(max_length=200, blank=True)
    secret = models.TextField(blank=True, editable=False, help_text="Encrypted; see encryption.py.")
    allow_private = models.BooleanField(
        "allow private addresses",
        default=False,
        help_text="Only for an address in your own network or on this machine. Without it, private addresses are never "
        "called.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    paused_until = models.DateTimeField(null=True, editable=False, help_text="It is down, or asked us to wait.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        errors = {}
        try:
            target_of(self.url)
        except PermanentError as error:
            errors["url"] = ValidationError(error.message, code=error.code)
        if not self.username.strip():
            errors["username"] = ValidationError("Enter the username.", code="no_username")
        if not self.secret:
            errors["password"] = ValidationError("Enter the password.", code="no_password")
        if errors:
            raise ValidationError(errors)

    @property
    def password(self) -> str:
        return encryption.decrypt(self.secret) if self.secret else ""

    @password.setter
    def password(self, value: str) -> None:
        self.secret = encryption.encrypt(value) if value else ""


class Connection(Account):
    """One CRM account. `fields` is its list of fields as last loaded; its tags are rows of `Tag`."""

    fields: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(
        default=list, editable=False
    )
    catalog_at = models.DateTimeField(null=True, editable=False)

    @property
    def field_types(self) -> dict[str, FieldType]:
        """The CRM's fields by name; empty before they are loaded."""
        return {field["name"]: FieldType(field["type"]) for field in self.fields}


class Site(Account):
    """Where members live. The site `local` always exists and has no address.

    `options`: set by the owner; `capabilities`: what the last check found. Each kind of site has its own keys.
    """

    options: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict, blank=True)
    capabilities: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)


class Hook(models.Model):
    """One webhook address: connection, site, keys and options. Its field map is `mapped_fields`, its rules `tag_rules`.

    `confirmed_privileged`: the privileged roles among `allowed_roles` that the owner has confirmed by name.
    """

    OPTION_ROWS = ("mapped_fields", "tag_rules")
    """Prefetch these where `options` is called, so that it runs no query."""

    name = models.SlugField(
        max_length=64,
        unique=True,
        help_text="Part of its address; it cannot be changed later.",
        error_messages={"unique": "A hook with this name exists already. Choose another name."},
    )
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="hooks")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="hooks")
    default_role = models.CharField(max_length=100, default="subscriber")
    allowed_roles: models.JSONField[list[str], list[str]] = models.JSONField(default=list, blank=True)
    confirmed_privileged: models.JSONField[list[str], list[str]] = models.JSONField(default=list, editable=False)
    username_format = models.CharField(
        max_length=20, default=UsernameFormat.EMAIL.value, choices=[(f.value, f.value) for f in UsernameFormat]
    )
    welcome = models.BooleanField(
        "always send the welcome e-mail",
        default=False,
        help_text="To every new member, whether or not the webhook asks for it.",
    )
    return_password_field = models.CharField("return password to", max_length=200, blank=True)
    trust_payload = models.BooleanField(
        "trust the webhook alone",
        default=False,
        help_text="Only for a CRM that cannot be asked. The contact is not loaded from the CRM; whatever the webhook "
        "says is believed. Anyone who knows the access key can then change the fields, e-mail and password of every "
        "member (except the e-mail and password of members with a privileged role). Late webhooks are recognised by "
        "their updated_at.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.connection_id:
            self.check_crm_field("return_password_field", self.return_password_field)

    @property
    def granted_roles(self) -> list[str]:
        """The slugs of all roles that the hook may give."""
        return sorted({self.default_role, *self.allowed_roles} - {""})

    def check_crm_field(self, column: str, name: str) -> None:
        """Raises `ValidationError` for a field that the CRM does not have. One that the hook uses already may stay."""
        known = self.connection.field_types
        if not name or not known or name in known:
            return
        stored = Hook.objects.filter(pk=self.pk)
        if not stored.filter(Q(return_password_field=name) | Q(mapped_fields__crm_field=name)).exists():
            message = (
                f"{self.connection.name} has no field {name!r}; it has {', '.join(sorted(known))}. "
                "If you have just added it, reload the connection first."
            )
            raise ValidationError({column: ValidationError(message, code="unknown_field")})

    def granted_role(self, column: str, text: str) -> str:
        """The slug, given in any case. Raises `ValidationError` for a role that the hook may not give."""
        slug = next((slug for slug in self.granted_roles if slug.lower() == text.strip().lower()), None)
        if slug is None:
            message = (
                f"The hook does not allow the role {text!r}; it allows {', '.join(self.granted_roles)}. Add it to the "
                f"allowed roles first: tick it in the console, or add the hook with --allow-role {text}."
            )
            raise ValidationError({column: ValidationError(message, code="role_not_allowed")})
        return slug

    def ordering_key(self, contact_id: str | None, email: str | None) -> str:
        """Names a contact for the order of its deliveries, across all hooks of the same connection and site."""
        contact = f"id {contact_id}" if contact_id else f"mail {(email or '').lower()}"
        return f"{self.connection_id}.{self.site_id} {contact}"

    def options(self) -> HookOptions:
        return HookOptions(
            default_role=self.default_role,
            allowed_roles=frozenset(self.allowed_roles),
            confirmed_privileged=frozenset(self.confirmed_privileged),
            tag_roles=tuple(TagRole(rule.tag, rule.role) for rule in self.tag_rules.all()),
            field_map=tuple(
                FieldMapping(row.site_field, row.crm_field, FieldType(row.type or FieldType.AUTO), row.clears)
                for row in self.mapped_fields.all()
            ),
            username_format=UsernameFormat(self.username_format),
            welcome=self.welcome,
            return_password=bool(self.return_password_field),
            trust_payload=self.trust_payload,
        )


class AccessKey(models.Model):
    """A key of a hook, stored as a hash. An empty list means: no limit."""

    hook = models.ForeignKey(Hook, on_delete=models.CASCADE, related_name="keys")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=8, editable=False, help_text="Its last characters.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    actions: models.JSONField[list[str], list[str]] = models.JSONField(default=list, blank=True)
    roles: models.JSONField[list[str], list[str]] = models.JSONField(default=list, blank=True)
    networks: models.JSONField[list[str], list[str]] = models.JSONField(default=list, blank=True)
    signing_secret = models.TextField(blank=True, editable=False, help_text="Encrypted; only keys that sign have one.")

    def __str__(self) -> str:
        return f"…{self.hint}"

    def clean(self) -> None:
        if unknown := [action for action in self.actions if action not in list(Action)]:
            message = f"There is no action {unknown[0]!r}; there are: {', '.join(Action)}."
            raise ValidationError({"actions": ValidationError(message, code="unknown_action")})
        stored = self._stored_roles()
        self.roles = [slug if slug in stored else self.hook.granted_role("roles", slug) for slug in self.roles]
        if self.expires_at is not None and self.expires_at <= self.created_at:
            message = "The key would expire before it is created. Choose a later time."
            raise ValidationError({"expires_at": ValidationError(message, code="bad_expiry")})
        self.networks = _networks(self.networks)

    def _stored_roles(self) -> list[str]:
        """A role that the hook has stopped giving may stay on a key."""
        return AccessKey.objects.filter(pk=self.pk).values_list("roles", flat=True).first() or []


def _networks(texts: Iterable[str]) -> list[str]:
    """Addresses and networks in their usual form."""
    networks = []
    for text in texts:
        try:
            networks.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError as error:
            message = f"{text!r} is not a network address; write 203.0.113.7 or 203.0.113.0/24."
            raise ValidationError({"networks": ValidationError(message, code="bad_network")}) from error
    return networks


class Link(models.Model):
    """Which contact is which member: one to one for each connection and site.

    `contact_version`: the newest `updated_at` that was applied. `password_mark`: see `encryption.mark`.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="links")
    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="links")
    contact_id = models.CharField(max_length=100)
    member_id = models.CharField(max_length=100)
    contact_version = models.CharField(max_length=40, null=True)
    password_mark = models.CharField(max_length=64, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "site", "contact_id"], name="one_member_per_contact"),
            models.UniqueConstraint(fields=["connection", "site", "member_id"], name="one_contact_per_member"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} → {self.member_id}"


class Overflow(models.Model):
    """Tags and fields of a member that the site cannot store itself (a WordPress without the connector plugin)."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="overflow")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="overflow")
    member_id = models.CharField(max_length=100)
    tags: models.JSONField[list[dict[str, str]], list[dict[str, str]]] = models.JSONField(default=list)
    fields: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "connection", "member_id"], name="overflow_once")]

    def __str__(self) -> str:
        return f"overflow of member {self.member_id}"
