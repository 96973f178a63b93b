"""Which screens there are. `admin.py` calls this; nothing is registered by importing the screens."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User

from memberhook.console.connections import ConnectionAdmin
from memberhook.console.deliveries import DeliveryAdmin
from memberhook.console.hooks import HookAdmin
from memberhook.console.members import GroupAdmin, MemberAdmin
from memberhook.console.roles import RoleAdmin, TagAdmin
from memberhook.console.running import FollowUpAdmin, WorkerAdmin
from memberhook.console.sites import SiteAdmin
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery, Worker
from memberhook.models.followups import FollowUp
from memberhook.models.members import RoleInfo
from memberhook.models.tags import Tag


def register(site: AdminSite) -> None:
    """Users and groups get their screens here only where Django's own would show them."""
    site.register(Delivery, DeliveryAdmin)
    site.register(Hook, HookAdmin)
    site.register(Connection, ConnectionAdmin)
    site.register(Site, SiteAdmin)
    site.register(RoleInfo, RoleAdmin)
    site.register(Tag, TagAdmin)
    site.register(FollowUp, FollowUpAdmin)
    site.register(Worker, WorkerAdmin)
    if get_user_model() is User and type(site._registry.get(User)) is DjangoUserAdmin:
        site.unregister(User)
        site.register(User, MemberAdmin)
    if type(site._registry.get(Group)) is DjangoGroupAdmin:
        site.unregister(Group)
        site.register(Group, GroupAdmin)
