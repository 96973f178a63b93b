"""Make CRM clients from connections and sites from their rows."""

from __future__ import annotations

import functools
from collections.abc import Callable

from memberhook.core.http_client import HttpClient
from memberhook.crms.contract import Account, CrmClient
from memberhook.crms.registry import crm
from memberhook.engine.overflow import RowOverflowStore
from memberhook.models.connections import Connection, Hook
from memberhook.models.connections import Site as SiteRow
from memberhook.sites.contract import Site, SiteContext
from memberhook.sites.registry import open_site

OpenHttp = Callable[[bool], HttpClient]
"""Returns the HTTP client; the argument says whether private addresses may be called."""


def crm_client(connection: Connection, http: OpenHttp) -> CrmClient:
    account = Account(connection.url, connection.username, connection.password)
    return _client(connection.kind, account, http(connection.allow_private))


@functools.lru_cache(maxsize=64)
def _client(kind: str, account: Account, http: HttpClient) -> CrmClient:
    """Cached, since a client learns how its CRM wants to be called."""
    return crm(kind).client(account, http)


def site_of(hook: Hook, http: OpenHttp) -> Site:
    """The hook's site as its connection sees it."""
    return open_site_row(hook.site, http, hook.connection)


def open_site_row(site: SiteRow, http: OpenHttp | None = None, connection: Connection | None = None) -> Site:
    """`http` may be left out for the local site alone."""
    return open_site(
        site.kind,
        SiteContext(
            name=site.name,
            connection_id=connection.pk if connection else 0,
            connection=connection.name if connection else "",
            crm=connection.kind if connection else "",
            url=site.url,
            username=site.username,
            password=site.password,
            options=site.options,
            capabilities=site.capabilities,
            http=http(site.allow_private) if http and site.url else None,
            overflow_store=RowOverflowStore(site.pk, connection.pk if connection else None),
        ),
    )
