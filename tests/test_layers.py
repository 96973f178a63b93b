"""Arrows point one way: which module may import which, as a table, checked against the imports of the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "memberhook"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE


@dataclass(frozen=True)
class Rule:
    """What `module` (and all below it) may import. Names are ours without `memberhook.`; a name covers what is below.

    `only`: of ours, nothing but these. `never`: none of these. `without`: none of these packages of others.
    The longest module that fits decides, so a row for one file replaces the row of its folder.
    """

    module: str
    why: str
    only: tuple[str, ...] | None = None
    never: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


CALLERS = ("intake", "worker", "console", "cli", "server", "services")
"""They call the pipeline and its parts, and nothing below knows them."""

BASE = ("core", "conf", "encryption")

RULES = (
    Rule("core", only=("core",), without=("django",), why="plain data and pure functions, and the HTTP client"),
    Rule(
        "core.plan",
        only=("core.types", "core.text", "core.usernames", "core.mapping", "core.roles", "core.field_values"),
        without=("django", "urllib3"),
        why="the plan is pure",
    ),
    Rule("core.errors", only=(), why="everything may raise an error, so errors know nothing"),
    Rule("core.check_result", only=("core.errors",), why="the result of a check knows nothing of what was checked"),
    Rule("addresses", only=("conf", "core.errors"), why="everything that names an address may ask for it"),
    Rule("conf", only=(), why="settings are read by everything"),
    Rule("extras", only=(), why="whoever needs an extra may say that it is missing"),
    Rule("encryption", only=("core.errors",), why="models encrypt, so encryption knows no model"),
    Rule("signals", only=("core",), why="a host project's receivers hear of plain data"),
    Rule("models", only=("models", *BASE), why="tables know nothing of what is done with them"),
    Rule(
        "sites",
        only=("core", "sites"),
        without=("django",),
        why="a site applies plans and nothing more; what it needs is handed in",
    ),
    Rule(
        "sites.local",
        only=("sites.contract", "sites.local", "models", *BASE),
        never=("core.http_client",),
        why="members of the local site are rows of this database",
    ),
    Rule(
        "crms",
        only=(
            "core",
            "crms",
            "sites.wordpress.rest",
        ),
        without=("django",),
        why="an adapter translates; its client is handed in. CRMs in a WordPress share its REST client",
    ),
    Rule(
        "engine", never=("pipeline", "members_area", *CALLERS), why="a step knows neither the pipeline nor its callers"
    ),
    Rule("pipeline", never=("members_area", *CALLERS), why="the pipeline does not know who starts it"),
    Rule("intake", never=("worker", "services", "console", "cli", "server", "members_area"), why="it only lets in"),
    Rule("worker", never=("intake", "services", "console", "cli", "server", "members_area"), why="it only works"),
    Rule(
        "services", never=("intake", "worker", "console", "cli", "server", "members_area"), why="use cases have callers"
    ),
    Rule(
        "members_area",
        only=("members_area", "models", "sites.local", "addresses", *BASE),
        why="an optional app: pages for members, guards for views",
    ),
    Rule(
        "testing",
        only=("core.errors", "testing"),
        without=("django",),
        why="a simulated CRM that shares code with what it tests would agree with its mistakes",
    ),
    Rule("management", only=("cli",), why="management commands are the command line again"),
    Rule("cli", why="the command line may use everything"),
    Rule("server", why="the service may use everything"),
    Rule("", never=("server",), why="the service depends on the package, never the reverse"),
)


@dataclass(frozen=True)
class Import:
    file: str
    line: int
    module: str
    name: str


def covers(names: tuple[str, ...], name: str) -> bool:
    return any(name == above or name.startswith(f"{above}.") for above in names)


def modules(source: Path) -> dict[str, Path]:
    """Dotted name (with the package) → file."""
    found = {}
    for path in sorted(source.rglob("*.py")):
        parts = [PACKAGE, *path.relative_to(source).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(node: ast.AST, module: str, is_package: bool, known: dict[str, Path]) -> list[str]:
    """The modules that a statement imports. `from a import b` is `a.b` where that is a module of ours, else `a`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        above = module.split(".")
        above = above[: len(above) - node.level + is_package]
        base = ".".join([*above, *([node.module] if node.module else [])])
    names = (f"{base}.{alias.name}" for alias in node.names)
    return list(dict.fromkeys(name if name in known else base for name in names))


def imports(source: Path) -> Iterator[Import]:
    known = modules(source)
    for module, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in imported(node, module, path.name == "__init__.py", known):
                yield Import(str(path.relative_to(source.parent)), getattr(node, "lineno", 0), module, name)


def short(module: str) -> str:
    return module.removeprefix(PACKAGE).removeprefix(".")


def rule_of(module: str, rules: tuple[Rule, ...]) -> Rule:
    fitting = [rule for rule in rules if not rule.module or covers((rule.module,), short(module))]
    return max(fitting, key=lambda rule: len(rule.module))


