"""`doctor`."""

from __future__ import annotations

import click

from memberhook.cli.common import as_json, show, with_database
from memberhook.engine.runtime import system_runtime
from memberhook.services import doctor

_BADGES = {True: click.style("ok  ", fg="green"), False: click.style("FAIL", fg="red")}


@click.command("doctor")
@as_json
@with_database
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool) -> None:
    """Check everything that could be wrong: public address, keys, credentials and rights in CRMs and sites, mail,
    queue, clock, disk. Exit status 1 if a check fails."""
    results = list(doctor.run(system_runtime()))
    if as_json:
        show([{"check": r.name, "ok": r.ok, "message": r.message} for r in results], (), as_json=True)
    else:
        for result in results:
            click.echo(f"{_BADGES[result.ok]}  {result.name}: {result.message}")
    failed = sum(not result.ok for result in results)
    if failed:
        click.echo(f"memberhook: {failed} of {len(results)} checks failed.", err=True)
        ctx.exit(1)
