"""One WordPress for all tests that don't change what others rely on, and one that is a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import memberhook
from memberhook.core.http_client import HttpClient
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Site
from tests.wordpress.runner import Account, WordPress, running

CONNECTOR = Path(memberhook.__file__).parent / "sites" / "wordpress" / "plugin" / "memberhook-connector"
SITES_OWN = Path(__file__).parent / "plugins" / "sites-own.php"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("wordpress")


@pytest.fixture(scope="session")
def wordpress() -> Iterator[WordPress]:
    with running() as site:
        yield site


@pytest.fixture(scope="session")
def connected() -> Iterator[WordPress]:
    """With the connector plugin, the role `customer`, and a plugin that notes what the connector tells."""
    with running(plugin=[CONNECTOR], mu_plugin=[SITES_OWN]) as site:
        site.php("add_role('customer', 'Customer', ['read' => true]);")
        yield site


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(allow_private=True)
    yield client
    client.close()


@pytest.fixture
def runtime(runtime: Runtime, http: HttpClient) -> Runtime:
    return replace(runtime, http=lambda allow_private: http)


@pytest.fixture
def row(connected: WordPress, db: None) -> Site:
    """The site in Memberhook, as `memberhook site add wordpress` would make it, with the connector's own user."""
    return site_row(connected, connector_account(connected))


def connector_account(wordpress: WordPress, blog: int = 1) -> Account:
    """The user that the connector's page makes, with a new application password."""
    code = """
        is_multisite() && switch_to_blog($blog);
        $made = Memberhook_Account::connect();
        return [$made['username'], $made['password']];"""
    username, password = wordpress.php_json(code, blog=blog)
    return username, password


def site_row(wordpress: WordPress, account: Account | None = None, **values: Any) -> Site:
    username, password = account or (wordpress.admin_user, wordpress.application_password)
    row = Site(name="club", kind="wordpress", url=wordpress.url, username=username, allow_private=True)
    row.password = password
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row


@pytest.fixture(scope="session")
def multisite() -> Iterator[WordPress]:
    with running(multisite=True) as site:
        yield site
