"""Migrations import nothing of ours: code moves, migrations stay."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
MIGRATIONS = sorted(SOURCE.rglob("migrations/*.py"))


@pytest.mark.parametrize("file", MIGRATIONS, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_migration_imports_only_django_and_the_standard_library(file: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module))
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    assert {name for name in imported if not name.startswith("django.")} <= {"django"}
    assert "memberhook." not in file.read_text(encoding="utf-8").replace('"memberhook.', "").replace("'memberhook.", "")


def test_there_are_migrations_to_look_at() -> None:
    assert len(MIGRATIONS) >= 4
