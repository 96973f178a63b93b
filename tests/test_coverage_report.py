"""The table that CI prints of what the tests reach."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "coverage_by_folder.py"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def about(lines: int, reached: int) -> dict[str, Any]:
    return {"summary": {"num_statements": lines, "covered_lines": reached}}


def test_a_row_for_each_folder_and_one_for_all(script: dict[str, Any]) -> None:
    files = {
        Path("pipeline.py"): about(10, 10),
        Path("crms/base.py"): about(20, 15),
        Path("crms/payload.py"): about(20, 20),
        Path("crms/empty/__init__.py"): about(0, 0),
    }
    assert [row.split() for row in script["table"](files)] == [
        ["folder", "lines", "reached", "%"],
        [".", "10", "10", "100.0"],
        ["crms", "40", "35", "87.5"],
        ["crms/empty", "0", "0", "100.0"],
        ["all", "50", "45", "90.0"],
    ]


def test_lines_in_a_row_are_a_range(script: dict[str, Any]) -> None:
    assert script["ranges"]([7, 1, 3, 2, 10, 11]) == "1-3, 7, 10-11"
    assert script["ranges"]([]) == ""
