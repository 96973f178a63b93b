"""The site `local`: members are Django users and roles are groups, in this database."""

from __future__ import annotations

from memberhook.sites.contract import Site, SiteContext


def open_site(context: SiteContext) -> Site:
    from memberhook.sites.local.site import LocalSite  # models can be imported only once Django is set up

    return LocalSite(context.connection_id)
