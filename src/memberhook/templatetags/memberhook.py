"""`{% load memberhook %}`: filters has_tag and has_role (`{% if user|has_tag:"gold" %}`), and the tag public_url."""

from __future__ import annotations

from typing import Any

from django import template

from memberhook import addresses
from memberhook.members_area import access

register = template.Library()


@register.filter
def has_tag(user: Any, tag: str | int) -> bool:
    return access.has_tag(user, tag)


@register.simple_tag
def public_url(view: str, **arguments: Any) -> str:
    """The address of a named view as the world sees it, for e-mails: it begins with MEMBERHOOK_PUBLIC_URL."""
    return addresses.address_of(view, **arguments)


@register.filter
def has_role(user: Any, role: str) -> bool:
    return access.has_role(user, role)
