"""What is kept of members for sites that cannot: rows behind `sites.base.Keeper`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from memberhook.connections.models import Kept as KeptRow
from memberhook.members.types import Tag, Value
from memberhook.sites.base import Kept


@dataclass(frozen=True, slots=True)
class RowKeeper:
    """Of one site, as seen from one connection; without one (`connection_id` is None) from all together."""

    site_id: int
    connection_id: int | None

    def read(self, member_ids: Collection[str]) -> dict[str, Kept]:
        rows = KeptRow.objects.filter(site_id=self.site_id, member_id__in=list(member_ids)).order_by("pk")
        if self.connection_id is not None:
            rows = rows.filter(connection_id=self.connection_id)
        kept: dict[str, Kept] = {}
        for row in rows:
            before = kept.get(row.member_id, Kept())
            tags = (*before.tags, *(Tag(**tag) for tag in row.tags))
            kept[row.member_id] = Kept(tags, {**before.fields, **{k: _value(v) for k, v in row.fields.items()}})
        return kept

    def write(self, kept: Mapping[str, Kept]) -> None:
        if self.connection_id is None:
            raise ValueError("What is kept belongs to a connection.")
        KeptRow.objects.bulk_create(
            [
                KeptRow(
                    site_id=self.site_id,
                    connection_id=self.connection_id,
                    member_id=member_id,
                    tags=[asdict(tag) for tag in entry.tags],
                    fields=dict(entry.fields),
                )
                for member_id, entry in kept.items()
            ],
            update_conflicts=True,
            unique_fields=["site", "connection", "member_id"],
            update_fields=["tags", "fields"],
        )


def _value(value: Value | list[str]) -> Value:
    return tuple(value) if isinstance(value, list) else value
