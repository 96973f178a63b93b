"""A keeper in memory, and plans in few words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from memberhook.core.types import Changes, Contact, Member, Plan, Tag
from memberhook.sites.contract import Overflow

GOLD, SILVER = Tag("1", "gold", "Gold"), Tag("2", "silver", "Silver")


@dataclass
class MemoryOverflowStore:
    kept: dict[str, Overflow] = field(default_factory=dict)
    writes: int = 0

    def read(self, member_ids: Collection[str]) -> Mapping[str, Overflow]:
        return {pk: self.kept[pk] for pk in member_ids if pk in self.kept}

    def write(self, kept: Mapping[str, Overflow]) -> None:
        self.writes += 1
        self.kept.update(kept)

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        names = {tag.id: tag for tag in tags}
        self.kept = {
            pk: Overflow(tuple(names.get(tag.id, tag) for tag in kept.tags), kept.fields)
            for pk, kept in self.kept.items()
        }

    def slugs(self, member_ids: Collection[str]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        return {pk: {"shop": tuple(tag.slug for tag in kept.tags)} for pk, kept in self.read(member_ids).items()}


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
