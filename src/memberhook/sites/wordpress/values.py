"""What WordPress takes and how it gives it back, whichever way it is asked.

Sources: sanitize_user() in wp-includes/formatting.php, wp_insert_user() in wp-includes/user.php (WordPress 6.1 to 7.1).
"""

from __future__ import annotations

from memberhook.core.types import UsernameRules, Value

USERNAME_RULES = UsernameRules(60, "A-Za-z0-9 _.@-")


def normalize(value: Value) -> Value:
    """See `Site.stored`. User meta are text, as PHP's `(string)` makes it; True is "1", False "0", lists hold texts."""
    if isinstance(value, tuple):
        return tuple(str(normalize(item)) for item in value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if value is None or isinstance(value, str) else str(value)


def sent(value: Value) -> str | list[str] | None:
    """The value as JSON for WordPress: as it will be stored; None empties the field."""
    as_stored = normalize(value)
    if isinstance(as_stored, tuple):
        return list(as_stored)
    return as_stored if as_stored is None else str(as_stored)
