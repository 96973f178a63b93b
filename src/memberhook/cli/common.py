"""What several commands share: an up-to-date database, output, lookups by name, parameter types."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

import click
from django.apps import apps
from django.conf import settings

from memberhook import conf
from memberhook.core.errors import UsageError
from memberhook.models.connections import Connection, Hook, Site

P = ParamSpec("P")
R = TypeVar("R")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def with_database(command: Callable[P, R]) -> Callable[P, R]:
    """Migrate the database before the command runs. A host project migrates its own."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if settings.SETTINGS_MODULE == "memberhook.server.settings":
            from memberhook.server.database import migrate_if_needed

            migrate_if_needed()
        return command(*args, **kwargs)

    return run


def service_only(command: Callable[P, R]) -> Callable[P, R]:
    """For commands that a host project does not have: it has a web server of its own."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if not apps.is_installed("memberhook.server"):
            raise UsageError(
                "This command runs the service. In a Django project of your own, the project's web server takes the "
                "webhooks; start a worker beside it: python manage.py memberhook worker",
                code="no_service",
            )
        return command(*args, **kwargs)

    return run


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print rows as JSON, or these columns of them as a table."""
    if as_json:
        click.echo(json.dumps(list(rows), ensure_ascii=False, indent=2))
        return
    cells = [list(columns)] + [[_cell(row[name]) for name in columns] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    for row in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(str, value))
    return "-" if value in (None, "") else " ".join(str(value).split())


def say(data: Mapping[str, Any], sentence: str, *, as_json: bool) -> None:
    """Print one result: data for programs, a sentence for people."""
    click.echo(json.dumps(dict(data), ensure_ascii=False, indent=2) if as_json else sentence)


def connection_named(name: str) -> Connection:
    return _named(Connection, name, "connection", "memberhook connect")


def site_named(name: str) -> Site:
    return _named(Site, name, "site", "memberhook site add")


def hook_named(name: str) -> Hook:
    return _named(Hook, name, "hook", "memberhook hook add")


Named = TypeVar("Named", Connection, Site, Hook)


def _named(model: type[Named], name: str, what: str, make: str) -> Named:
    row = model._default_manager.filter(name=name).first()
    if row is None:
        known = ", ".join(model._default_manager.order_by("name").values_list("name", flat=True))
        hint = f"there are: {known}" if known else f"there is none yet; add one with: {make}"
        raise UsageError(f"There is no {what} {name!r}; {hint}.", code="not_found")
    return row


def read_password(from_stdin: bool) -> str:
    """From standard input, or asked for at a terminal."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Application password", hide_input=True)
    else:
        raise UsageError("Give the password on standard input, with --password-stdin.", code="no_password")
    if not password:
        raise UsageError(
            "The password is empty; pipe it in, like: … --password-stdin < password.txt", code="no_password"
        )
    return password


class Duration(click.ParamType[timedelta]):
    """30s, 15m, 24h, 7d → timedelta."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return conf.duration(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Since(click.ParamType[datetime]):
    """A duration back from now, or an ISO date or time (in UTC unless it has an offset) → datetime."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return datetime.now(UTC) - conf.duration(value)
        except ValueError:
            pass
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"There is no time in {value!r}; write 2h, 3d, 2026-11-23 or 2026-11-23T10:00.", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def utc_now() -> datetime:
    return datetime.now(UTC)
