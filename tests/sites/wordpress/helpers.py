"""An overflow store in memory, and short ways to make plans."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from memberhook.core.types import Changes, Contact, Member, Plan, Tag
from memberhook.sites.contract import Overflow

GOLD, SILVER = Tag("1", "gold", "Gold"), Tag("2", "silver", "Silver")


@dataclass
class MemoryOverflowStore:
    stored: dict[str, Overflow] = field(default_factory=dict)
    writes: int = 0

    def read(self, member_ids: Collection[str]) -> Mapping[str, Overflow]:
        return {pk: self.stored[pk] for pk in member_ids if pk in self.stored}

    def write(self, overflow: Mapping[str, Overflow]) -> None:
        self.writes += 1
        self.stored.update(overflow)

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        names = {tag.id: tag for tag in tags}
        self.stored = {
            pk: Overflow(tuple(names.get(tag.id, tag) for tag in overflow.tags), overflow.fields)
            for pk, overflow in self.stored.items()
        }

    def slugs(self, member_ids: Collection[str]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        return {
            pk: {"shop": tuple(tag.slug for tag in overflow.tags)} for pk, overflow in self.read(member_ids).items()
        }


def creation(
    username: str, email: str = "", *, role: str = "subscriber", welcome: bool = False, **changes: Any
) -> Plan:
    """A new member with a generated password."""
    changes = {"password": "a-generated-password-of-many-bits", **changes}
    return Plan(
        Contact("7", email or f"{username}@member.example"),
        username=username,
        changes=Changes(email=email or f"{username}@member.example", role=role, **changes),
        generate_password="password" in changes and changes["password"].startswith("a-generated"),
        welcome=welcome,
    )


def change(member: Member, **changes: Any) -> Plan:
    return Plan(Contact("7", member.email), member, changes=Changes(**changes))
