"""The site `wordpress`: members are its users. It is reached through the connector plugin, or over core's REST API."""

from __future__ import annotations

from memberhook.core.errors import UsageError
from memberhook.sites.contract import Site, SiteContext
from memberhook.sites.wordpress.connector import ConnectorSite
from memberhook.sites.wordpress.core_rest import CoreRestSite
from memberhook.sites.wordpress.rest.rest_client import RestClient
from memberhook.sites.wordpress.site_data import Transport


def open_site(context: SiteContext) -> Site:
    """By the transport that the last check has found; before any check, the connector."""
    if context.http is None or context.overflow_store is None:
        raise UsageError(f"The site {context.name} has no address.", code="no_address")
    rest = RestClient(
        context.url,
        context.username,
        context.password,
        context.http,
        plain_permalinks=bool(context.capabilities.get("plain_permalinks")),
    )
    if context.capabilities.get("transport") == Transport.CORE:
        return CoreRestSite(context, rest, context.overflow_store)
    return ConnectorSite(context, rest)
