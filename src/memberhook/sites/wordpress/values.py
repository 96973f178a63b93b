"""How WordPress gives back what a user's field was set to: user meta are text, whatever went in (PHP's `(string)`)."""

from __future__ import annotations

from memberhook.members.types import Value


def stored(value: Value) -> Value:
    """See `Site.stored`. Text as it is, numbers as text, True as "1", False as "0", lists as tuples of such text."""
    if isinstance(value, tuple):
        return tuple(str(stored(item)) for item in value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if value is None or isinstance(value, str) else str(value)
