"""Roles and members made by hand: what the command line offers for the local site."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from memberhook.core.errors import UsageError
from memberhook.core.types import Role
from memberhook.models.members import MemberField, RoleInfo
from memberhook.sites.local.group_roles import group_roles, role_named
from memberhook.sites.local.setup import add_role


def new_role(slug: str, title: str | None) -> Role:
    """Create the role, or return the one that is there already: a group of the project stays as it is.

    Raises `UsageError` for an invalid slug, and for one that is taken by a role with another title.
    """
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise UsageError(f"{slug!r} is no slug; use letters, digits, '-' and '_'.", code="bad_role") from error
    slug = slug.lower()
    role = role_named(slug)
    if role is None:
        info = add_role(slug, title or slug.replace("-", " ").replace("_", " ").capitalize())
        return Role(info.slug, info.title, info.privileged)
    if title and role.title != title:
        raise UsageError(f"There is a role {slug!r} already, with the title {role.title!r}.", code="role_taken")
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
    for field, value in ((username_field, username), (email_field, email)):
        if model._default_manager.filter(**{f"{field}__iexact": value}).exists():
            raise UsageError(f"There is a member with {value!r} already.", code="member_taken")
    values = {username_field: username, email_field: email, "first_name": first_name, "last_name": last_name}
    user = model(**values)
    if RoleInfo.objects.filter(group=roles[role].group_id, privileged=True, owns_group=True).exists():
        user.is_staff = True
    user.set_password(password)
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        raise UsageError(" ".join(error.messages), code="bad_member") from error
    user.save()
    user.groups.set([roles[role].group_id])
    name = f"{first_name} {last_name}".strip() or username
    MemberField.objects.create(member=user, key="display_name", value=name)
    return user
