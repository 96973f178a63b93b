"""Merge what several deliveries of one contact ask for."""

from __future__ import annotations

from collections.abc import Sequence

from memberhook.core.types import Action, Intent

_WEAKEST_FIRST = (Action.UPDATE_TAGS, Action.UPDATE, Action.ADD)


def merge(intents: Sequence[Intent]) -> Intent:
    """One intent for many, oldest first: the strongest action, all roles in order, `notify` of the first `add`.

    Roles of an `update_tags` and the `notify` of anything but an `add` mean nothing and are left out. Raises ValueError
    when there are none.
    """
    return Intent(
        action=max((intent.action for intent in intents), key=_WEAKEST_FIRST.index),
        roles=tuple(role for intent in intents if intent.action is not Action.UPDATE_TAGS for role in intent.roles),
        notify=next((intent.notify for intent in intents if intent.action is Action.ADD), False),
    )
