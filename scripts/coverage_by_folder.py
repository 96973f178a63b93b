#!/usr/bin/env python3
"""Prints which part of src/memberhook the tests have reached, folder by folder, and with --missing which lines not.

coverage run -m pytest …        measures, also in the processes that tests start
scripts/coverage_by_folder.py   puts together what all of them wrote
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import coverage

PACKAGE = Path("src/memberhook")


def measured(root: Path, data_file: Path | None) -> dict[Path, Any]:
    """File, seen from the package → what coverage knows of it."""
    where = {"data_file": str(data_file)} if data_file else {}
    found = coverage.Coverage(config_file=str(root / "pyproject.toml"), **where)
    found.combine(keep=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "coverage.json")
        found.json_report(outfile=str(report))
        files = json.loads(report.read_text("utf-8"))["files"]
    return {(root / name).relative_to(root / PACKAGE): about for name, about in sorted(files.items())}


def table(files: dict[Path, Any]) -> Iterator[str]:
    yield f"{'folder':<30} {'lines':>6} {'reached':>8} {'%':>6}"
    rows = [(str(file.parent), about["summary"]) for file, about in files.items()]
    rows += [("all", summary) for _, summary in rows]
    for folder in sorted({folder for folder, _ in rows}, key=lambda folder: (folder == "all", folder)):
        lines, reached = (
            sum(summary[name] for name_of, summary in rows if name_of == folder)
            for name in ("num_statements", "covered_lines")
        )
        share = 100 * reached / lines if lines else 100.0
        yield f"{folder:<30} {lines:>6} {reached:>8} {share:>6.1f}"


def ranges(numbers: Iterable[int]) -> str:
    """`1, 2, 3, 7` → `1-3, 7`"""
    runs = itertools.groupby(enumerate(sorted(numbers)), lambda pair: pair[1] - pair[0])
    ends = [(run[0][1], run[-1][1]) for run in (list(run) for _, run in runs)]
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ends)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-file", type=Path, help="default: where `coverage run` writes")
    parser.add_argument("--missing", action="store_true", help="the lines that no test reaches, too")
    options = parser.parse_args()
    files = measured(Path(__file__).resolve().parents[1], options.data_file)
    print(*table(files), sep="\n")
    if options.missing:
        print()
        for file, about in files.items():
            if about["missing_lines"]:
                print(f"{file}: {ranges(about['missing_lines'])}")


if __name__ == "__main__":
    main()
