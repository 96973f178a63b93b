"""Arrows point one way: who may import whom, as a table, checked against the import statements of the source."""

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


CALLERS = ("worker", "tasks", "web", "console", "cli", "service")
"""They call the pipeline and its steps, and nothing below knows them."""


def step(module: str) -> Rule:
    why = "a step knows neither the way it is part of nor who starts it"
    return Rule(module, never=("pipeline", *CALLERS), why=why)


RULES = (
    Rule("errors", only=(), why="everything may raise an error, so errors know nothing"),
    Rule("members", only=("members",), without=("django", "urllib3"), why="the plan is pure"),
    Rule(
        "net", only=("errors", "addresses"), without=("django",), why="the one HTTP client serves whoever hands it out"
    ),
    Rule("findings", only=(), why="one line of a check knows nothing of what it is about"),
    Rule("reading", only=("errors",), why="foreign JSON is narrowed the same way, whoever sent it"),
    Rule("addresses", only=("errors",), without=("django",), why="it is the part of net that judges an address"),
    Rule(
        "crms",
        only=("members.types", "net", "errors", "findings", "reading", "wordpress", "crms"),
        without=("django",),
        why="an adapter translates; its client is handed in",
    ),
    Rule(
        "wordpress",
        only=("net", "errors", "findings", "wordpress"),
        without=("django",),
        why="speaking to a WordPress is the same for the CRMs in it and for a site",
    ),
    Rule(
        "sites",
        only=("members", "net", "errors", "findings", "reading", "wordpress", "sites"),
        without=("django",),
        why="a site applies plans and nothing more; what it needs is handed in",
    ),
    Rule(
        "sites.local",
        only=("members", "errors", "findings", "sites", "local", "conf"),
        never=("net",),
        why="the local site's folder is `local`: its members are rows of this database",
    ),
    Rule(
        "simulator",
        only=("errors", "simulator"),
        without=("django",),
        why="a simulated CRM that shares code with what it tests would agree with its mistakes",
    ),
    step("receive"),
    step("inbox"),
    step("followups"),
    step("journal"),
    step("connections"),
    step("local"),
    step("planning"),
    Rule("pipeline", never=CALLERS, why="the way does not know who starts it"),
    Rule("cli", why="the command line may use everything"),
    Rule("service", why="the service may use everything"),
    Rule("", never=("service",), why="the service depends on the package, never the reverse"),
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


@pytest.mark.parametrize(
    ("file", "code", "complaint"),
    [
        ("members/plan.py", "from memberhook.members import types", None),
        ("members/plan.py", "from . import types", None),
        ("members/plan.py", "from .types import Plan", None),
        ("members/plan.py", "from .. import errors", "members must not import memberhook.core.errors"),
        ("members/plan.py", "from memberhook import errors", "members must not import memberhook.core.errors"),
        ("members/plan.py", "import memberhook.core.errors", "members must not import memberhook.core.errors"),
        ("members/plan.py", "from django.db import models", "members must not import django.db"),
        ("members/__init__.py", "from .types import Plan", None),
        ("members/__init__.py", "from ..errors import Refused", "members must not import memberhook.core.errors"),
        ("crms/acme.py", "from memberhook.core.types import Contact", None),
        ("crms/acme.py", "from memberhook.core.plan import plan", "crms must not import memberhook.core.plan"),
        ("crms/acme.py", "def f():\n    import memberhook.sites", "memberhook/crms/acme.py:2: crms must not import"),
        ("sites/local.py", "from memberhook.local import models", None),
        ("sites/other.py", "from memberhook.local import models", "sites must not import memberhook.local"),
        ("errors.py", "from memberhook.members import types", "errors must not import memberhook.core.types"),
        ("errors.py", "from memberhook import __version__", None),
        ("inbox/store.py", "from memberhook.pipeline import process", "inbox must not import memberhook.pipeline"),
        ("inbox/store.py", "from memberhook.pipelines import process", None),
        ("inbox/store.py", "import queue, django", None),
        ("pipeline.py", "from memberhook.cli import main", "pipeline must not import memberhook.cli"),
        ("pipeline.py", "from memberhook.inbox import store", None),
        ("web/asgi.py", "from memberhook.server import settings", "this module must not import memberhook.server"),
        ("cli/run.py", "from memberhook.server import settings", None),
        ("service/urls.py", "from memberhook.server import settings", None),
    ],
)
def test_the_checker_sees(tmp_path: Path, file: str, code: str, complaint: str | None) -> None:
    source = tmp_path / PACKAGE
    for name in ("__init__.py", "errors.py", "members/__init__.py", "members/types.py", file):
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
