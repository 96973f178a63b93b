"""List, replay, import and resync deliveries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from memberhook.core.errors import UsageError
from memberhook.core.states import FINISHED, State
from memberhook.core.types import Action, Tag
from memberhook.crms.contract import ContactEvent, ContactPage, ContactRef
from memberhook.engine import inbox, wakeup
from memberhook.engine.clients import crm_client
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Hook, Link
from memberhook.models.deliveries import Delivery, Origin, with_status
from memberhook.models.hook_rows import find_tag, unknown_tag
from memberhook.services.catalog import save_catalog

AT_ONCE = 500


def filtered(ids: Collection[int] = (), status: str | None = None, since: datetime | None = None) -> QuerySet[Delivery]:
    deliveries = Delivery.objects.filter(pk__in=ids) if ids else Delivery.objects.all()
    if since:
        deliveries = deliveries.filter(received_at__gte=since)
    return with_status(deliveries, status) if status else deliveries


def to_replay(ids: Collection[int], status: str | None, since: datetime | None) -> QuerySet[Delivery]:
    """Raises `UsageError` when none are named, and for ids that do not exist."""
    if not ids and not status:
        raise UsageError("Say which: memberhook replay ID…, or --status failed.", code="nothing_chosen")
    found = filtered(ids, status, since)
    if ids and not (status or since) and (missing := sorted(set(ids) - set(found.values_list("pk", flat=True)))):
        raise UsageError(f"There is no delivery {', '.join(map(str, missing))}.", code="not_found")
    return found


def replay(deliveries: QuerySet[Delivery], now: datetime) -> int:
    """Put those of the deliveries that have ended back in the inbox; returns how many."""
    chosen = iter(list(deliveries.filter(state__in=FINISHED).order_by("pk").values_list("pk", "hook_id")))
    count, hooks = 0, set[int]()
    while part := list(islice(chosen, AT_ONCE)):
        count += inbox.replay([pk for pk, _ in part], now)
        hooks.update(hook for _, hook in part)
    wakeup.notify_workers(hooks)
    return count


@dataclass(frozen=True, slots=True)
class ImportedPage:
    """`total`: how many contacts there are in all."""

    ids: list[int]
    contacts: int
    total: int


def import_contacts(hook: Hook, tag: str | None, runtime: Runtime) -> Iterator[ImportedPage]:
    """Store an `add` for each contact of the CRM, or for each with that tag, page by page.

    Raises `UsageError` for an unknown tag; the connection's tags and fields are loaded again first.
    """
    client = crm_client(hook.connection, runtime.http)
    crm_tag = None
    if tag is not None:
        save_catalog(hook.connection, client.catalog(), runtime.now())
        row = find_tag(tag, hook.connection.tags.all())
        if row is None:
            raise UsageError(unknown_tag(tag, hook.connection), code="unknown_tag")
        crm_tag = Tag(row.crm_id, row.slug, row.title)
    return _imported(hook, client.contacts(crm_tag), runtime)


def _imported(hook: Hook, pages: Iterable[ContactPage], runtime: Runtime) -> Iterator[ImportedPage]:
    for page in pages:
        known = [contact.id for contact in page.contacts if contact.id]
        yield ImportedPage(
            _store(hook, Action.ADD, Origin.IMPORT, known, runtime.now()), len(page.contacts), page.total
        )


def resync(hook: Hook, now: datetime) -> list[int]:
    """Store an `update` for each linked contact; returns the ids of the deliveries."""
    links = Link.objects.filter(connection=hook.connection, site=hook.site).order_by("pk")
    contacts = iter(list(links.values_list("contact_id", flat=True)))
    ids: list[int] = []
    while part := list(islice(contacts, AT_ONCE)):
        ids += _store(hook, Action.UPDATE, Origin.RESYNC, part, now)
    return ids


def _store(hook: Hook, action: Action, origin: Origin, contact_ids: Iterable[str], now: datetime) -> list[int]:
    events = [ContactEvent(ContactRef(contact_id)) for contact_id in contact_ids]
    deliveries = [inbox.new_delivery(hook, action, event, now, origin) for event in events]
    inbox.append(deliveries)
    wakeup.notify_workers([hook.pk])
    return [delivery.pk for delivery in deliveries]


def settled(ids: Collection[int]) -> set[int]:
    """Those of at most 500 deliveries that have ended, or wait for another attempt."""
    busy = {"finished_at": None, "state__in": (State.PENDING, State.WORKING)}
    return set(Delivery.objects.filter(pk__in=ids).exclude(**busy).values_list("pk", flat=True))


def status_counts(ids: list[int]) -> dict[str, int]:
    """How many of the deliveries have each status."""
    counts: dict[str, int] = {}
    for start in range(0, len(ids), AT_ONCE):
        for delivery in Delivery.objects.filter(pk__in=ids[start : start + AT_ONCE]).only("state", "attempts"):
            counts[delivery.status] = counts.get(delivery.status, 0) + 1
    return counts


def as_data(delivery: Delivery) -> dict[str, Any]:
    """One delivery as `deliveries --json` prints it."""
    return {
        "id": delivery.pk,
        "hook": delivery.hook.name,
        "action": delivery.action,
        "status": delivery.status,
        "message": delivery.message,
        "contact": delivery.contact_id or delivery.email,
        "member": delivery.outcome.get("member"),
        "attempts": delivery.attempts,
        "received_at": _iso(delivery.received_at),
        "finished_at": _iso(delivery.finished_at),
        "warnings": delivery.outcome.get("warnings", []),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
