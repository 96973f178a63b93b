"""The roles of a WordPress without the connector: its REST API lists none, so they are inferred from its users.

The API shows users' roles and capabilities, so a role is known if some user has it. Roles whose capabilities cannot be
seen are not offered, or count as privileged.
"""

from __future__ import annotations

from itertools import islice

from memberhook.core.types import Role
from memberhook.sites.wordpress.users_api import User, UsersApi

INSTALLED_ROLES = (
    Role("subscriber", "Subscriber"),
    Role("contributor", "Contributor"),
    Role("author", "Author"),
    Role("editor", "Editor", privileged=True),
    Role("administrator", "Administrator", privileged=True),
)
"""The roles that WordPress installs, with the privileges that they then have."""

_WOOCOMMERCE_ROLES = ("customer", "shop_manager")  # searched for by name
_PAGES = 5
"""How many pages of users to look at, newest first."""


def discover_roles(users: UsersApi) -> tuple[Role, ...]:
    """The installed roles and those of some user. Raises `TransientError`."""
    holders: dict[str, list[User]] = {role.slug: [] for role in INSTALLED_ROLES}
    for page in islice(users.pages("desc"), _PAGES):
        for user in page:
            for slug in user.roles:
                holders.setdefault(slug, []).append(user)
    for slug in (*holders, *_WOOCOMMERCE_ROLES):
        if not holders.get(slug) and (found := users.by_role(slug)):
            holders[slug] = found
    installed = {role.slug: role for role in INSTALLED_ROLES}
    return tuple(_role(slug, users_with_role, installed.get(slug)) for slug, users_with_role in holders.items())


def _role(slug: str, holders: list[User], installed: Role | None) -> Role:
    """A user may have more capabilities than the role gives, so one user without privileges is enough to clear it."""
    only_this_role = [user for user in holders if user.roles == (slug,)]
    if installed and (installed.privileged or not only_this_role):
        return installed
    title = installed.title if installed else slug.replace("_", " ").replace("-", " ").capitalize()
    return Role(slug, title, privileged=all(user.protected for user in only_this_role or holders))
