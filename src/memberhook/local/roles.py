"""Groups as roles: their slugs, and which are privileged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils.text import slugify

from memberhook import conf
from memberhook.members.types import Role

MANAGING_APPS = frozenset({"admin", "auth", "contenttypes", "sessions", "memberhook"})
"""Whoever may even view these manages users or settings."""


@dataclass(frozen=True, slots=True)
class GroupRole:
    group_id: int
    role: Role


def group_roles() -> tuple[GroupRole, ...]:
    """Every group as a role, in the order of their names.

    A role is privileged when it says so, or when it may do more than view things of the project's own apps.
    Permissions that only open content to members are named in `MEMBERHOOK_HARMLESS_PERMISSIONS`.
    """
    harmless = set(conf.HARMLESS_PERMISSIONS())
    managing = {get_user_model()._meta.app_label, *MANAGING_APPS}
    risky: set[int] = set()
    rights = Group.permissions.through.objects.values_list(
        "group_id", "permission__content_type__app_label", "permission__codename"
    )
    for group_id, app, codename in rights:
        views_only = codename.startswith("view_") and app not in managing
        if not views_only and f"{app}.{codename}" not in harmless:
            risky.add(group_id)
    found = []
    for group in Group.objects.select_related("memberhook_role").order_by("name"):
        info = getattr(group, "memberhook_role", None)
        privileged = group.pk in risky or bool(info and info.privileged)
        role = Role(info.slug if info else slugify(group.name), info.title if info else group.name, privileged)
        found.append(GroupRole(group.pk, role))
    return tuple(found)


def roles_of(user_ids: Collection[Any], roles: Collection[GroupRole]) -> dict[Any, frozenset[str]]:
    """The slugs of the roles that each of the users holds; every user has an entry."""
    slugs = {entry.group_id: entry.role.slug for entry in roles}
    held: dict[Any, set[str]] = defaultdict(set)
    through = get_user_model().groups.through  # type: ignore[attr-defined]  # from PermissionsMixin
    user_column = next(f.attname for f in through._meta.fields if f.related_model is get_user_model())
    for user_id, group_id in through.objects.filter(**{f"{user_column}__in": user_ids}).values_list(user_column, "group_id"):
        held[user_id].add(slugs[group_id])
    return {user_id: frozenset(held[user_id]) for user_id in user_ids}
