"""Imports the models of the folders so that Django finds them."""

from memberhook.connections.models import AccessKey, Connection, Hook, Link, Site
from memberhook.followups.models import FollowUp
from memberhook.inbox.models import Attempt, Delivery, Worker
from memberhook.local.models import MemberField, MemberTag, RoleInfo, Tag

__all__ = [
    "AccessKey",
    "Attempt",
    "Connection",
    "Delivery",
    "FollowUp",
    "Hook",
    "Link",
    "MemberField",
    "MemberTag",
    "RoleInfo",
    "Site",
    "Tag",
    "Worker",
]
