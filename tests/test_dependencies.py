"""Every dependency has its reason on a page, and every lock pins what it holds: nothing unsaid, nothing unpinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "dependencies.md"
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def names(requirements: list[object]) -> set[str]:
    """The names of requirements; `{include-group = …}` of a dependency group names none."""
    return {re.split(r"[^\w.-]", text)[0].lower() for text in requirements if isinstance(text, str)}


def declared() -> dict[str, set[str]]:
    """Heading of the page → names in pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        pyproject = tomllib.load(file)
    project, groups = pyproject["project"], pyproject["dependency-groups"]
    extras = project["optional-dependencies"]
    assert set(extras) == {"server", "console", "postgresql", "redis"}, "a new extra needs a heading on the page"
    assert set(groups) == {"build", "test", "check", "docs"}, "a new group needs a heading on the page"
    return {
        "To run": names(project["dependencies"]),
        "The service": names(extras["server"]),
        "The console": names(extras["console"]),
        "Beyond one machine": names(extras["postgresql"]) | names(extras["redis"]),
        "To build": names(groups["build"]),
        "To test": names(groups["test"]),
        "To check": names(groups["check"]),
        "To make these pages": names(groups["docs"]),
    }


def explained() -> dict[str, list[str]]:
    """Heading of the page → names that have a row with something in every cell."""
    found: dict[str, list[str]] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading = section.split("\n", 1)[0]
        found[heading] = re.findall(r"^\| `([\w.-]+)` (?:\| [^|\s][^|\n]*){3}\|$", section, re.MULTILINE)
    return found


@pytest.mark.parametrize("heading", list(declared()))
def test_every_dependency_has_its_reason_and_every_reason_its_dependency(heading: str) -> None:
    assert sorted(explained()[heading]) == sorted(declared()[heading])


def pins(lock: Path) -> set[str]:
    """`name==version ; marker` of each requirement; fails on a line that is none and on one without a hash."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", "")
    found = set()
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = re.fullmatch(r"([\w.-]+==[^\s;]+(?: ; [^\"#]+?)?)(?:\s+--hash=sha256:[0-9a-f]{64})+", line)
        assert match, f"{lock.name}: {line[:80]}"
        found.add(match[1].strip())
    return found


def test_the_locks_are_there() -> None:
    assert [lock.stem for lock in LOCKS] == ["base", "build", "check", "docs", "run", "test"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_holds_pins_with_hashes_and_no_address(lock: Path) -> None:
    assert pins(lock)
    assert "://" not in lock.read_text(encoding="utf-8")


def test_the_locks_agree_and_hold_what_is_declared() -> None:
    locked = {lock.stem: {pin.split(" ; ")[0] for pin in pins(lock)} for lock in LOCKS}
    assert locked["base"] < locked["run"] < locked["test"] < locked["check"]
    assert locked["run"] < locked["docs"]
    everything = locked["check"] | locked["docs"]
    assert locked["build"] < everything
    parts = {stem: {pin.split("==")[0] for pin in found} for stem, found in locked.items()}
    dependencies = declared()
    assert dependencies["To run"] <= parts["base"]
    assert dependencies["To run"] | dependencies["The service"] <= parts["run"]
    assert not dependencies["The service"] & parts["base"]
    assert dependencies["To build"] <= parts["build"]
    assert dependencies["To test"] | dependencies["To build"] <= parts["test"]
    assert dependencies["To check"] <= parts["check"]
    assert dependencies["To make these pages"] <= parts["docs"]


def test_both_ends_of_django_are_locked() -> None:
    """Python 3.11 gets the long-term release, later ones the newest."""
    run = pins(ROOT / "requirements" / "run.txt")
    django = sorted(pin for pin in run if pin.startswith("django=="))
    assert [pin.split(".")[0] for pin in django] == ["django==5", "django==6"]
    assert [pin.split(" ; ")[1] for pin in django] == ["python_full_version < '3.12'", "python_full_version >= '3.12'"]
