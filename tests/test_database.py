"""The suite runs on the database that it was told to run on: a run "on PostgreSQL" must not be one on SQLite."""

from __future__ import annotations

import os

from django.db import connection


def test_the_suite_runs_where_it_was_told_to() -> None:
    """SQLite, or PostgreSQL with MEMBERHOOK_TEST_DATABASE=postgresql (and MEMBERHOOK_TEST_POSTGRESQL_URL)."""
    assert connection.vendor == os.environ.get("MEMBERHOOK_TEST_DATABASE", "sqlite")
