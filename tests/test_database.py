"""A run "on PostgreSQL" must not be one on SQLite."""

from __future__ import annotations

import os

import pytest
from django.db import connection


@pytest.mark.database
def test_the_suite_runs_on_the_database_of_its_settings() -> None:
    """SQLite, or PostgreSQL with MEMBERHOOK_TEST_DATABASE=postgresql (and MEMBERHOOK_TEST_POSTGRESQL_URL)."""
    assert connection.vendor == os.environ.get("MEMBERHOOK_TEST_DATABASE", "sqlite")
