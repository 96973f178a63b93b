"""The site `local`: members are Django users, roles are groups, in this database."""

from __future__ import annotations

from memberhook.sites.contract import Site, SiteContext


def open_site(context: SiteContext) -> Site:
    from memberhook.sites.local.site import LocalSite

    return LocalSite(context.connection_id)
