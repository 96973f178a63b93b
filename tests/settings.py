"""Settings of the test suite: the service's, with a data folder of its own and PostgreSQL where there is one."""

from __future__ import annotations

import os
import tempfile

os.environ["MEMBERHOOK_DATA"] = tempfile.mkdtemp(prefix="memberhook-tests-")
if "MEMBERHOOK_TEST_POSTGRESQL_URL" in os.environ:
    os.environ["MEMBERHOOK_DATABASE_URL"] = os.environ["MEMBERHOOK_TEST_POSTGRESQL_URL"]

from memberhook.service.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
