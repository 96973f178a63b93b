"""Settings of the test suite: the service's, with a data folder of its own, on SQLite or PostgreSQL."""

from __future__ import annotations

import atexit
import os
import tempfile

_folder = tempfile.TemporaryDirectory(prefix="memberhook-tests-", ignore_cleanup_errors=True)
atexit.register(_folder.cleanup)
os.environ["MEMBERHOOK_DATA"] = _folder.name
if os.environ.get("MEMBERHOOK_TEST_DATABASE") == "postgresql":
    os.environ["MEMBERHOOK_DATABASE_URL"] = os.environ["MEMBERHOOK_TEST_POSTGRESQL_URL"]

from memberhook.server.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
