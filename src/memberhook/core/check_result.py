"""One result of a check, the same for CRMs and sites."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was checked, whether it is right, and what to do if not.

    Not `needed`: members can be created without it (a permission to write, where no passwords are returned).
    """

    name: str
    ok: bool
    message: str
    needed: bool = True


def first_problem(results: Iterable[CheckResult]) -> CheckResult | None:
    """The first failure without which nothing works."""
    return next((result for result in results if result.needed and not result.ok), None)
