"""A real WordPress as the site, with the connector plugin or without."""

from __future__ import annotations

from memberhook.core.errors import UsageError
from memberhook.sites.contract import Site, SiteContext
from memberhook.sites.wordpress.connector import ConnectorSite
from memberhook.sites.wordpress.core_rest import CoreSite
from memberhook.sites.wordpress.rest_client import Rest


def open_site(context: SiteContext) -> Site:
    """By the way that the last check has found open (`facts["way"]`): core REST, else the connector plugin."""
    if context.http is None or context.overflow_store is None:
        raise UsageError(f"The site {context.name} has no address.", code="no_address")
    rest = Rest(
        context.url, context.username, context.password, context.http, plain=bool(context.capabilities.get("plain"))
    )
    if context.capabilities.get("transport") == "core":
        return CoreSite(context, rest, context.overflow_store)
    return ConnectorSite(context, rest)
