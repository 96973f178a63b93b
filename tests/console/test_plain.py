"""The same screens in a project without Unfold: which classes they are made of is settled when they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_console_works_without_unfold() -> None:
    names = ("test_screens", "test_hooks", "test_keys", "test_deliveries", "test_members")
    files = [f"tests/console/{name}.py" for name in names]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--ds=tests.console.plain_settings",
        *files,
    ]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MEMBERHOOK_")}
    run = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
