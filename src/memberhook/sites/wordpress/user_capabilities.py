"""Which of a WordPress user's capabilities are privileges: to manage users, settings, code or others' content.

The connector plugin has the same table, so its patterns are written in what PHP's and Python's regexes have in common.
Sources: wp-admin/includes/schema.php (the roles as installed), map_meta_cap() in wp-includes/capabilities.php.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PRIVILEGED = (
    r"^(administrator|editor|super_admin|shop_manager)$",
    r"^level_([3-9]|10)$",
    r"^manage_",
    r"^unfiltered_",
    r"^(import|export|customize|moderate_comments|edit_dashboard|update_core|switch_themes|setup_network)$",
    r"^promote_",
    r"_users?$",
    r"^(install|activate|deactivate|delete|update|edit|upload|resume|switch)_(plugins?|themes?|theme_options|languages|css)$",
    r"^(edit|delete|update)_files$",
    r"^(create|delete|edit|upgrade)_(sites?|network|roles?)$",
    r"_others_",
    r"^(edit|delete)_private_",
    r"^memberhook_",
)
"""Patterns to search for in a capability's name, ignoring case."""

_PRIVILEGED = re.compile("|".join(PRIVILEGED), re.IGNORECASE)


def is_privileged_capability(name: str) -> bool:
    return _PRIVILEGED.search(name) is not None


def has_privileges(user_capabilities: Mapping[str, object]) -> bool:
    """`user_capabilities`: name → granted. With privileges, the member is protected: see `core.plan.is_protected`."""
    return any(granted and is_privileged_capability(name) for name, granted in user_capabilities.items())
