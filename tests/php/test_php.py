"""The PHP of the connector: syntax, the WordPress Coding Standards, and its own tests of what it decides."""

from __future__ import annotations

import functools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.php import wpcs

pytestmark = pytest.mark.php
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PLUGIN = ROOT / "src/memberhook/sites/wordpress/plugin"
RECIPES = ROOT / "docs/recipes"
OF_TESTS = (ROOT / "tests/wordpress/plugins", HERE)
EVERY = sorted(path for folder in (PLUGIN, RECIPES, *OF_TESTS) for path in folder.rglob("*.php"))

pytestmark = pytest.mark.wordpress


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=120)


def sniff(*arguments: object) -> subprocess.CompletedProcess[str]:
    """php-codesniffer with the WordPress Coding Standards."""
    try:
        standards = wpcs.standards()
    except wpcs.MissingError as missing:
        pytest.skip(str(missing))
    return run("phpcs", *wpcs.PHP, "--runtime-set", "installed_paths", standards, *arguments)


@pytest.mark.parametrize("path", EVERY, ids=lambda path: str(path.relative_to(ROOT)))
def test_syntax(path: Path) -> None:
    done = run("php", "-l", path)
    assert done.returncode == 0, done.stdout


def test_the_wordpress_coding_standards() -> None:
    done = sniff("--standard=tests/php/phpcs.xml", "-s", PLUGIN, RECIPES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_style_of_the_tests_own_plugins() -> None:
    done = run("phpcs", "--standard=tests/php/phpcs-basic.xml", "-s", OF_TESTS[0])
    assert done.returncode == 0, done.stdout


BAD = """<?php
/**
 * Nothing good.
 *
 * @package Memberhook
 */

echo $_GET['q'];
$wpdb->query( "DELETE FROM x WHERE id = {$_POST['id']}" );
esc_html_e( 'Hello', 'other-domain' );
update_option( 'x', $_POST['x'] );
function unprefixed() {}
"""
FOUND = (
    "WordPress.Security.EscapeOutput.OutputNotEscaped",
    "WordPress.Security.ValidatedSanitizedInput.InputNotSanitized",
    "WordPress.Security.NonceVerification.Missing",
    "WordPress.DB.PreparedSQL.InterpolatedNotPrepared",
    "WordPress.WP.I18n.TextDomainMismatch",
    "WordPress.NamingConventions.PrefixAllGlobals.NonPrefixedFunctionFound",
    "Squiz.Commenting.FunctionComment.Missing",
)


def test_the_standards_do_find_something(tmp_path: Path) -> None:
    """They are old, and a sniff that breaks silently under a newer PHP would find everything good."""
    (tmp_path / "bad.php").write_text(BAD, "utf-8")
    done = sniff("--standard=tests/php/phpcs.xml", "--report=json", tmp_path)
    (file,) = json.loads(done.stdout)["files"].values()
    assert set(FOUND) <= {message["source"] for message in file["messages"]}


# --- comments that silence a sniff


@functools.cache
def unsilenced() -> dict[Path, list[dict[str, Any]]]:
    """What is found when no comment silences anything."""
    done = sniff("--standard=tests/php/phpcs.xml", "--report=json", "--ignore-annotations", PLUGIN, RECIPES)
    return {Path(path): file["messages"] for path, file in json.loads(done.stdout)["files"].items()}


def silenced() -> list[tuple[Path, int, int, str]]:
    """File, first and last line, and what follows `phpcs:ignore` or `phpcs:disable`."""
    found = []
    for path in (path for path in EVERY if PLUGIN in path.parents or RECIPES in path.parents):
        lines = path.read_text("utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            if comment := re.search(r"// phpcs:(ignore|disable)\b(.*)", line):
                alone = line.strip().startswith("//")
                last = number + alone
                if comment[1] == "disable":
                    last = next(n for n, text in enumerate(lines[number:], number + 1) if "phpcs:enable" in text)
                found.append((path, number, last, comment[2]))
            assert "phpcs:ignoreFile" not in line
            assert "@codingStandards" not in line
    return found


def test_no_comment_silences_a_sniff_that_would_find_nothing() -> None:
    comments = silenced()
    assert comments
    for path, first, last, text in comments:
        position = f"{path.name}:{first}"
        named = re.fullmatch(r" ([A-Z]\w+(?:\.\w+){2,3}) -- \S.*", text)
        assert named, f"{position}: name one sniff, and why: phpcs:ignore Standard.Category.Sniff -- why"
        here = [m["source"] for m in unsilenced()[path] if first <= m["line"] <= last]
        assert any(f"{source}.".startswith(f"{named[1]}.") for source in here), f"{position}: {named[1]} finds nothing"


def test_what_php_decides() -> None:
    done = run("phpunit", "--bootstrap", HERE / "bootstrap.php", "--do-not-cache-result", HERE)
    assert done.returncode == 0, done.stdout
    assert "OK (" in done.stdout
