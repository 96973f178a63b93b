"""The site `local`: members are Django users, roles are groups, in this database."""

from __future__ import annotations

from memberhook.sites.contract import Place, Site


def open_site(place: Place) -> Site:
    from memberhook.sites.local.site import LocalSite

    return LocalSite(place.connection_id)
