"""Which kinds of site there are: slug → module, imported only when used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from memberhook.core.errors import UsageError
from memberhook.sites.contract import Site, SiteContext

SITES = {"local": "memberhook.sites.local.site", "wordpress": "memberhook.sites.wordpress"}
REMOTE = {"wordpress": "WordPress"}
"""Those that are added, not always there, as people call them."""


def open_site(kind: str, context: SiteContext) -> Site:
    """The site of that kind as seen from one connection: tags of other connections stay as they are."""
    if kind not in SITES:
        raise UsageError(
            f"There is no kind of site {kind!r}; known are: {', '.join(sorted(SITES))}.", code="unknown_site"
        )
    opener: Callable[[SiteContext], Site] = import_module(SITES[kind]).open_site
    return opener(context)
