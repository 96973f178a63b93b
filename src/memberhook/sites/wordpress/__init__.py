"""A real WordPress as the site, with the connector plugin or without."""

from __future__ import annotations

from memberhook.core.errors import UsageError
from memberhook.sites.contract import Place, Site
from memberhook.sites.wordpress.connector import ConnectorSite
from memberhook.sites.wordpress.core_rest import CoreSite
from memberhook.sites.wordpress.rest_client import Rest


def open_site(place: Place) -> Site:
    """By the way that the last check has found open (`facts["way"]`): core REST, else the connector plugin."""
    if place.http is None or place.keeper is None:
        raise UsageError(f"The site {place.name} has no address.", code="no_address")
    rest = Rest(place.url, place.username, place.password, place.http, plain=bool(place.facts.get("plain")))
    if place.facts.get("way") == "core":
        return CoreSite(place, rest, place.keeper)
    return ConnectorSite(place, rest)
