"""Connect a CRM account, test it, load its tags and fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from memberhook.core.check_result import CheckResult, first_problem
from memberhook.core.errors import UsageError
from memberhook.crms.contract import Catalog
from memberhook.crms.registry import crm
from memberhook.engine.clients import OpenHttp, crm_client
from memberhook.models.connections import Connection
from memberhook.services.catalog import save_catalog
from memberhook.services.checks import require
from memberhook.services.validation import validate


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """`catalog`: None where a check failed without which nothing works."""

    connection: Connection
    results: Sequence[CheckResult]
    catalog: Catalog | None


def connect(
    kind: str,
    name: str,
    url: str,
    username: str,
    password: str,
    *,
    allow_private: bool = False,
    http: OpenHttp,
    now: datetime,
) -> ConnectionCheck:
    """Add a connection, or change the one of that name. Nothing is stored unless the CRM accepts the credentials.

    Raises `UsageError` for values that cannot be, and `CheckFailed`.
    """
    connection = Connection.objects.filter(name=name).first() or Connection(name=name, kind=kind)
    if connection.kind != kind:
        raise UsageError(f"{name!r} is a connection to {connection.kind}; choose another name.", code="name_taken")
    connection.url, connection.username, connection.allow_private = url.strip(), username, allow_private
    connection.password = password
    validate(connection)
    client = crm_client(connection, http)
    results = client.check()
    require(results, f"{crm(kind).name} at {connection.url}", "Nothing was stored.")
    catalog = client.catalog()
    _keep(connection, catalog, now)
    return ConnectionCheck(connection, results, catalog)


def check(connection: Connection, http: OpenHttp, now: datetime) -> ConnectionCheck:
    """Test a stored connection; if it works, load its tags and fields again and end its pause."""
    client = crm_client(connection, http)
    results = client.check()
    if first_problem(results):
        return ConnectionCheck(connection, results, None)
    catalog = client.catalog()
    _keep(connection, catalog, now)
    return ConnectionCheck(connection, results, catalog)


def _keep(connection: Connection, catalog: Catalog, now: datetime) -> None:
    connection.paused_until = None
    with transaction.atomic():
        connection.save()
        save_catalog(connection, catalog, now)
