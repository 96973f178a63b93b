"""A WordPress site in memory: it says what a test lets it say, and answers from the facts in its row as a real one.

`over_http` is one for programs that run in processes of their own: it answers what a look at a real one asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from memberhook.connections.models import Site
from memberhook.errors import MemberhookError
from memberhook.findings import Finding
from memberhook.members.types import Role
from memberhook.sites.base import Checked, Place
from memberhook.sites.wordpress.row import Facts
from tests.loopback import Asked, Reply, json_reply

ROLES = [
    {"slug": "administrator", "title": "Administrator", "privileged": True},
    {"slug": "subscriber", "title": "Subscriber", "privileged": False},
    {"slug": "customer", "title": "Customer", "privileged": False},
]
CONNECTOR: Mapping[str, Any] = {
    "way": "connector",
    "wordpress": "6.8.1",
    "connector": "0.1.0",
    "roles": ROLES,
    "meta_keys": [],
}
CORE: Mapping[str, Any] = {**CONNECTOR, "way": "core", "connector": None, "meta_keys": ["city"]}
GOOD = Finding("credentials", True, "User name and application password are right.")
BAD = Finding("credentials", False, "The application password is wrong.")


@dataclass
class FakeWordPress:
    """`places`: as which it was opened. `broken` is raised by `roles`."""

    checked: Checked = field(default_factory=lambda: Checked((GOOD,), CONNECTOR))
    broken: MemberhookError | None = None
    places: list[Place] = field(default_factory=list)

    def open_site(self, place: Place) -> Any:
        self.places.append(place)
        return self

    def check(self) -> Checked:
        return self.checked

    def roles(self) -> tuple[Role, ...]:
        if self.broken:
            raise self.broken
        return Facts.of(self.places[-1].facts).roles


@pytest.fixture
def wordpress(monkeypatch: pytest.MonkeyPatch) -> FakeWordPress:
    """Every WordPress site is this one."""
    fake = FakeWordPress()
    monkeypatch.setattr("memberhook.sites.wordpress.open_site", fake.open_site)
    return fake


@pytest.fixture
def club(db: None) -> Site:
    """A WordPress that was looked at once."""
    site = Site(name="club", kind="wordpress", url="https://club.example", username="memberhook", facts=dict(CONNECTOR))
    site.password = "abcd efgh"
    site.save()
    return site


RIGHTS = dict.fromkeys(("list_users", "create_users", "edit_users", "promote_users"), True)
ADA = {
    "id": "2",
    "login": "ada@example.com",
    "email": "ada@example.com",
    "roles": ["customer"],
    "held": [{"connection": "shop", "id": "1", "slug": "course", "title": "Course"}],
    "fields": {"first_name": "Ada", "last_name": "Lovelace", "display_name": "Ada Lovelace"},
}
ROUTES: Mapping[str, object] = {
    "/": {"namespaces": ["wp/v2", "memberhook/v1"], "authentication": {"application-passwords": {}}},
    "/wp/v2/users/me": {"id": 1, "capabilities": RIGHTS},
    "/memberhook/v1/site": {**CONNECTOR, "multisite": False, "rights": {**RIGHTS, "memberhook_manage_members": True}},
    "/memberhook/v1/members": {"members": [ADA]},
}


def over_http(asked: Asked) -> Reply:
    """With the connector and one member; for `Loopback`. There is no second page of members."""
    found = ROUTES.get(asked.path.removeprefix("/wp-json"))
    if found is None:
        return json_reply({"code": "rest_no_route"}, 404)
    return json_reply({"members": []} if asked.params.get("after") == ADA["id"] else found)
