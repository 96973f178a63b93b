"""What the row of a WordPress site stores: options that its owner chose, and capabilities that a check found."""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from memberhook.core.closed_fields import OWN_MEANING
from memberhook.core.errors import UsageError
from memberhook.core.types import Role
from memberhook.sites.wordpress.users_api import REST_NAMES

FULL_COST_HASH = (
    "Hash generated passwords at full cost. This is slower and not needed: WordPress 6.8 and later re-hash at the "
    "first log-in."
)
WP_FUSION = (
    "Also write tags and contact ids to the user meta that WP Fusion (Lite) reads: SLUG_tags and SLUG_contact_id, with "
    "a slug like fluentcrm-rest."
)
CORE_FIELDS = frozenset(REST_NAMES) | OWN_MEANING
"""The fields that core's REST API accepts for every user."""


def options(*, full_cost_hash: bool, wp_fusion: str) -> dict[str, Any]:
    """The options as stored. Raises `UsageError` for a slug that user meta keys cannot start with."""
    slug = wp_fusion.strip()
    if not re.fullmatch(r"[a-z0-9_-]{0,60}", slug):
        raise UsageError(
            f"{slug!r} is not a slug of WP Fusion. It looks like fluentcrm-rest: lower-case letters, digits, '-' and "
            "'_'.",
            code="bad_slug",
        )
    return {"full_cost_hash": full_cost_hash, "wp_fusion": slug}


def roles_from_json(roles: Iterable[Mapping[str, Any]]) -> tuple[Role, ...]:
    """Roles as capabilities and the connector list them. Without `privileged`, a role counts as privileged."""
    return tuple(Role(r["slug"], r.get("title") or r["slug"], r.get("privileged", True)) for r in roles)


def roles_to_json(roles: Iterable[Role]) -> list[dict[str, object]]:
    return [{"slug": role.slug, "title": role.title, "privileged": role.privileged} for role in roles]


class Transport(enum.StrEnum):
    CONNECTOR = "connector"
    CORE = "core"


@dataclass(frozen=True, slots=True)
class SiteCapabilities:
    """The capabilities that people see (all of them: `site_check`). Empty before the first check."""

    transport: Transport | None = None
    wordpress: str | None = None
    connector: str | None = None
    roles: tuple[Role, ...] = ()
    meta_keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, capabilities: Mapping[str, Any]) -> Self:
        connector = capabilities.get("connector") or None
        return cls(
            transport=Transport(capabilities["transport"]) if "transport" in capabilities else None,
            wordpress=capabilities.get("wordpress") or None,
            connector=connector,
            roles=roles_from_json(capabilities.get("roles") or ()),
            meta_keys=tuple(capabilities.get("meta_keys") or ()),
        )

    @property
    def transport_label(self) -> str:
        return f"the connector {self.connector}" if self.connector else "WordPress's own REST API"

    def overflow_fields(self, site_fields: Collection[str]) -> list[str]:
        """The fields that Memberhook stores itself, because core's REST API does not accept them."""
        return [] if self.connector else sorted(set(site_fields) - CORE_FIELDS - set(self.meta_keys))
