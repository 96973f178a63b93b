"""`{% load memberhook %}`: `{% if user|has_tag:"gold" %}` and `{% if user|has_role:"editor" %}`."""

from __future__ import annotations

from typing import Any

from django import template

from memberhook.members_area import access

register = template.Library()


@register.filter
def has_tag(user: Any, tag: str | int) -> bool:
    return access.has_tag(user, tag)


@register.filter
def has_role(user: Any, role: str) -> bool:
    return access.has_role(user, role)
