"""The tags and fields of a connection's CRM, as last loaded."""

from __future__ import annotations

from datetime import datetime

from memberhook.core.types import FieldType
from memberhook.crms.contract import Catalog, CrmField
from memberhook.models.connections import Connection
from memberhook.models.tags import upsert_tags


def save_catalog(connection: Connection, catalog: Catalog, now: datetime) -> None:
    """Store what the CRM has: fields on the connection, tags as rows."""
    connection.fields = [
        {"name": f.name, "title": f.title, "type": f.type.value, "options": list(f.options)} for f in catalog.fields
    ]
    connection.catalog_at = now
    connection.save(update_fields=["fields", "catalog_at"])
    upsert_tags(connection.pk, catalog.tags)


def known_fields(connection: Connection) -> dict[str, CrmField]:
    """The connection's fields by name, as last loaded."""
    return {
        f["name"]: CrmField(f["name"], f["title"], FieldType(f["type"]), tuple(f["options"])) for f in connection.fields
    }
