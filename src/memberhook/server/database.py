"""Migrate the database, once, even if several processes start at the same moment."""

from __future__ import annotations

import fcntl
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from memberhook.server.data import make_folder


def migrate_if_needed() -> bool:
    """Run the migrations that are missing. Returns whether there were any."""
    make_folder(settings.DATA)
    if not _missing():
        return False
    with open(Path(settings.DATA) / "migrate.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _missing():
            call_command("migrate", verbosity=0, interactive=False)
    return True


def _missing() -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
