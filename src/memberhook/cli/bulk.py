"""`replay`, `import`, `resync`: put work into the inbox, then watch it being done."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import click

from memberhook.cli.common import Since, as_json, hook_named, say, utc_now, with_database
from memberhook.cli.listings import STATUS, filtered
from memberhook.core.errors import UsageError
from memberhook.core.types import Action, Tag
from memberhook.crms.contract import ContactEvent, ContactRef
from memberhook.engine import health, inbox, wakeup
from memberhook.engine.clients import crm_client
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Hook, Link
from memberhook.models.deliveries import Delivery, Origin
from memberhook.models.hook_rows import find_tag
from memberhook.services.catalog import save_catalog


@click.command("replay")
@click.argument("ids", nargs=-1, type=int)
@click.option("--status", type=STATUS, help="All that ended like this, e.g. failed.")
@click.option("--since", type=Since(), help="Only those received since then: 2h, 3d, or a date.")
@as_json
@with_database
def replay_command(ids: tuple[int, ...], status: str | None, since: datetime | None, as_json: bool) -> None:
    """Put deliveries back in the inbox, as if they had just come. Doing so twice harms nobody."""
    if not ids and not status:
        raise UsageError("Say which: memberhook replay ID…, or --status failed.", code="nothing_chosen")
    found = filtered(Delivery.objects.all(), ids, status, since)
    chosen = list(found.order_by("pk").values_list("pk", flat=True))
    missing = sorted(set(ids) - set(chosen)) if not (status or since) else []
    if missing:
        raise UsageError(f"There is no delivery {', '.join(map(str, missing))}.", code="not_found")
    count = inbox.replay(chosen, utc_now())
    _watch(chosen, count, "Replayed", as_json)


@click.command("import")
@click.option("--hook", "name", required=True, help="The hook as which the contacts come in.")
@click.option("--tag", help="Only contacts with this tag: its id, slug or title.")
@click.option("--all", "everyone", is_flag=True, help="All contacts of the CRM.")
@as_json
@with_database
def import_command(name: str, tag: str | None, everyone: bool, as_json: bool) -> None:
    """Pull contacts from the CRM now, as if each had sent `add`."""
    hook = hook_named(name)
    if bool(tag) == everyone:
        raise UsageError("Say which contacts: --tag TAG, or --all.", code="nothing_chosen")
    wanted = _tag(hook, tag) if tag else None
    client = crm_client(hook.connection, system_runtime().http)
    ids: list[int] = []
    with _bar(None, "Reading contacts", as_json) as bar:
        for page in client.contacts(wanted):
            bar.length = page.total
            ids += _store(hook, Action.ADD, Origin.IMPORT, [contact.id for contact in page.contacts if contact.id])
            bar.update(len(page.contacts))
    _watch(ids, len(ids), "Imported", as_json)


def _tag(hook: Hook, text: str) -> Tag:
    """Raises `UsageError` for a tag that the connection does not have; its tags are loaded anew first."""
    save_catalog(hook.connection, crm_client(hook.connection, system_runtime().http).catalog(), utc_now())
    row = find_tag(text, hook.connection.tags.all())
    if row is None:
        raise UsageError(f"{hook.connection.name} has no tag {text!r}.", code="unknown_tag")
    return Tag(row.crm_id, row.slug, row.title)


@click.command("resync")
@click.option("--hook", "name", required=True, help="The hook whose members are brought up to date.")
@as_json
@with_database
def resync_command(name: str, as_json: bool) -> None:
    """Load every linked contact again, as if each had sent `update`."""
    hook = hook_named(name)
    links = Link.objects.filter(connection=hook.connection, site=hook.site).order_by("pk")
    contacts = list(links.values_list("contact_id", flat=True))
    ids = [
        pk
        for start in range(0, len(contacts), 500)
        for pk in _store(hook, Action.UPDATE, Origin.RESYNC, contacts[start : start + 500])
    ]
    _watch(ids, len(ids), "Resynced", as_json)


def _store(hook: Hook, action: Action, origin: Origin, contact_ids: Iterable[str]) -> list[int]:
    now = utc_now()
    events = [ContactEvent(ContactRef(contact_id)) for contact_id in contact_ids]
    deliveries = [inbox.new_delivery(hook, action, event, now, origin) for event in events]
    inbox.append(deliveries)
    wakeup.notify_workers([hook.pk])
    return [delivery.pk for delivery in deliveries]


def _watch(ids: list[int], count: int, word: str, as_json: bool) -> None:
    """Follows the deliveries until they have ended, or says how they go on without us."""
    wakeup.notify_workers(set(Delivery.objects.filter(pk__in=ids[:1]).values_list("hook_id", flat=True)))
    waiting = health.worker(utc_now()) is None
    if waiting:
        with _bar(count, word, as_json) as bar:
            for step in _progress(ids):
                bar.update(step)
    counts: dict[str, int] = {}
    for start in range(0, len(ids), 500):
        for delivery in Delivery.objects.filter(pk__in=ids[start : start + 500]):
            counts[delivery.status] = counts.get(delivery.status, 0) + 1
    summary = ", ".join(f"{number} {status}" for status, number in sorted(counts.items())) or "nothing to do"
    hint = "" if waiting else " No worker runs: they are applied when one does (memberhook serve)."
    say({"deliveries": ids, "count": count, "statuses": counts}, f"{word} {count}: {summary}.{hint}", as_json=as_json)


def _progress(ids: list[int]) -> Iterator[int]:
    """How many more have ended (or wait for another attempt), as it goes; ends when all have, or none does for long."""
    left, still_since = set(ids), time.monotonic()
    while left and time.monotonic() - still_since < 30:
        some = sorted(left)[:500]
        settled = Delivery.objects.filter(pk__in=some).exclude(finished_at=None, state__in=("pending", "working"))
        done = set(settled.values_list("pk", flat=True))
        left -= done
        if done:
            still_since = time.monotonic()
            yield len(done)
        else:
            time.sleep(0.1)


def _bar(length: int | None, label: str, as_json: bool) -> AbstractContextManager[Any]:
    return click.progressbar(length=length or 0, label=label, file=sys.stderr, hidden=as_json)
