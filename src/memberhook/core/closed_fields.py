"""The fields of a site that no mapping may write, and those with a meaning of their own. Pure.

What is closed here is out of reach of every CRM, whatever the owner has mapped. Keys are compared as a forgiving
database would (case, accents and odd characters do not count).
"""

from __future__ import annotations

import functools
import re
import unicodedata

from memberhook.core.text import ascii_form

USERNAME, EMAIL, PASSWORD, ROLE = "user_login", "user_email", "user_pass", "role"
OWN_MEANING = frozenset({USERNAME, EMAIL, PASSWORD, ROLE})
"""The plan handles each in its own way; they are never plain fields."""

_CLOSED = frozenset(
    # identity and dates of the account
    {"id", "pk", "user_registered", "date_joined", "last_login", "user_activation_key", "user_status"}
    # Django's names of fields with a meaning of their own: a plain field must not be a way around their rules
    | {"username", "email", "password"}
    # permissions, in Django and in WordPress (with the usual table prefix or any other, see `is_closed`)
    | {"is_staff", "is_superuser", "is_active", "groups", "user_permissions"}
    | {"roles", "caps", "allcaps", "capabilities", "user_level", "wp_capabilities", "wp_user_level"}
    # sessions
    | {"session_tokens"}
)
_CLOSED_ENDINGS = ("capabilities", "user_level")  # after the table prefix, which need not end in `_`
_SECRET_WORDS = ("pass", "pwd", "secret", "token")


@functools.lru_cache(maxsize=1024)  # called for each mapping of each contact
def plain_key(site_field: str) -> str:
    """The key as a forgiving database would see it: in ASCII and lower case, only letters, digits and `_`."""
    return re.sub(r"[^a-z0-9_]", "", ascii_form(site_field).lower())


def is_closed(site_field: str) -> bool:
    """Whether no CRM may ever set this field. Keys that start with `_` are private to a WordPress plugin."""
    if any(not ascii_form(char) and "LATIN" in unicodedata.name(char, "") for char in site_field):
        return True  # a database may compare 🅟 as p
    # Some compare ß as one s.
    return any(_is_closed(plain_key(form)) for form in {site_field, site_field.replace("ß", "s")})


def _is_closed(key: str) -> bool:
    return not key or key in _CLOSED or key.startswith("_") or key.endswith(_CLOSED_ENDINGS)


def is_secret(*names: str) -> bool:
    """Whether a field by one of these names is likely to hold a secret, so that its value is never shown."""
    return any(word in plain_key(name) for name in names for word in _SECRET_WORDS)
