"""One call for each of many contacts, with an answer or an error for each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from memberhook.core.error_codes import POSSIBLY_ONE_RECORD, ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.crms.contract import CrmError

Item = TypeVar("Item", bound=Hashable)
Answer = TypeVar("Answer")

_ONE_CONTACT = frozenset({ErrorCode.CONTACT_GONE, ErrorCode.VALUE_REJECTED})
_FAILURES_OF_CRM = 3
"""So many failures without a success mean that the CRM as a whole fails."""


def call_each(
    items: Sequence[Item], call: Callable[[Item], Answer], *, any_success: bool
) -> dict[Item, Answer | CrmError]:
    """Call for one item after the other until the CRM as a whole fails.

    Raises that error if nothing has succeeded; else it is the answer for all remaining items. `any_success`: whether
    something has succeeded before.
    """
    answers: dict[Item, Answer | CrmError] = {}
    failures = 0
    for item in items:
        try:
            answers[item] = call(item)
        except (TransientError, PermanentError) as error:
            answers[item] = error
            if error.code in _ONE_CONTACT:
                continue
            failures += 1
            only_failures = not any_success and failures == len(answers)
            enough = failures >= min(len(items), _FAILURES_OF_CRM)
            if error.code in POSSIBLY_ONE_RECORD and not (only_failures and enough):
                continue
            if only_failures:
                raise
            answers.update({remaining: error for remaining in items if remaining not in answers})
            break
    return answers
