"""A real WordPress as the site, with the connector plugin or without."""

from __future__ import annotations

from memberhook.sites.base import Place, Site
from memberhook.sites.wordpress.core import CoreSite
from memberhook.wordpress.rest import Rest


def open_site(place: Place) -> Site:
    """By the way that the last check has found open; before the first one, by WordPress's own REST API."""
    if place.http is None or place.keeper is None:
        raise ValueError("A WordPress is spoken to over HTTP, and needs a keeper.")
    rest = Rest(place.url, place.username, place.password, place.http, plain=bool(place.facts.get("plain")))
    if place.facts.get("way") == "connector":
        from memberhook.sites.wordpress.connector import ConnectorSite

        return ConnectorSite(place, rest)
    return CoreSite(place, rest, place.keeper)
