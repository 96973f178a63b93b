"""What `connect` and `site` share: the address and password that they are given, and what a look there found."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import click
from django.core.exceptions import ValidationError

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import UsageError
from memberhook.models.connections import Account


def checked_url(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is no address; write it like https://shop.example.", code="bad_url")
    if parts.username or parts.password:
        raise UsageError("Give the password on standard input, not in the address.", code="bad_url")
    return url.strip()


def read_password(from_stdin: bool) -> str:
    """From standard input, or asked for when a person sits there."""
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


def check_columns(account: Account) -> None:
    """Raises `UsageError` for a name or address that the row cannot hold."""
    try:
        account.full_clean(validate_unique=False)
    except ValidationError as error:
        column, problems = next(iter(error.message_dict.items()))
        raise UsageError(f"--{column.replace('_', '-')}: {' '.join(problems)}", code="bad_value") from error


def refuse(what: str, results: Sequence[CheckResult], end: str, *, as_json: bool) -> None:
    """Raises `UsageError` with the first finding without which nothing works; all are printed before."""
    problem = next((result for result in results if result.needed and not result.ok), None)
    if problem is None:
        return
    if not as_json:
        click.echo("\n".join(lines(results)))
    raise UsageError(f"{what}: {problem.message} {end}".rstrip(), code="not_connected")


def lines(results: Sequence[CheckResult]) -> list[str]:
    return [f"  {_mark(result)} {result.name}: {result.message}" for result in results]


def _mark(result: CheckResult) -> str:
    return "ok  " if result.ok else "FAIL" if result.needed else "note"


def data(results: Sequence[CheckResult]) -> list[dict[str, Any]]:
    return [{"check": result.name, "ok": result.ok, "message": result.message} for result in results]
