"""4: one call for each of many.

Its one decision: what concerns the CRM as a whole ends the round, what concerns one contact does not.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from memberhook.core.errors import PermanentError, TransientError
from memberhook.crms.contract import CrmError

Item = TypeVar("Item", bound=Hashable)
Done = TypeVar("Done")

OF_ONE = frozenset({"contact_gone", "value_rejected"})
"""Errors of one contact."""
PERHAPS_OF_ONE = frozenset({"bad_answer", "server_error"})
"""One contact's data can break FluentCRM's answer; so can anything else."""
_TRIES = 3


def one_by_one(items: Sequence[Item], call: Callable[[Item], Done], *, worked: bool) -> dict[Item, Done | CrmError]:
    """Every item has its answer or its error.

    Raises `RetryLater` or `GiveUp` where nothing has worked and the error concerns all. Once something has (`worked`
    says so of what went before), such an error is the answer of the items that are left.
    """
    answers: dict[Item, Done | CrmError] = {}
    broken = 0
    for item in items:
        try:
            answers[item] = call(item)
        except (TransientError, PermanentError) as error:
            answers[item] = error
            if error.code in OF_ONE:
                continue
            broken += 1
            all_broken = not worked and broken == len(answers)
            if error.code in PERHAPS_OF_ONE and not (all_broken and broken >= min(len(items), _TRIES)):
                continue
            if all_broken:
                raise
            answers.update({left: error for left in items if left not in answers})
            break
    return answers
