from __future__ import annotations

import pytest

from memberhook.core.intents import merge
from memberhook.core.types import Action, Intent

A, U, T = Action.ADD, Action.UPDATE, Action.UPDATE_TAGS


@pytest.mark.parametrize(
    ("intents", "merged"),
    [
        ([Intent(T)], Intent(T)),
        ([Intent(T, ("vip",), True)], Intent(T)),
        ([Intent(U, ("vip",), True)], Intent(U, ("vip",))),
        ([Intent(T), Intent(U), Intent(T)], Intent(U)),
        ([Intent(U, ("a",)), Intent(A, ("b",), True), Intent(A, ("c",))], Intent(A, ("a", "b", "c"), True)),
        ([Intent(A), Intent(A, notify=True)], Intent(A)),
        ([Intent(T, ("x",)), Intent(U, ("a",), True), Intent(A)], Intent(A, ("a",))),
    ],
)
def test_merge(intents, merged):
    assert merge(intents) == merged


def test_nothing_cannot_be_merged():
    with pytest.raises(ValueError, match="empty"):
        merge([])
