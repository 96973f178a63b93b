"""What the local site starts with: itself, and the roles `subscriber` and `administrator`."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission

from memberhook.models.connections import Site
from memberhook.models.members import RoleInfo

LOCAL = "local"


def create_what_is_missing(**_: Any) -> None:
    """Runs after every migration. The administrator role gets all permissions that exist by then."""
    Site.objects.get_or_create(name=LOCAL, defaults={"kind": LOCAL})
    add_role("subscriber", "Subscriber")
    administrator = add_role("administrator", "Administrator", privileged=True)
    administrator.group.permissions.set(Permission.objects.all())


def add_role(slug: str, title: str, *, privileged: bool = False) -> RoleInfo:
    """The role of that slug; it is created with its group where it is missing."""
    role = RoleInfo.objects.filter(slug=slug).select_related("group").first()
    if role is None:
        group, _ = Group.objects.get_or_create(name=slug)
        role, _ = RoleInfo.objects.get_or_create(
            group=group, defaults={"slug": slug, "title": title, "privileged": privileged}
        )
    return role
