"""Roles and members of the local site, added by hand."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify

from memberhook.core.errors import UsageError
from memberhook.core.types import Role
from memberhook.models.members import MemberField, RoleInfo
from memberhook.services.validation import usage_error, validate
from memberhook.sites.local.group_roles import group_roles, role_named
from memberhook.sites.local.setup import new_group


def new_role(slug: str, title: str | None = None) -> Role:
    """Add a role, or return the one that exists: a group of the project stays as it is.

    Raises `UsageError` for an invalid slug, and if the role has another title.
    """
    slug = slug.lower()
    known = role_named(slug)
    if known and title and known.title != title:
        raise UsageError(f"There is a role {slug!r} already, with the title {known.title!r}.", code="role_taken")
    if known:
        return known
    info = save_role(RoleInfo(slug=slug, title=title or slug.replace("-", " ").replace("_", " ").capitalize()))
    return Role(info.slug, info.title, info.privileged)


def save_role(role: RoleInfo) -> RoleInfo:
    """Save a new role with a new group, or with the group that is this role already, but has no title yet.

    Raises `UsageError` for an invalid slug or title.
    """
    validate(role, exclude=["group"])
    untitled = (group for group in Group.objects.filter(memberhook_role=None) if slugify(group.name) == role.slug)
    group = next(untitled, None)
    with transaction.atomic():
        role.owns_group = group is None
        role.group = group or new_group(role.slug)
        role.save()
    return role


@transaction.atomic
def new_member(username: str, email: str, role: str, first_name: str, last_name: str, password: str | None) -> Any:
    """Create a user. Raises `UsageError` when username, e-mail or role are not possible.

    The service's administrators may log in to the console. In a host project, who is staff is the project's decision.
    """
    roles = {entry.role.slug: entry for entry in group_roles()}
    if role not in roles:
        raise UsageError(f"There is no role {role!r}; there are: {', '.join(sorted(roles))}.", code="unknown_role")
    model = get_user_model()
    username_field, email_field = model.USERNAME_FIELD, model.get_email_field_name()
    check_unused(username_field, username)
    check_unused(email_field, email)
    values = {username_field: username, email_field: email, "first_name": first_name, "last_name": last_name}
    user = model(**values)
    if RoleInfo.objects.filter(group=roles[role].group_id, privileged=True, owns_group=True).exists():
        user.is_staff = True
    user.set_password(password)
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        raise usage_error(error) from error
    user.save()
    user.groups.set([roles[role].group_id])
    name = f"{first_name} {last_name}".strip() or username
    MemberField.objects.create(member=user, key="display_name", value=name)
    return user


def check_unused(field: str, value: str, *, but: int | None = None) -> None:
    """Raises `UsageError` when a user other than `but` has that username or e-mail, in any case."""
    others = get_user_model()._default_manager.all()
    others = others.exclude(pk=but) if but else others
    if value and others.filter(**{f"{field}__iexact": value}).exists():
        raise UsageError(f"There is a member with {value!r} already.", code="member_taken")
