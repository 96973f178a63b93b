"""What members have besides their user: roles, fields and tags, read and written for many members at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from memberhook.core.types import Changes, Value, value_from_json
from memberhook.models.members import MemberField, MemberTag
from memberhook.models.tags import Tag as TagRow
from memberhook.sites.local.group_roles import GroupRole, group_roles, memberships, roles_of


@dataclass(slots=True)
class Profile:
    roles: frozenset[str]
    fields: dict[str, Value] = field(default_factory=dict)
    tags: list[TagRow] = field(default_factory=list)


def read_profiles(user_ids: Collection[Any], roles: Collection[GroupRole]) -> dict[Any, Profile]:
    """The profile of each user, with the tags of all connections."""
    profiles = {user_id: Profile(slugs) for user_id, slugs in roles_of(user_ids, roles).items()}
    for row in MemberField.objects.filter(member__in=user_ids).order_by("key"):
        profiles[row.member_id].fields[row.key] = value_from_json(row.value)
    rows = MemberTag.objects.filter(member__in=user_ids).select_related("tag__connection").order_by("tag__slug")
    for tagging in rows:
        profiles[tagging.member_id].tags.append(tagging.tag)
    return profiles


class ProfileWriter:
    """`tag_rows`: by the CRM's id, every tag that the changes name. `columns`: the fields that the user itself stores.

    With `bulk`, `flush` writes all new members together; else each is written at once.
    """

    def __init__(self, tag_rows: Mapping[str, TagRow], columns: Collection[str], *, bulk: bool) -> None:
        self._tag_rows = tag_rows
        self._columns = columns
        self._bulk = bulk
        self._roles = group_roles()
        self._groups = {entry.role.slug: entry.group_id for entry in self._roles}
        self._new: list[tuple[Any, Changes]] = []

    def write_new(self, user: Any, changes: Changes) -> None:
        """For a user that has just been created."""
        self._new.append((user, changes))
        if not self._bulk:
            self.flush()

    def write(self, user: Any, changes: Changes) -> None:
        """For an existing user."""
        if changes.role is not None:
            user.groups.set([self._groups[changes.role]])
        if changes.roles_added:
            user.groups.add(*(self._groups[slug] for slug in changes.roles_added))
        if changes.roles_removed:  # every group with that slug: two may share one
            user.groups.remove(*(entry.group_id for entry in self._roles if entry.role.slug in changes.roles_removed))
        cleared = [key for key, value in changes.fields.items() if value is None]
        if cleared:
            MemberField.objects.filter(member=user, key__in=cleared).delete()
        if changes.tags_removed:
            removed = [self._tag_rows[tag.id] for tag in changes.tags_removed]
            MemberTag.objects.filter(member=user, tag__in=removed).delete()
        self._insert([(user, changes)])

    def flush(self) -> None:
        through, user_column = memberships()
        through.objects.bulk_create(
            [
                through(**{user_column: user.pk, "group_id": self._groups[slug]})
                for user, changes in self._new
                for slug in (changes.role, *changes.roles_added)
                if slug is not None
            ]
        )
        self._insert(self._new)
        self._new = []

    def _insert(self, pairs: Sequence[tuple[Any, Changes]]) -> None:
        """Insert or update fields, and insert tags."""
        MemberField.objects.bulk_create(
            [
                MemberField(member=user, key=key, value=value)
                for user, changes in pairs
                for key, value in changes.fields.items()
                if key not in self._columns and value is not None
            ],
            update_conflicts=True,
            unique_fields=["member", "key"],
            update_fields=["value"],
        )
        MemberTag.objects.bulk_create(
            [
                MemberTag(member=user, tag=self._tag_rows[tag.id])
                for user, changes in pairs
                for tag in changes.tags_applied
            ],
            ignore_conflicts=True,
        )
