"""A WordPress with the connector plugin keeps the contract of a site."""

from __future__ import annotations

import pytest

from memberhook.models.connections import Site
from tests.sites.contract import SiteContract
from tests.wordpress.conftest import connector_account, site_row
from tests.wordpress.runner import WordPress


class TestConnector(SiteContract):
    @pytest.fixture
    def row(self, connected: WordPress, db: None) -> Site:
        return site_row(connected, connector_account(connected))
