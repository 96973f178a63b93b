"""What the row of a WordPress site holds: options that its owner chose, facts that `check` found. Pure.

facts: see check.py. Read here are those that people look at: `way`, `wordpress`, `connector`, `roles`, `meta_keys`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from memberhook.core.closed_fields import OWN_MEANING
from memberhook.core.errors import UsageError
from memberhook.core.types import Role
from memberhook.sites.wordpress.users import NAMES

FULL_COST_HASH = (
    "Hash generated passwords at full cost (slower; WordPress 6.8 and later re-hash at the first log-in, so it is not "
    "needed)."
)
WP_FUSION = (
    "Also write tags and contact ids under the user meta keys that WP Fusion (Lite) reads, SLUG_tags and "
    "SLUG_contact_id, like fluentcrm-rest."
)
CORE_FIELDS = frozenset(NAMES) | OWN_MEANING
"""What WordPress's own REST API takes of every user."""


def options(*, full_cost_hash: bool, wp_fusion: str) -> dict[str, Any]:
    """The stored form. Raises `UsageError` for a slug that cannot begin a user meta key."""
    slug = wp_fusion.strip()
    if not re.fullmatch(r"[a-z0-9_-]{0,60}", slug):
        raise UsageError(
            f"{slug!r} is no slug of WP Fusion; it is like fluentcrm-rest: small letters, digits, '-' and '_'.",
            code="bad_slug",
        )
    return {"full_cost_hash": full_cost_hash, "wp_fusion": slug}


def read_roles(roles: Iterable[Mapping[str, Any]]) -> tuple[Role, ...]:
    """As the facts and the connector have them. A role that does not say so is privileged: closed by default."""
    return tuple(Role(r["slug"], r.get("title") or r["slug"], r.get("privileged", True)) for r in roles)


@dataclass(frozen=True, slots=True)
class SiteCapabilities:
    """What the site told of itself when it was last checked; all empty before that."""

    transport: str = ""
    wordpress: str | None = None
    connector: str | None = None
    roles: tuple[Role, ...] = ()
    meta_keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, capabilities: Mapping[str, Any]) -> Self:
        connector = capabilities.get("connector") or None
        return cls(
            transport=capabilities.get("transport") or ("connector" if connector else "core" if capabilities else ""),
            wordpress=capabilities.get("wordpress") or None,
            connector=connector,
            roles=read_roles(capabilities.get("roles") or ()),
            meta_keys=tuple(capabilities.get("meta_keys") or ()),
        )

    @property
    def how(self) -> str:
        """The way in words."""
        return f"the connector {self.connector}" if self.connector else "WordPress's own REST API"

    def kept_fields(self, site_fields: Collection[str]) -> list[str]:
        """Those that Memberhook keeps itself, since WordPress's own REST API does not take them."""
        return [] if self.connector else sorted(set(site_fields) - CORE_FIELDS - set(self.meta_keys))
