"""The local site keeps the contract."""

from __future__ import annotations

import pytest

from memberhook.models.connections import Site
from tests.sites.contract import SiteContract


class TestLocal(SiteContract):
    @pytest.fixture
    def row(self, db: None) -> Site:
        return Site.objects.get(name="local")
