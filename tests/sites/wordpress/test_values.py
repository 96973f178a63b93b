from __future__ import annotations

import pytest

from memberhook.core.types import Value
from memberhook.sites.wordpress.values import normalize, to_json


@pytest.mark.parametrize(
    ("value", "normalized", "as_sent"),
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
def test_values(value: Value, normalized: Value, as_sent: object) -> None:
    assert normalize(value) == normalized
    assert to_json(value) == as_sent
