"""`serve` and `worker`."""

from __future__ import annotations

import os
import sys

import click
from django.conf import settings

from memberhook import conf
from memberhook.cli.common import service_only, with_database


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@service_only
@with_database
def serve_command(host: str, port: int) -> None:
    """Run the web server and a worker; the first start creates what is missing.

    Put a reverse proxy with TLS in front and set MEMBERHOOK_PUBLIC_URL to its address. Stop it with Ctrl-C or SIGTERM;
    work in progress is finished first. If it is killed, nothing is lost: see docs/operate.md.
    """
    from memberhook.server.serve import save_address, serve

    conf.read_all()
    use_address(host, port)
    save_address(settings.DATA, host, port)
    serve(host, port, on_start=lambda: click.echo(f"Memberhook listens on {settings.MEMBERHOOK_PUBLIC_URL}", err=True))


def use_address(host: str, port: int) -> None:
    """Set the public address to the one listened on, unless it is set already; also for the worker that is started."""
    from memberhook.server.serve import local_address

    if "MEMBERHOOK_PUBLIC_URL" not in os.environ:
        settings.MEMBERHOOK_PUBLIC_URL = local_address(host, port)


@click.command("worker")
@click.option("--name", help="Name of this worker; no other may have it.  [default: worker@HOST:PID]")
@click.option("--stop-with-parent", is_flag=True, hidden=True)
@with_database
def worker_command(name: str | None, stop_with_parent: bool) -> None:
    """Run another worker, on this machine or a different one.

    On another machine it needs the same MEMBERHOOK_DATABASE_URL (PostgreSQL), MEMBERHOOK_QUEUE_URL and secret.key.
    """
    from memberhook.engine.runtime import system_runtime
    from memberhook.worker import Worker, own_name, stop_with

    conf.read_all()
    if stop_with_parent:
        stop_with(sys.stdin.fileno())
    Worker(name or own_name(), system_runtime()).run()
