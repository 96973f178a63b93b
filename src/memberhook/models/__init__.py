"""Every table. May import core."""

from memberhook.models.connections import AccessKey, Connection, Hook, Link, Overflow, Site
from memberhook.models.deliveries import Attempt, Delivery, Worker
from memberhook.models.followups import FollowUp
from memberhook.models.hook_rows import MappedField, TagRule
from memberhook.models.members import MemberField, MemberTag, RoleInfo
from memberhook.models.tags import Tag

__all__ = [
    "AccessKey",
    "Attempt",
    "Connection",
    "Delivery",
    "FollowUp",
    "Hook",
    "Link",
    "MappedField",
    "MemberField",
    "MemberTag",
    "Overflow",
    "RoleInfo",
    "Site",
    "Tag",
    "TagRule",
    "Worker",
]
