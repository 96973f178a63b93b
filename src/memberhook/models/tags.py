"""The tags of each connection, known by the CRM's id."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models

from memberhook.core.types import Tag as CrmTag
from memberhook.models.connections import Connection


class Tag(models.Model):
    """A tag of a connection, known by the CRM's id: renaming it there keeps its members."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="tags")
    crm_id = models.CharField(max_length=100)
    slug = models.CharField(max_length=200, db_index=True)
    title = models.CharField(max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "crm_id"], name="tag_known_by_crm_id")]

    def __str__(self) -> str:
        return self.title


def upsert_tags(connection_id: int, tags: Iterable[CrmTag]) -> dict[str, Tag]:
    """The rows of these tags by the CRM's id; missing ones are made, renamed ones renamed."""
    tags_by_id = {tag.id: tag for tag in tags}
    rows = Tag.objects.filter(connection_id=connection_id)
    known = {row.crm_id: row for row in rows.filter(crm_id__in=tags_by_id)}
    differing = [
        Tag(connection_id=connection_id, crm_id=tag.id, slug=tag.slug[:200], title=tag.title[:300])
        for tag in tags_by_id.values()
        if tag.id not in known or (known[tag.id].slug, known[tag.id].title) != (tag.slug[:200], tag.title[:300])
    ]
    if differing:
        Tag.objects.bulk_create(
            differing,
            update_conflicts=True,
            unique_fields=["connection", "crm_id"],
            update_fields=["slug", "title"],
        )
        known = {row.crm_id: row for row in rows.filter(crm_id__in=tags_by_id)}
    return known
