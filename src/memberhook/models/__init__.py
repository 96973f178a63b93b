"""Every table. May import core."""

from memberhook.models.connections import AccessKey, Connection, Hook, Kept, Link, Site
from memberhook.models.deliveries import Attempt, Delivery, Worker
from memberhook.models.followups import FollowUp
from memberhook.models.members import MemberField, MemberTag, RoleInfo
from memberhook.models.tags import Tag

__all__ = [
    "AccessKey",
    "Attempt",
    "Connection",
    "Delivery",
    "FollowUp",
    "Hook",
    "Kept",
    "Link",
    "MemberField",
    "MemberTag",
    "RoleInfo",
    "Site",
    "Tag",
    "Worker",
]
