"""Tags as rows, known by the CRM's id."""

from __future__ import annotations

from collections.abc import Iterable

from memberhook.local.models import Tag as TagRow
from memberhook.members.types import Tag


def save_tags(connection_id: int, tags: Iterable[Tag]) -> dict[str, TagRow]:
    """The rows of these tags by the CRM's id; missing ones are made, renamed ones renamed."""
    wanted = {tag.id: tag for tag in tags}
    rows = TagRow.objects.filter(connection_id=connection_id)
    known = {row.crm_id: row for row in rows.filter(crm_id__in=wanted)}
    differing = [
        TagRow(connection_id=connection_id, crm_id=tag.id, slug=tag.slug[:200], title=tag.title[:300])
        for tag in wanted.values()
        if tag.id not in known or (known[tag.id].slug, known[tag.id].title) != (tag.slug[:200], tag.title[:300])
    ]
    if differing:
        TagRow.objects.bulk_create(
            differing,
            update_conflicts=True,
            unique_fields=["connection", "crm_id"],
            update_fields=["slug", "title"],
        )
        known = {row.crm_id: row for row in rows.filter(crm_id__in=wanted)}
    return known
