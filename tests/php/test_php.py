"""The PHP of the connector: syntax, style, and its own tests of what it decides."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.php
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLUGINS = (
    ROOT / "src/memberhook/sites/wordpress/plugin",
    ROOT / "tests/wordpress/plugins",
    ROOT / "docs/recipes",
)


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("path", sorted(path for folder in PLUGINS for path in folder.rglob("*.php")), ids=str)
def test_syntax(path: Path) -> None:
    done = run("php", "-l", path)
    assert done.returncode == 0, done.stdout


def test_style() -> None:
    done = run("phpcs", "--standard=tests/php/phpcs.xml", "-s", *PLUGINS)
    assert done.returncode == 0, done.stdout


def test_what_php_decides() -> None:
    done = run("phpunit", "--bootstrap", HERE / "bootstrap.php", "--do-not-cache-result", HERE)
    assert done.returncode == 0, done.stdout
    assert "OK (" in done.stdout
