"""One line of a check, the same for CRMs and sites."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was looked at, whether it is good, and what to do if not.

    Not `needed`: members can be made without it (a right to write, for passwords that are not to be returned).
    """

    name: str
    ok: bool
    message: str
    needed: bool = True
