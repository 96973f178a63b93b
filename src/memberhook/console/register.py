"""Which screens there are. `admin.py` calls this; nothing is registered by importing the screens."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User

from memberhook.models.connections import Connection, Hook, Site
from memberhook.console.connections import ConnectionScreen
from memberhook.console.deliveries import DeliveryScreen
from memberhook.console.hooks import HookScreen
from memberhook.console.members import GroupScreen, MemberScreen
from memberhook.console.roles import RoleScreen, TagScreen
from memberhook.console.running import FollowUpScreen, WorkerScreen
from memberhook.console.sites import SiteScreen
from memberhook.models.followups import FollowUp
from memberhook.models.deliveries import Delivery, Worker
from memberhook.models.members import RoleInfo
from memberhook.models.tags import Tag


def register(site: AdminSite) -> None:
    """Users and groups get their screens here only where Django's own would show them."""
    site.register(Delivery, DeliveryScreen)
    site.register(Hook, HookScreen)
    site.register(Connection, ConnectionScreen)
    site.register(Site, SiteScreen)
    site.register(RoleInfo, RoleScreen)
    site.register(Tag, TagScreen)
    site.register(FollowUp, FollowUpScreen)
    site.register(Worker, WorkerScreen)
    if get_user_model() is User and type(site._registry.get(User)) is DjangoUserAdmin:
        site.unregister(User)
        site.register(User, MemberScreen)
    if type(site._registry.get(Group)) is DjangoGroupAdmin:
        site.unregister(Group)
        site.register(Group, GroupScreen)
