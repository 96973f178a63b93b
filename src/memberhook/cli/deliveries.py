"""`deliveries` and `replay`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from memberhook.cli.common import Since, as_json, iso, show, utc_now, with_database
from memberhook.cli.progress import watch
from memberhook.core.errors import UsageError
from memberhook.core.states import STATUSES
from memberhook.models.deliveries import Delivery
from memberhook.services import deliveries

STATUS = click.Choice(STATUSES)


@click.command("deliveries")
@click.argument("ids", nargs=-1, type=int)
@click.option("--status", type=STATUS, help="Only those with this status.")
@click.option("--since", type=Since(), help="Only those received in this time, like 2h or 3d, or since this date.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1), help="Show only the newest; not with --json."
)
@as_json
@with_database
def deliveries_command(
    ids: tuple[int, ...], status: str | None, since: datetime | None, limit: int, as_json: bool
) -> None:
    """List deliveries and their outcomes, oldest first. With one ID, show everything about that delivery."""
    found = deliveries.filtered(ids, status, since).select_related("hook").order_by("-pk")
    rows = [deliveries.as_data(delivery) for delivery in reversed(found if as_json or ids else found[:limit])]
    if ids and not rows and not as_json:
        raise UsageError(f"There is no delivery {', '.join(map(str, ids))}.", code="not_found")
    if len(ids) == 1 and rows and not as_json:
        _report(found[0], rows[0])
        return
    show(rows, ("id", "received_at", "hook", "action", "status", "contact", "attempts", "message"), as_json=as_json)


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


@click.command("replay")
@click.argument("ids", nargs=-1, type=int)
@click.option("--status", type=STATUS, help="All with this status, like failed.")
@click.option("--since", type=Since(), help="Only those received in this time, like 2h or 3d, or since this date.")
@as_json
@with_database
def replay_command(ids: tuple[int, ...], status: str | None, since: datetime | None, as_json: bool) -> None:
    """Put deliveries back in the inbox, as if they had just come in. It is safe to do so twice."""
    found = deliveries.to_replay(ids, status, since)
    chosen = list(found.order_by("pk").values_list("pk", flat=True))
    watch(chosen, deliveries.replay(found, utc_now()), "Replayed", as_json=as_json)
