"""The console's pages in the admin. Importing a page registers nothing; `admin.py` calls `register`."""

from __future__ import annotations

from django.contrib.admin import AdminSite

from memberhook.console.connections import ConnectionAdmin
from memberhook.console.deliveries import DeliveryAdmin
from memberhook.console.followups import FollowUpAdmin
from memberhook.console.hooks import HookAdmin
from memberhook.console.roles import RoleAdmin, TagAdmin
from memberhook.console.sites import SiteAdmin
from memberhook.console.workers import WorkerAdmin
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery, Worker
from memberhook.models.followups import FollowUp
from memberhook.models.members import RoleInfo
from memberhook.models.tags import Tag


def register(site: AdminSite) -> None:
    """Register the pages for Memberhook's own models. Users and groups are the project's to show."""
    site.register(Delivery, DeliveryAdmin)
    site.register(Hook, HookAdmin)
    site.register(Connection, ConnectionAdmin)
    site.register(Site, SiteAdmin)
    site.register(RoleInfo, RoleAdmin)
    site.register(Tag, TagAdmin)
    site.register(FollowUp, FollowUpAdmin)
    site.register(Worker, WorkerAdmin)
