"""5 PLAN: what several deliveries of one contact ask for together. Decides which of them wins."""

from __future__ import annotations

from collections.abc import Sequence

from memberhook.core.types import Action, Wish

_WEAKEST_FIRST = (Action.UPDATE_TAGS, Action.UPDATE, Action.ADD)


def merge(wishes: Sequence[Wish]) -> Wish:
    """One wish for many, oldest first: the strongest action, all roles in order, `notify` of the first `add`.

    Roles of an `update_tags` and the `notify` of anything but an `add` mean nothing and are left out. Raises ValueError
    when there is no wish.
    """
    return Wish(
        action=max((wish.action for wish in wishes), key=_WEAKEST_FIRST.index),
        roles=tuple(role for wish in wishes if wish.action is not Action.UPDATE_TAGS for role in wish.roles),
        notify=next((wish.notify for wish in wishes if wish.action is Action.ADD), False),
    )
