"""The plugin that makes a skip a failure in CI, tried in a pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SKIPS = {
    "mark": "@pytest.mark.skip(reason='no server')\ndef test_it(): ...\n",
    "call": "def test_it():\n    pytest.skip('no server')\n",
    "fixture": "@pytest.fixture\ndef server():\n    pytest.skip('no server')\n\ndef test_it(server): ...\n",
    "module": "pytest.skip('no server', allow_module_level=True)\n\ndef test_it(): ...\n",
}
NO_SKIPS = {
    "passes": "def test_it(): ...\n",
    "xfail": "@pytest.mark.xfail(reason='known')\ndef test_it():\n    raise ValueError\n",
}


def run(folder: Path, code: str, ci: str) -> tuple[int, str]:
    (folder / "test_made_up.py").write_text(f"import pytest\n\n{code}", encoding="utf-8")
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.no_skips",
        "-p",
        "no:django",
        "-p",
        "no:cacheprovider",
        "-ra",
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "PYTEST_"))}
    environment |= {"CI": ci, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skip_fails_in_ci_and_says_what_was_skipped(tmp_path: Path, kind: str) -> None:
    status, said = run(tmp_path, SKIPS[kind], ci="true")
    assert status not in (0, 5), said
    assert "In CI nothing may be skipped, and this was. Skipped: no server" in said


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skip_is_a_skip_elsewhere(tmp_path: Path, kind: str) -> None:
    status, said = run(tmp_path, SKIPS[kind], ci="")
    assert status in (0, 5), said
    assert "1 skipped" in said


@pytest.mark.parametrize("kind", NO_SKIPS)
def test_what_is_no_skip_is_left_alone_in_ci(tmp_path: Path, kind: str) -> None:
    status, said = run(tmp_path, NO_SKIPS[kind], ci="true")
    assert status == 0, said


def test_this_suite_has_the_plugin(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("tests.no_skips")
