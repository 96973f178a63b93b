"""The `OverflowStore` of sites that cannot store tags and fields themselves, as rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from memberhook.core.types import Tag, value_from_json
from memberhook.models.connections import Overflow as OverflowRow
from memberhook.models.tags import Tag as TagRow
from memberhook.models.tags import upsert_tags
from memberhook.sites.contract import Overflow


@dataclass(frozen=True, slots=True)
class RowOverflowStore:
    """Of one site, for one connection or (`connection_id` is None) for all together."""

    site_id: int
    connection_id: int | None

    def read(self, member_ids: Collection[str]) -> dict[str, Overflow]:
        rows = self._rows(member_ids)
        tags_of = _current_tags(rows)
        found: dict[str, Overflow] = {}
        for row in rows:
            before = found.get(row.member_id, Overflow())
            tags = (*before.tags, *tags_of[row.pk])
            found[row.member_id] = Overflow(
                tags, {**before.fields, **{k: value_from_json(v) for k, v in row.fields.items()}}
            )
        return found

    def slugs(self, member_ids: Collection[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        rows = RowOverflowStore(self.site_id, None)._rows(member_ids)
        tags_of = _current_tags(rows)
        found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for row in rows:
            if tags_of[row.pk]:
                found[row.member_id][row.connection.name] = tuple(sorted(tag.slug for tag in tags_of[row.pk]))
        return dict(found)

    def upsert_tags(self, tags: Collection[Tag]) -> None:
        if self.connection_id is not None:
            upsert_tags(self.connection_id, tags)

    def _rows(self, member_ids: Collection[str]) -> list[OverflowRow]:
        rows = OverflowRow.objects.filter(site_id=self.site_id, member_id__in=list(member_ids)).order_by("pk")
        if self.connection_id is not None:
            rows = rows.filter(connection_id=self.connection_id)
        return list(rows.select_related("connection"))

    def write(self, overflow: Mapping[str, Overflow]) -> None:
        if self.connection_id is None:
            raise ValueError("Overflow is written for a connection.")
        OverflowRow.objects.bulk_create(
            [
                OverflowRow(
                    site_id=self.site_id,
                    connection_id=self.connection_id,
                    member_id=member_id,
                    tags=[asdict(tag) for tag in entry.tags],
                    fields=dict(entry.fields),
                )
                for member_id, entry in overflow.items()
            ],
            update_conflicts=True,
            unique_fields=["site", "connection", "member_id"],
            update_fields=["tags", "fields"],
        )


def _current_tags(rows: Sequence[OverflowRow]) -> dict[int, tuple[Tag, ...]]:
    """The tags of each row, by its id, with the names that they have now."""
    known = {
        (tag.connection_id, tag.crm_id): Tag(tag.crm_id, tag.slug, tag.title)
        for tag in TagRow.objects.filter(connection_id__in={row.connection_id for row in rows})
    }
    return {row.pk: tuple(known.get((row.connection_id, tag["id"])) or Tag(**tag) for tag in row.tags) for row in rows}
