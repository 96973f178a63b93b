"""Print what testing a connection or a site has found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from memberhook.core.check_result import CheckResult
from memberhook.services.checks import CheckFailed


@contextmanager
def results_shown(*, as_json: bool) -> Iterator[None]:
    """Print the results of a test that failed before the error ends the command."""
    try:
        yield
    except CheckFailed as error:
        if not as_json:
            click.echo("\n".join(lines(error.results)))
        raise


def lines(results: Sequence[CheckResult]) -> list[str]:
    return [f"  {_mark(result)} {result.name}: {result.message}" for result in results]


def _mark(result: CheckResult) -> str:
    return "ok  " if result.ok else "FAIL" if result.needed else "note"


def data(results: Sequence[CheckResult]) -> list[dict[str, Any]]:
    return [{"check": result.name, "ok": result.ok, "message": result.message} for result in results]
