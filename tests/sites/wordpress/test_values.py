from __future__ import annotations

import pytest

from memberhook.core.types import Value
from memberhook.sites.wordpress.values import normalize, sent


@pytest.mark.parametrize(
    ("value", "as_stored", "as_sent"),
    [
        ("  text ", "  text ", "  text "),
        ("", "", ""),
        (7, "7", "7"),
        (1.5, "1.5", "1.5"),
        (2.0, "2", "2"),
        (True, "1", "1"),
        (False, "0", "0"),
        (("a", "b"), ("a", "b"), ["a", "b"]),
        ((), (), []),
        (None, None, None),
    ],
)
def test_values(value: Value, as_stored: Value, as_sent: object) -> None:
    assert normalize(value) == as_stored
    assert sent(value) == as_sent
