"""`members` and `deliveries`: what there is and what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
from django.db.models import QuerySet

from memberhook.cli.common import Since, as_json, iso, show, site_named, with_database
from memberhook.core.states import STATUSES
from memberhook.engine.runtime import system_runtime
from memberhook.models.deliveries import Delivery, with_status
from memberhook.services.members import members

STATUS = click.Choice(STATUSES)


@click.command("members")
@click.argument("emails", nargs=-1)
@click.option("--site", default="local", show_default=True)
@as_json
@with_database
def members_command(emails: tuple[str, ...], site: str, as_json: bool) -> None:
    """The members of a site, or those with these e-mail addresses."""
    rows = list(members(emails, site_named(site), system_runtime().http))
    show(rows, ("id", "login", "email", "display_name", "roles", "tags"), as_json=as_json)


@click.command("deliveries")
@click.argument("ids", nargs=-1, type=int)
@click.option("--status", type=STATUS, help="Only those that stand like this.")
@click.option("--since", type=Since(), help="Only those received since then: 2h, 3d, or a date.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1), help="The newest so many; not with --json."
)
@as_json
@with_database
def deliveries_command(
    ids: tuple[int, ...], status: str | None, since: datetime | None, limit: int, as_json: bool
) -> None:
    """What came in and what became of it, oldest first. With one ID: everything about it."""
    found = filtered(Delivery.objects.all(), ids, status, since).select_related("hook").order_by("-pk")
    rows = [delivery_data(delivery) for delivery in reversed(found if as_json or ids else found[:limit])]
    if len(ids) == 1 and rows and not as_json:
        _report(found[0], rows[0])
        return
    show(rows, ("id", "received_at", "hook", "action", "status", "contact", "attempts", "message"), as_json=as_json)


def filtered(
    deliveries: QuerySet[Delivery], ids: tuple[int, ...], status: str | None, since: datetime | None
) -> QuerySet[Delivery]:
    if ids:
        deliveries = deliveries.filter(pk__in=ids)
    if since:
        deliveries = deliveries.filter(received_at__gte=since)
    return with_status(deliveries, status) if status else deliveries


def delivery_data(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.pk,
        "hook": delivery.hook.name,
        "action": delivery.action,
        "status": delivery.status,
        "message": delivery.message,
        "contact": delivery.contact_id or delivery.email,
        "member": delivery.outcome.get("member"),
        "attempts": delivery.attempts,
        "received_at": iso(delivery.received_at),
        "finished_at": iso(delivery.finished_at),
        "warnings": delivery.outcome.get("warnings", []),
    }


def _report(delivery: Delivery, data: dict[str, Any]) -> None:
    for name, value in data.items():
        if value not in (None, "", []):
            click.echo(f"{name + ':':<13}{value}")
    for line in (delivery.outcome.get("trail") or {}).get("plan", []):
        click.echo(f"{'plan:':<13}{line}")
    for attempt in delivery.tries.all():
        click.echo(f"{'attempt:':<13}{attempt.number} {iso(attempt.started_at)} {attempt.result}: {attempt.message}")
    for followup in delivery.followups.order_by("pk"):
        what = f"{followup.get_kind_display()}: {followup.progress.value}. {followup.message}"
        click.echo(f"{'follow-up:':<13}{what}".rstrip())
