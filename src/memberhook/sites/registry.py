"""Which kinds of site there are: slug → module, imported only when used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from memberhook.errors import UsageError
from memberhook.sites.base import Site

SITES = {"local": "memberhook.sites.local"}


def open_site(kind: str, connection_id: int) -> Site:
    """The site of that kind as seen from one connection: tags of other connections stay as they are."""
    if kind not in SITES:
        raise UsageError(
            f"There is no kind of site {kind!r}; known are: {', '.join(sorted(SITES))}.", code="unknown_site"
        )
    opener: Callable[[int], Site] = import_module(SITES[kind]).open_site
    return opener(connection_id)
