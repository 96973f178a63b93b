"""The states of a delivery (follow-ups share them) and the moves between them; no other move is ever made."""

from __future__ import annotations

import enum
from collections.abc import Collection


class State(enum.StrEnum):
    PENDING = "pending"  # stored, no attempt yet
    WORKING = "working"  # claimed by a worker
    RETRYING = "retrying"  # waits for its next attempt
    APPLIED = "applied"
    UNCHANGED = "unchanged"
    IGNORED = "ignored"
    FAILED = "failed"


WAITING = (State.PENDING, State.RETRYING)
FINISHED = (State.APPLIED, State.UNCHANGED, State.IGNORED, State.FAILED)

STATUSES = tuple(state.value for state in State if state is not State.WORKING)
"""What users see; see `status`."""

MOVES: dict[State, tuple[State, ...]] = {
    State.PENDING: (State.WORKING,),
    State.RETRYING: (State.WORKING,),
    State.WORKING: (State.RETRYING, *FINISHED),
    **dict.fromkeys(FINISHED, (State.PENDING,)),  # replay
}


def before(state: State) -> tuple[State, ...]:
    """The states from which `state` may be entered."""
    return tuple(origin for origin, targets in MOVES.items() if state in targets)


def check_moves(origin: State, targets: Collection[State]) -> None:
    """Raises ValueError for a move that is not in the table: a bug."""
    wrong = set(targets) - set(MOVES[origin])
    if wrong:
        raise ValueError(f"No delivery moves from {origin} to {', '.join(sorted(wrong))}.")


def status(state: str, attempts: int) -> str:
    """What users see: `working` is `pending` in the first attempt and `retrying` in a later one."""
    if state == State.WORKING:
        return State.PENDING if attempts <= 1 else State.RETRYING
    return state
