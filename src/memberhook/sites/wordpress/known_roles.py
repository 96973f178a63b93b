"""The roles of a WordPress as `facts["roles"]` keeps them, and how they are learned where nothing lists them.

Its one decision: closed by default. The REST API tells the roles of users and what those users may do, so a role is
known when somebody holds it; one of which nothing can be learned is not offered.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from memberhook.core.types import Role
from memberhook.sites.wordpress.users import User, Users

INSTALLED = (
    Role("subscriber", "Subscriber"),
    Role("contributor", "Contributor"),
    Role("author", "Author"),
    Role("editor", "Editor", privileged=True),
    Role("administrator", "Administrator", privileged=True),
)
"""WordPress installs these; unless somebody's rights say otherwise they may do what they do there."""

_KNOWN_ELSEWHERE = ("customer", "shop_manager")  # WooCommerce's, looked for by name
_PAGES = 5
"""Of 100 users, the newest: what is looked through for roles."""


def to_capabilities(roles: Iterable[Role]) -> list[dict[str, object]]:
    return [{"slug": role.slug, "title": role.title, "privileged": role.privileged} for role in roles]


def learn(users: Users) -> tuple[Role, ...]:
    """The installed roles and those that somebody holds. Raises `RetryLater`."""
    seen: dict[str, list[User]] = {role.slug: [] for role in INSTALLED}
    for page in islice(users.pages("desc"), _PAGES):
        for user in page:
            for slug in user.roles:
                seen.setdefault(slug, []).append(user)
    for slug in (*seen, *_KNOWN_ELSEWHERE):
        if not seen.get(slug) and (holders := users.having_role(slug)):
            seen[slug] = holders
    installed = {role.slug: role for role in INSTALLED}
    return tuple(_role(slug, holders, installed.get(slug)) for slug, holders in seen.items())


def _role(slug: str, holders: list[User], installed: Role | None) -> Role:
    """A single user may have been given more than the role, so one holder without privileges clears it."""
    alone = [user for user in holders if user.roles == (slug,)]
    if installed and (installed.privileged or not alone):
        return installed
    title = installed.title if installed else slug.replace("_", " ").replace("-", " ").capitalize()
    return Role(slug, title, privileged=all(user.privileged for user in alone or holders))
