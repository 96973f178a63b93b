"""Results of testing an account: which of them stop what was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from memberhook.core.check_result import CheckResult, first_problem
from memberhook.core.errors import UsageError


class CheckFailed(UsageError):
    """A check failed that is needed. `results`: those of all checks."""

    def __init__(self, message: str, results: Sequence[CheckResult]) -> None:
        super().__init__(message, code="not_connected")
        self.results = tuple(results)


def require(results: Sequence[CheckResult], what: str, end: str = "") -> None:
    """Raises `CheckFailed`, naming what was tested and, with `end`, what that means."""
    if failure := first_problem(results):
        raise CheckFailed(f"{what}: {failure.message} {end}".rstrip(), results)
