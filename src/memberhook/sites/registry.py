"""The kinds of site: slug → module, imported when first used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from memberhook.core.errors import UsageError
from memberhook.sites.contract import Site, SiteContext

SITES = {"local": "memberhook.sites.local", "wordpress": "memberhook.sites.wordpress"}
REMOTE = {"wordpress": "WordPress"}
"""The kinds that owners add (the local site always exists), with their names."""


def open_site(kind: str, context: SiteContext) -> Site:
    """The site as seen from the context's connection: tags of other connections stay as they are."""
    if kind not in SITES:
        kinds = ", ".join(sorted(SITES))
        raise UsageError(f"There is no kind of site {kind!r}. The kinds are: {kinds}.", code="unknown_site")
    opener: Callable[[SiteContext], Site] = import_module(SITES[kind]).open_site
    return opener(context)
