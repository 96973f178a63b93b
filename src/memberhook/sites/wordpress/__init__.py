"""A real WordPress as the site."""

from __future__ import annotations

from memberhook.errors import UsageError
from memberhook.sites.base import Place, Site
from memberhook.wordpress.rest import Rest


def open_site(place: Place) -> Site:
    """By the way that the last check has found (`facts["way"]`): the connector plugin, else core REST."""
    from memberhook.sites.wordpress.connector import ConnectorSite

    if place.http is None:
        raise UsageError(f"The site {place.name} has no address.", code="no_address")
    rest = Rest(place.url, place.username, place.password, place.http, plain=bool(place.facts.get("plain")))
    return ConnectorSite(place, rest)
