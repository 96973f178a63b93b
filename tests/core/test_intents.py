from __future__ import annotations

import pytest

from memberhook.core.types import Action, Wish
from memberhook.core.intents import merge

A, U, T = Action.ADD, Action.UPDATE, Action.UPDATE_TAGS


@pytest.mark.parametrize(
    ("wishes", "merged"),
    [
        ([Wish(T)], Wish(T)),
        ([Wish(T, ("vip",), True)], Wish(T)),
        ([Wish(U, ("vip",), True)], Wish(U, ("vip",))),
        ([Wish(T), Wish(U), Wish(T)], Wish(U)),
        ([Wish(U, ("a",)), Wish(A, ("b",), True), Wish(A, ("c",))], Wish(A, ("a", "b", "c"), True)),
        ([Wish(A), Wish(A, notify=True)], Wish(A)),
        ([Wish(T, ("x",)), Wish(U, ("a",), True), Wish(A)], Wish(A, ("a",))),
    ],
)
def test_merge(wishes, merged):
    assert merge(wishes) == merged


def test_nothing_cannot_be_merged():
    with pytest.raises(ValueError, match="empty"):
        merge([])
