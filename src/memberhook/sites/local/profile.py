"""What a member has beside the user: roles, fields, tags. New members' rows are gathered and written at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from memberhook.core.types import Changes
from memberhook.models.members import MemberField, MemberTag
from memberhook.models.tags import Tag as TagRow
from memberhook.sites.local.group_roles import group_roles, memberships


class RestWriter:
    """`tag_rows`: by the CRM's id, all that the changes name. `columns`: fields that the user itself holds.

    `together`: `write_new` gathers, `flush` writes; else each is written at once.
    """

    def __init__(self, tag_rows: Mapping[str, TagRow], columns: Collection[str], *, together: bool) -> None:
        self._tag_rows = tag_rows
        self._columns = columns
        self._together = together
        self._roles = group_roles()
        self._groups = {entry.role.slug: entry.group_id for entry in self._roles}
        self._gathered: list[tuple[Any, Changes]] = []

    def write_new(self, user: Any, changes: Changes) -> None:
        """For a user that was created just now."""
        self._gathered.append((user, changes))
        if not self._together:
            self.flush()

    def write(self, user: Any, changes: Changes) -> None:
        """For a user that has been there."""
        if changes.role is not None:
            user.groups.set([self._groups[changes.role]])
        if changes.roles_added:
            user.groups.add(*(self._groups[slug] for slug in changes.roles_added))
        if changes.roles_removed:  # all groups by that name: two may have one slug
            user.groups.remove(*(entry.group_id for entry in self._roles if entry.role.slug in changes.roles_removed))
        cleared = [key for key, value in changes.fields.items() if value is None]
        if cleared:
            MemberField.objects.filter(member=user, key__in=cleared).delete()
        if changes.tags_removed:
            MemberTag.objects.filter(
                member=user, tag__in=[self._tag_rows[tag.id] for tag in changes.tags_removed]
            ).delete()
        self._insert([(user, changes)])

    def flush(self) -> None:
        through, user_column = memberships()
        through.objects.bulk_create(
            [
                through(**{user_column: user.pk, "group_id": self._groups[slug]})
                for user, changes in self._gathered
                for slug in (changes.role, *changes.roles_added)
                if slug is not None
            ]
        )
        self._insert(self._gathered)
        self._gathered = []

    def _insert(self, pairs: Sequence[tuple[Any, Changes]]) -> None:
        """Fields (or their new values) and tags."""
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
