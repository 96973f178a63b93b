"""A real WordPress as the site."""

from __future__ import annotations

from memberhook.sites.base import Place, Site


def open_site(place: Place) -> Site:
    raise NotImplementedError
