"""`doctor`."""

from __future__ import annotations

import click

from memberhook.cli.common import as_json, show, with_database
from memberhook.core.check_result import CheckResult
from memberhook.engine.runtime import system_runtime
from memberhook.services import doctor


@click.command("doctor")
@as_json
@with_database
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool) -> None:
    """Check everything that could be wrong: public address, keys, credentials and rights in CRMs and sites, mail,
    queue, clock, disk. Exit status 1 if a check fails."""
    results = list(doctor.run(system_runtime()))
    if as_json:
        show([{"check": r.name, "ok": not r.is_failure, "message": r.message} for r in results], (), as_json=True)
    else:
        for result in results:
            click.echo(f"{_badge(result)}  {result.name}: {result.message}")
    failed = sum(result.is_failure for result in results)
    if failed:
        click.echo(f"memberhook: {failed} of {len(results)} checks failed.", err=True)
        ctx.exit(1)


def _badge(result: CheckResult) -> str:
    if result.ok:
        return click.style("ok  ", fg="green")
    return click.style("FAIL", fg="red") if result.needed else click.style("note", fg="yellow")
