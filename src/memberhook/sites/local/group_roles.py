"""Django groups as roles: slugs, titles, and which roles are privileged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils.text import slugify

from memberhook import conf
from memberhook.core.types import Role
from memberhook.models.members import RoleInfo

MANAGING_APPS = frozenset({"admin", "auth", "contenttypes", "sessions", "memberhook"})
"""Apps whose objects only managers of users or settings may even view."""


@dataclass(frozen=True, slots=True)
class GroupRole:
    group_id: int
    role: Role


def risky_permissions() -> dict[int, list[str]]:
    """By group id, the permissions (`app.codename`) that make the group privileged; groups without any are left out.

    Those are all permissions beyond viewing objects of the project's own apps, except the ones that
    `MEMBERHOOK_HARMLESS_PERMISSIONS` names because they only give members access to content.
    """
    harmless = set(conf.HARMLESS_PERMISSIONS())
    managing = {get_user_model()._meta.app_label, *MANAGING_APPS}
    risky: dict[int, list[str]] = defaultdict(list)
    permissions = Group.permissions.through.objects.values_list(
        "group_id", "permission__content_type__app_label", "permission__codename"
    )
    for group_id, app, codename in permissions:
        views_only = codename.startswith("view_") and app not in managing
        if not views_only and f"{app}.{codename}" not in harmless:
            risky[group_id].append(f"{app}.{codename}")
    return dict(risky)


def group_roles() -> tuple[GroupRole, ...]:
    """Every group as a role, by name. Its `RoleInfo` or its permissions make it privileged."""
    risky = risky_permissions()
    found = []
    for group in Group.objects.select_related("memberhook_role").order_by("name"):
        info = getattr(group, "memberhook_role", None)
        privileged = group.pk in risky or bool(info and info.privileged)
        found.append(GroupRole(group.pk, Role(*slug_and_title(group), privileged)))
    return tuple(found)


def role_named(slug: str) -> Role | None:
    """The role of that slug, whoever made its group."""
    return next((entry.role for entry in group_roles() if entry.role.slug == slug), None)


def slug_and_title(group: Group) -> tuple[str, str]:
    """Slug and title of a group as a role. Select `memberhook_role` along with it."""
    info: RoleInfo | None = getattr(group, "memberhook_role", None)
    return (info.slug, info.title) if info else (slugify(group.name), group.name)


def memberships() -> tuple[Any, str]:
    """The model that puts users into groups, and its column for the user."""
    through = get_user_model().groups.through
    return through, next(f.attname for f in through._meta.fields if f.related_model is get_user_model())


def roles_of(user_ids: Collection[Any], roles: Collection[GroupRole]) -> dict[Any, frozenset[str]]:
    """The slugs of each user's roles; every user has an entry."""
    slugs = {entry.group_id: entry.role.slug for entry in roles}
    held: dict[Any, set[str]] = defaultdict(set)
    through, user_column = memberships()
    for user_id, group_id in through.objects.filter(**{f"{user_column}__in": user_ids}).values_list(
        user_column, "group_id"
    ):
        held[user_id].add(slugs[group_id])
    return {user_id: frozenset(held[user_id]) for user_id in user_ids}
