"""One result of a check, of a CRM or a site."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from memberhook.core.errors import MemberhookError


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`name`: what was checked; `message`: what was found and what to do about it.

    `needed` is False where members can be created without it (the right to write passwords back to the CRM, say).
    """

    name: str
    ok: bool
    message: str
    needed: bool = True

    @property
    def is_failure(self) -> bool:
        return self.needed and not self.ok


def first_problem(results: Iterable[CheckResult]) -> CheckResult | None:
    """The first failure without which nothing works."""
    return next((result for result in results if result.is_failure), None)


def passed(name: str, message: str) -> CheckResult:
    return CheckResult(name, True, message)


def failed(name: str, problem: str | MemberhookError, *, needed: bool = True) -> CheckResult:
    return CheckResult(name, False, problem.message if isinstance(problem, MemberhookError) else problem, needed)
