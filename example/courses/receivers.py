"""What the club does when the CRM gives a member a tag, or takes it away. Both may come twice and mind it not."""

from __future__ import annotations

from typing import Any

from memberhook.core.types import Tag

from accounts.models import Person
from courses.models import Course


def enrol(member: Person, tags: list[Tag], **_: Any) -> None:
    member.courses.add(*Course.objects.filter(tag__in=[tag.slug for tag in tags]))


def leave(member: Person, tags: list[Tag], **_: Any) -> None:
    member.courses.remove(*Course.objects.filter(tag__in=[tag.slug for tag in tags]))
