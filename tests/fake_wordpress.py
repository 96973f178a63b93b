"""A WordPress site in memory, whose check a test determines. Its roles come from the capabilities in its row.

`over_http` is one for programs in processes of their own: it answers a check and lists one member.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import MemberhookError
from memberhook.core.types import Role
from memberhook.models.connections import Site
from memberhook.sites.contract import SiteCheck, SiteContext
from memberhook.sites.wordpress.site_data import SiteCapabilities
from tests.loopback import Reply, Request, json_reply

ROLES = [
    {"slug": "administrator", "title": "Administrator", "privileged": True},
    {"slug": "subscriber", "title": "Subscriber", "privileged": False},
    {"slug": "customer", "title": "Customer", "privileged": False},
]
CONNECTOR: Mapping[str, Any] = {
    "transport": "connector",
    "wordpress": "6.8.1",
    "connector": "0.1.0",
    "roles": ROLES,
    "meta_keys": [],
}
CORE: Mapping[str, Any] = {**CONNECTOR, "transport": "core", "connector": None, "meta_keys": ["city"]}
GOOD = CheckResult("credentials", True, "Username and application password are correct.")
BAD = CheckResult("credentials", False, "The application password is wrong.")


@dataclass
class FakeWordPress:
    """`contexts`: with which it was opened. `broken` is raised by `roles`."""

    checked: SiteCheck = field(default_factory=lambda: SiteCheck((GOOD,), CONNECTOR))
    broken: MemberhookError | None = None
    contexts: list[SiteContext] = field(default_factory=list)

    def open_site(self, context: SiteContext) -> Any:
        self.contexts.append(context)
        return self

    def check(self) -> SiteCheck:
        return self.checked

    def roles(self) -> tuple[Role, ...]:
        if self.broken:
            raise self.broken
        return SiteCapabilities.of(self.contexts[-1].capabilities).roles


@pytest.fixture
def wordpress(monkeypatch: pytest.MonkeyPatch) -> FakeWordPress:
    """Every WordPress site is this one."""
    fake = FakeWordPress()
    monkeypatch.setattr("memberhook.sites.wordpress.open_site", fake.open_site)
    return fake


@pytest.fixture
def club(db: None) -> Site:
    """A WordPress that was checked once."""
    site = Site(
        name="club", kind="wordpress", url="https://club.example", username="memberhook", capabilities=dict(CONNECTOR)
    )
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


def over_http(request: Request) -> Reply:
    """With the connector and one member on the only page; for `Loopback`."""
    found = ROUTES.get(request.path.removeprefix("/wp-json"))
    if found is None:
        return json_reply({"code": "rest_no_route"}, 404)
    return json_reply({"members": []} if request.params.get("after") == ADA["id"] else found)
