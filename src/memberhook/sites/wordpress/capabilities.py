"""Which of WordPress's capabilities make their holder privileged: managing users, settings, code or others' content.

Its one decision: the table is the same as in the connector plugin, so it is in words that PHP and Python read alike.
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
"""Regexes to be found in a capability's name, in any case."""

_PRIVILEGED = re.compile("|".join(PRIVILEGED), re.IGNORECASE)


def is_privileged_capability(name: str) -> bool:
    return _PRIVILEGED.search(name) is not None


def has_privileges(capabilities: Mapping[str, object]) -> bool:
    """`capabilities`: name → granted, as WordPress lists those of a user."""
    return any(granted and is_privileged_capability(name) for name, granted in capabilities.items())
