"""One result of a check, the same for CRMs and sites."""

from __future__ import annotations

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
