"""What the console calls states, actions and origins, and the tone in which each is shown.

A mapping with an enum as its key has every member of that enum; a test holds all of them to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from memberhook.core.states import State
from memberhook.core.types import Action
from memberhook.models.deliveries import Attempt
from memberhook.models.followups import FollowUpState

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as LazyText
else:
    from django.utils.functional import Promise as LazyText

Text = str | LazyText
"""A text, translated now or when it is shown."""


@dataclass(frozen=True, slots=True)
class Label:
    """A word and its tone: good, calm, busy, warn or bad. The word alone says everything; the tone only helps."""

    text: Text
    tone: str = "calm"


STATES: Mapping[State, Label] = {
    State.PENDING: Label(_("Pending"), "busy"),
    State.WORKING: Label(_("Working"), "busy"),
    State.RETRYING: Label(_("Retrying"), "warn"),
    State.APPLIED: Label(_("Applied"), "good"),
    State.UNCHANGED: Label(_("Unchanged")),
    State.IGNORED: Label(_("Ignored")),
    State.FAILED: Label(_("Failed"), "bad"),
}

ACTIONS: Mapping[Action, Text] = {
    Action.ADD: _("Add or update"),
    Action.UPDATE: _("Update"),
    Action.UPDATE_TAGS: _("Update tags"),
}

FOLLOW_UP_TONES: Mapping[FollowUpState, str] = {
    FollowUpState.WAITING: "busy",
    FollowUpState.FAILED: "bad",
    FollowUpState.DONE: "good",
}

_ABANDONED = Label(_("Abandoned"), "bad")


def status_label(status: str) -> Label:
    return STATES[State(status)]


def result_label(result: str) -> Label:
    """The result of an attempt: the state it led to, or `abandoned` when its worker died."""
    return _ABANDONED if result == Attempt.ABANDONED else status_label(result)


def action_label(action: str) -> Text:
    """An action that is not known, of a damaged row, is shown as it is stored."""
    return {a.value: text for a, text in ACTIONS.items()}.get(action, action)


def follow_up_label(state: FollowUpState) -> Label:
    return Label(state.label, FOLLOW_UP_TONES[state])
