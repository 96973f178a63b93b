from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python in the host project, in a process of its own: `run("-m", "django", "check")`.

    `code` is run after Django is set up. The exit status must be `status`; returns what was printed.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("MEMBERHOOK_", "DJANGO_"))}
    host = {"DJANGO_SETTINGS_MODULE": "tests.host.settings", "MEMBERHOOK_DATA": str(tmp_path)}

    def run(*arguments: str, code: str = "", status: int = 0, **env: str) -> str:
        command = [sys.executable, *(arguments or ["-c", f"import django; django.setup()\n{code}"])]
        done = subprocess.run(
            command, cwd=ROOT, env=kept | host | env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    return run
