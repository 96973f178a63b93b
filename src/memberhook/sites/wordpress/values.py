"""Which usernames WordPress allows, and how it stores values: the same over both transports.

Sources: sanitize_user() in wp-includes/formatting.php, wp_insert_user() in wp-includes/user.php (WordPress 6.1 to 7.1).
"""

from __future__ import annotations

from memberhook.core.types import UsernameRules, Value

USERNAME_RULES = UsernameRules(60, "A-Za-z0-9 _.@-")


def normalize(value: Value) -> Value:
    """See `Site.normalize`. User meta is text, cast as in PHP: true is "1"; false is "0"; lists contain text."""
    if isinstance(value, tuple):
        return tuple(str(normalize(item)) for item in value)
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if value is None or isinstance(value, str) else str(value)


def to_json(value: Value) -> str | list[str] | None:
    """The normalized value as JSON for WordPress; None empties the field."""
    normalized = normalize(value)
    if isinstance(normalized, tuple):
        return list(normalized)
    return normalized if normalized is None else str(normalized)
