"""What a local member has beside Django's user: roles with slugs, typed fields, tags."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils.translation import gettext_lazy as _

from memberhook.models.tags import Tag


class RoleInfo(models.Model):
    """A group's slug and title as a role. A group without one is a role too: its slug is made from its name.

    `privileged` makes it so whatever its permissions are; they alone can make it so too (see
    sites/local/group_roles.py).
    """

    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="memberhook_role")
    slug = models.SlugField(max_length=100, unique=True)
    title = models.CharField(max_length=150)
    privileged = models.BooleanField(default=False)
    owns_group = models.BooleanField(
        default=False, editable=False, help_text="Memberhook made the group, so it goes when the role is deleted."
    )

    class Meta:
        verbose_name = _("role")

    def __str__(self) -> str:
        return self.title


class MemberTag(models.Model):
    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberhook_tags")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="members")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "tag"], name="member_has_tag_once")]

    def __str__(self) -> str:
        return str(self.tag)


class MemberField(models.Model):
    """A field of a member that Django's user has no column for. `value` is JSON: text, number, true/false or a list."""

    member = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberhook_fields")
    key = models.CharField(max_length=100)
    value: models.JSONField[Any, Any] = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "key"], name="member_has_field_once")]

    def __str__(self) -> str:
        return self.key
