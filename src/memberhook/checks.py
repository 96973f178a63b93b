"""System checks: settings that contradict each other or are not safe."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from memberhook import conf


@register()
def settings_can_be_read(**_: Any) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    for setting in conf.ALL:
        try:
            setting()
        except ImproperlyConfigured as error:
            problems.append(Error(str(error), id="memberhook.E001"))
    return problems


@register()
def sqlite_keeps_what_it_was_given(**_: Any) -> list[CheckMessage]:
    """A webhook answered 2xx must be on disk: SQLite needs synchronous=FULL, and IMMEDIATE to claim without failing."""
    database: dict[str, Any] = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3"):
        return []
    options = database.get("OPTIONS", {})
    problems: list[CheckMessage] = []
    if options.get("transaction_mode") != "IMMEDIATE":
        problems.append(
            Warning(
                "Set OPTIONS['transaction_mode'] = 'IMMEDIATE' for the SQLite database; workers fail on locks else.",
                id="memberhook.W001",
            )
        )
    if "synchronous=full" not in str(options.get("init_command", "")).lower().replace(" ", ""):
        problems.append(
            Warning(
                "Set 'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL' as OPTIONS['init_command'] of the SQLite "
                "database; a power cut may lose accepted webhooks else.",
                id="memberhook.W002",
            )
        )
    return problems