def broken(found: Import, rules: tuple[Rule, ...]) -> str | None:
    """The sentence to show when an import breaks its rule."""
    rule = rule_of(found.module, rules)
    if not covers((PACKAGE,), found.name):
        wrong = covers(rule.without, found.name)
    elif found.name == PACKAGE:
        return None  # the version; it imports nothing
    else:
        allowed = rule.only is None or covers(rule.only, short(found.name))
        wrong = not allowed or covers(rule.never, short(found.name))
    if not wrong:
        return None
    return f"{found.file}:{found.line}: {rule.module or 'this module'} must not import {found.name}: {rule.why}"


def complaints(source: Path, rules: tuple[Rule, ...] = RULES) -> list[str]:
    return [sentence for found in imports(source) if (sentence := broken(found, rules))]


def test_arrows_point_one_way() -> None:
    wrong = complaints(SOURCE)
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_name_in_the_table_is_a_module() -> None:
    """A rule about a module that was renamed would hold forever."""
    known = {short(module) for module in modules(SOURCE)}
    named = {name for rule in RULES for name in (rule.module, *(rule.only or ()), *rule.never)}
    assert sorted(named - known) == []


def test_the_package_itself_imports_nothing_of_ours() -> None:
    """`from memberhook import __version__` is allowed to all, so it must lead nowhere."""
    assert [found for found in imports(SOURCE) if found.module == PACKAGE and covers((PACKAGE,), found.name)] == []


def rooms(source: Path) -> dict[str, set[str]]:
    """Folder (or module at the top) → the others that it imports. The package's own face is no room."""
    arrows: dict[str, set[str]] = {}
    for found in imports(source):
        if covers((PACKAGE,), found.name) and short(found.module) and short(found.name):
            here, there = (short(name).split(".")[0] for name in (found.module, found.name))
            arrows.setdefault(here, set()).add(there)
    return {room: others - {room} for room, others in arrows.items()}


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Rooms that import each other in a circle; empty where there is none."""
    left = {room: set(others) for room, others in arrows.items()}
    while leaves := [room for room, others in left.items() if not others & left.keys()]:
        for room in leaves:
            del left[room]
    return sorted(left)


def test_no_folders_import_each_other_in_a_circle() -> None:
    assert circle(rooms(SOURCE)) == []


def test_a_circle_of_folders_is_seen(tmp_path: Path) -> None:
    source = tmp_path / PACKAGE
    for name, code in (("a/x.py", "from memberhook.b import y"), ("b/y.py", ""), ("b/z.py", "import memberhook.a.x")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(code, encoding="utf-8")
    assert circle(rooms(source)) == ["a", "b"]


@pytest.mark.parametrize(
    ("file", "code", "complaint"),
    [
        ("core/plan.py", "from memberhook.core import types", None),
        ("core/plan.py", "from . import types", None),
        ("core/plan.py", "from .types import Plan", None),
        ("core/plan.py", "from .. import errors", "core.plan must not import memberhook.errors"),
        ("core/plan.py", "from memberhook import models", "core.plan must not import memberhook.models"),
        ("core/text.py", "import memberhook.models", "core must not import memberhook.models"),
        ("core/text.py", "from django.db import models", "core must not import django.db"),
        ("core/__init__.py", "from .types import Plan", None),
        ("core/__init__.py", "from ..models import Hook", "core must not import memberhook.models"),
        ("crms/acme.py", "from memberhook.core.types import Contact", None),
        ("crms/acme.py", "from memberhook.models import Hook", "crms must not import memberhook.models"),
        ("crms/acme.py", "def f():\n    import memberhook.sites", "memberhook/crms/acme.py:2: crms must not import"),
        ("sites/local/site.py", "from memberhook.models import Hook", None),
        ("sites/other.py", "from memberhook.models import Hook", "sites must not import memberhook.models"),
        ("core/errors.py", "from memberhook.core import types", "core.errors must not import memberhook.core.types"),
        ("core/errors.py", "from memberhook import __version__", None),
        ("engine/inbox.py", "from memberhook.pipeline import process", "engine must not import memberhook.pipeline"),
        ("engine/inbox.py", "from memberhook.pipelines import process", None),
        ("engine/inbox.py", "import queue, django", None),
        ("pipeline.py", "from memberhook.cli import main", "pipeline must not import memberhook.cli"),
        ("pipeline.py", "from memberhook.engine import inbox", None),
        ("urls.py", "from memberhook.server import settings", "this module must not import memberhook.server"),
        ("cli/run.py", "from memberhook.server import settings", None),
        ("server/urls.py", "from memberhook.server import settings", None),
    ],
)
def test_the_checker_sees(tmp_path: Path, file: str, code: str, complaint: str | None) -> None:
    source = tmp_path / PACKAGE
    for name in ("__init__.py", "errors.py", "core/__init__.py", "core/types.py", "models/__init__.py", file):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).touch()
    (source / file).write_text(code, encoding="utf-8")
    found = complaints(source)
    if complaint is None:
        assert found == []
    else:
        assert len(found) == 1
        assert complaint in found[0]
        assert found[0].startswith(f"{PACKAGE}/{file}:")
