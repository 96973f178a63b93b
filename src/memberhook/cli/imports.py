"""`import` and `resync`."""

from __future__ import annotations

import click

from memberhook.cli.common import as_json, hook_named, utc_now, with_database
from memberhook.cli.progress import bar, watch
from memberhook.core.errors import UsageError
from memberhook.engine.runtime import system_runtime
from memberhook.services import deliveries


@click.command("import")
@click.option("--hook", "name", required=True, help="The hook to import the contacts through.")
@click.option("--tag", help="Only contacts with this tag, given by id, slug or title.")
@click.option("--all", "everyone", is_flag=True, help="All contacts of the CRM.")
@as_json
@with_database
def import_command(name: str, tag: str | None, everyone: bool, as_json: bool) -> None:
    """Import contacts from the CRM now, as if each had sent `add`."""
    hook = hook_named(name)
    if bool(tag) == everyone:
        raise UsageError("Say which contacts: --tag TAG, or --all.", code="nothing_chosen")
    ids: list[int] = []
    pages = deliveries.import_contacts(hook, tag, system_runtime())
    with bar(None, "Reading contacts", as_json=as_json) as shown:
        for page in pages:
            shown.length = page.total
            ids += page.ids
            shown.update(page.contacts)
    watch(ids, len(ids), "Imported", as_json=as_json)


@click.command("resync")
@click.option("--hook", "name", required=True, help="The hook whose members to update.")
@as_json
@with_database
def resync_command(name: str, as_json: bool) -> None:
    """Load every linked contact again, as if each had sent `update`."""
    ids = deliveries.resync(hook_named(name), utc_now())
    watch(ids, len(ids), "Resynced", as_json=as_json)
