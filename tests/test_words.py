"""The check of retired words: it finds one in every kind of file, and leaves ordinary English alone."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "words.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def search(script: dict[str, Any]) -> Any:
    return script["Search"](script["retired_words"]((ROOT / "docs" / "glossary.md").read_text("utf-8")))


def words_in(script: dict[str, Any], search: Any, path: Path) -> list[str]:
    return [found.word for found in script["found_in"](path, path.name, search)]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.py", '"""Wakes workers.\n\nNo lane waits.\n"""\n', 3),
        ("a.py", "x = 1  # the lane of a contact\n", 1),
        ("a.py", 'raise ValueError("The lane is closed.")\n', 1),
        ("a.py", 'message = f"The lane {1} is closed."\n', 1),
        ("a.py", 'row = {}["lane"]\n', 1),
        ("a.py", "def close_lane() -> None: ...\n", 1),
        ("a.py", "class LaneTable: ...\n", 1),
        ("a.py", "x.lane = 1\n", 1),
        ("a.py", "f(lane=1)\n", 1),
        ("a.py", "from memberhook.core import lane\n", 1),
        ("lane.py", "", 1),
        ("test_a.py", "def test_a_lane_is_closed() -> None: ...\n", 1),
        ("a.php", "<?php\n\n// The lane.\n", 3),
        ("a.php", "<?php\n/**\n * The lane.\n */\n", 3),
        ("a.php", "<?php echo esc_html__( 'The lane is closed.', 'memberhook' );\n", 1),
        ("a.php", "<?php\nfunction memberhook_lane() {}\n", 2),
        ("a.php", "<?php $lane = 1; ?>\n", 1),
        ("a.php", "<p>The lane</p><?php echo 1; ?>\n", 1),
        ("a.html", "<p>\nThe lane is closed.</p>\n", 2),
        ("a.html", '<a title="The lane is closed.">x</a>\n', 1),
        ("a.html", "{# The lane #}\n", 1),
        ("a.html", "<p>{{ page.lane }}</p>\n", 1),
        ("a.svg", "<svg><text>lane</text></svg>\n", 1),
        ("a.txt", "Hello,\n\nyour lane is closed.\n", 3),
        ("a.js", "// the lane\n", 1),
        ("a.js", "const lane = 1;\n", 1),
        ("a.css", "/* the lane */\n", 1),
        ("a.sh", "# the lane\n", 1),
        ("run", "#!/bin/sh\n# the lane\n", 2),
        ("a.md", "# A page\n\nThe lane.\n", 3),
        ("a.md", "# A page\n\nSee `lane`.\n", 3),
        ("a.md", "| a |\n| --- |\n| the lane |\n", 3),
        ("a.md", "# A page\n\n```python\nlane = 1\n```\n", 4),
        ("a.md", "# A page\n\n```output\nThe lane is closed.\n```\n", 4),
    ],
)
def test_it_finds_a_word_in_every_kind_of_file(
    script: dict[str, Any], search: Any, tmp_path: Path, name: str, text: str, line: int
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    found = script["found_in"](path, name, search)
    assert {(each.word, each.line) for each in found} == {("lane", line)}
    path.write_text(text.replace("lane", "road").replace("Lane", "Road"), encoding="utf-8")
    assert script["found_in"](path, "road" if name == "lane.py" else name, search) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("giveBack = give_back()", ["give back"]),
        ("# It was given\n# back.", []),
        ("asked = 1", ["asked"]),
        ("was_asked = 1", []),
        ("site_facts = 1", ["facts"]),
        ("class SiteFacts: ...", ["facts"]),
        ("# The facts, the way, the place; look at what was asked.", []),
        ("# The member's login.", ["login"]),
        ("# Hashed again at the first login; see the login page.", []),
        ('login = {"login": 1, "user_login": 2}', []),
        ('f"Log in at /login/ as {user}."; "members/login.html"; "/elsewhere"', []),
        ("class RetryLater: ...", ["RetryLater"]),
        ("# Raises RetryLater.", ["RetryLater"]),
        ("class Refused: ...", ["Refused"]),
        ("# Refused requests are not stored.", []),
        ("refused = 1", []),
        ("from hypothesis import given\n@given(1)\ndef f(): ...", []),
        ("given = 1", ["given"]),
        ("owner = models.ForeignKey()", []),
        ("foreign = 1", ["foreign"]),
        ("# PRAGMA journal_mode=WAL", []),
        ("# The journal.", ["journal"]),
        ("class A:\n    def __enter__(self): ...", []),
        ("# A string, a spring, a gateway and planes.", []),
        ("# Its  one decision: none.", ["its one decision"]),
    ],
)
def test_it_knows_ordinary_english(
    script: dict[str, Any], search: Any, tmp_path: Path, text: str, words: list[str]
) -> None:
    path = tmp_path / "a.py"
    path.write_text(text, encoding="utf-8")
    assert sorted(set(words_in(script, search, path))) == words


def test_every_row_of_the_glossary_is_used(search: Any) -> None:
    table = (ROOT / "docs" / "glossary.md").read_text("utf-8").split("\n## Retired words\n")[1]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert len({word.instead for word in search.words.values()}) == len(rows)


def test_its_exit_status_and_its_list_of_files(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.md", tmp_path / "bad.md"
    good.write_text("A wake-up.\n", encoding="utf-8")
    bad.write_text("A bell rings.\n", encoding="utf-8")
    assert subprocess.run([sys.executable, SCRIPT, good], capture_output=True).returncode == 0
    done = subprocess.run([sys.executable, SCRIPT, good, bad], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.startswith("bad.md:1: 'bell' → wake-up (A bell rings.)\nbad.md:1: 'rings'")
    assert done.stdout.endswith("     2 bad.md\n")
