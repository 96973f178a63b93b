"""Connections, sites, hooks, keys and links."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from memberhook import encryption
from memberhook.core.types import FieldMapping, FieldType, HookOptions, TagRole, UsernameFormat


class Account(models.Model):
    """What a connection and a remote site have in common: an address and how to log in there."""

    name = models.SlugField(max_length=64, unique=True)
    kind = models.CharField(max_length=32)
    url = models.CharField(max_length=500, blank=True)
    username = models.CharField(max_length=200, blank=True)
    secret = models.TextField(blank=True, editable=False, help_text="Encrypted; see encryption.py.")
    allow_private = models.BooleanField(default=False, help_text="May be in a private or loopback network.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    paused_until = models.DateTimeField(null=True, editable=False, help_text="It asked us to wait, or is down.")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def password(self) -> str:
        return encryption.decrypt(self.secret) if self.secret else ""

    @password.setter
    def password(self, value: str) -> None:
        self.secret = encryption.encrypt(value)


class Connection(Account):
    """One CRM account. `fields` and `lists` are its catalog as last loaded; its tags are rows of `Tag`."""

    fields: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(
        default=list, editable=False
    )
    catalog_at = models.DateTimeField(null=True, editable=False)


class Site(Account):
    """Where members live. `local` is always there.

    `options`: what its owner chose for this kind of site; `facts`: what it told of itself when it was last checked
    (both as the kind's module reads them).
    """

    options: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict, blank=True)
    capabilities: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)


class Hook(models.Model):
    """One webhook address: connection, site, keys and options."""

    name = models.SlugField(max_length=64, unique=True)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="hooks")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="hooks")
    default_role = models.CharField(max_length=100, default="subscriber")
    allowed_roles: models.JSONField[list[str], list[str]] = models.JSONField(default=list, blank=True)
    confirmed_privileged: models.JSONField[list[str], list[str]] = models.JSONField(default=list, editable=False)
    tag_roles: models.JSONField[list[dict[str, str]], list[dict[str, str]]] = models.JSONField(default=list, blank=True)
    field_map: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(default=list, blank=True)
    username_format = models.CharField(
        max_length=20, default=UsernameFormat.EMAIL.value, choices=[(f.value, f.value) for f in UsernameFormat]
    )
    welcome = models.BooleanField(default=False, help_text="Created members get the welcome e-mail, asked for or not.")
    return_password_field = models.CharField(max_length=100, blank=True)
    trust_payload = models.BooleanField(default=False, help_text="Work from the webhook alone; do not ask the CRM.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.name

    def options(self) -> HookOptions:
        return HookOptions(
            default_role=self.default_role,
            allowed_roles=frozenset(self.allowed_roles),
            confirmed_privileged=frozenset(self.confirmed_privileged),
            tag_roles=tuple(TagRole(rule["tag"], rule["role"]) for rule in self.tag_roles),
            field_map=tuple(
                FieldMapping(m["site"], m["crm"], FieldType(m.get("type", "auto")), bool(m.get("clears")))
                for m in self.field_map
            ),
            username_format=UsernameFormat(self.username_format),
            welcome=self.welcome,
            return_password=bool(self.return_password_field),
            trust_payload=self.trust_payload,
        )


class AccessKey(models.Model):
    """A key of a hook, known by its hash. Empty limits mean: not limited."""

    hook = models.ForeignKey(Hook, on_delete=models.CASCADE, related_name="keys")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(max_length=8, editable=False, help_text="Its last characters, to tell keys apart.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    actions: models.JSONField[list[str], list[str]] = models.JSONField(default=list, blank=True)
    roles: models.JSONField[list[str], list[str]] = models.JSONField(default=list, blank=True)
    networks: models.JSONField[list[str], list[str]] = models.JSONField(default=list, blank=True)
    signing_secret = models.TextField(blank=True, editable=False, help_text="Encrypted; for what comes signed.")

    def __str__(self) -> str:
        return f"…{self.hint}"


class Link(models.Model):
    """Which contact is which member, per connection and site: one to one.

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
    """What a site cannot hold of a member itself (a WordPress without the connector plugin): tags and fields."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="kept")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="kept")
    member_id = models.CharField(max_length=100)
    tags: models.JSONField[list[dict[str, str]], list[dict[str, str]]] = models.JSONField(default=list)
    fields: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["site", "connection", "member_id"], name="kept_once")]

    def __str__(self) -> str:
        return f"what is kept of {self.member_id}"
