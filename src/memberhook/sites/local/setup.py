"""Create what the local site starts with: its row, the role `subscriber`, and in the service `administrator`.

A group that the project has made is a role as it is. Nothing here renames it, gives it a title or touches its
permissions; `RoleInfo.owns_group` marks the groups that are ours.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps as installed_apps
from django.contrib.auth.models import Group, Permission
from django.db import DEFAULT_DB_ALIAS, router, transaction

from memberhook.models.connections import Site
from memberhook.models.members import RoleInfo
from memberhook.sites.local.group_roles import role_named

LOCAL = "local"
ADMINISTRATOR = "administrator"


def create_missing_rows(using: str = DEFAULT_DB_ALIAS, apps: Any = installed_apps, **_: Any) -> None:
    """Run after every migration."""
    if not _has_tables(using, apps):
        return
    if not Site.objects.filter(kind=LOCAL).exists():
        Site.objects.create(name=LOCAL, kind=LOCAL)
    if role_named("subscriber") is None:
        add_role("subscriber", "Subscriber")


def create_administrator(using: str = DEFAULT_DB_ALIAS, apps: Any = installed_apps, **_: Any) -> None:
    """Run after every migration of the service: its own administrators get all permissions that exist by then."""
    if not _has_tables(using, apps):
        return
    if role_named(ADMINISTRATOR) is None:
        add_role(ADMINISTRATOR, "Administrator", privileged=True)
    ours = RoleInfo.objects.filter(slug=ADMINISTRATOR, owns_group=True).select_related("group").first()
    if ours:
        ours.group.permissions.set(Permission.objects.all())


def _has_tables(using: str, apps: Any) -> bool:
    """Whether this database is the one with our tables. `migrate memberhook zero` has just dropped them."""
    try:
        apps.get_model("memberhook", "RoleInfo")
    except LookupError:
        return False
    return using == router.db_for_write(Site)


def add_role(slug: str, title: str, *, privileged: bool = False) -> RoleInfo:
    """The role of that slug that Memberhook knows by a row of its own; created with a new group if there is none."""
    role = RoleInfo.objects.filter(slug=slug).select_related("group").first()
    if role is None:
        with transaction.atomic():
            group = new_group(slug)
            role = RoleInfo.objects.create(group=group, slug=slug, title=title, privileged=privileged, owns_group=True)
    return role


def new_group(slug: str) -> Group:
    """A group for a role. One of the project that has its name stays as it is."""
    taken = Group.objects.filter(name=slug).exists()
    return Group.objects.create(name=f"{slug} (Memberhook)" if taken else slug)
