"""System checks: settings that contradict each other or are not safe, and pages that are missing."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured

from memberhook import addresses, conf


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
    """A webhook answered 2xx must be on disk, hence synchronous=FULL; IMMEDIATE lets workers claim without failing."""
    database: dict[str, Any] = settings.DATABASES["default"]
    if not database["ENGINE"].endswith("sqlite3"):
        return []
    options = database.get("OPTIONS", {})
    problems: list[CheckMessage] = []
    if options.get("transaction_mode") != "IMMEDIATE":
        problems.append(
            Warning(
                "Set OPTIONS['transaction_mode'] = 'IMMEDIATE' for the SQLite database; else workers fail on locks.",
                id="memberhook.W001",
            )
        )
    if "synchronous=full" not in str(options.get("init_command", "")).lower().replace(" ", ""):
        problems.append(
            Warning(
                "Set 'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL' as OPTIONS['init_command'] of the SQLite "
                "database; without them, a power cut may lose accepted webhooks.",
                id="memberhook.W002",
            )
        )
    return problems


@register(Tags.urls)
def webhooks_can_come_in(**_: Any) -> list[CheckMessage]:
    if addresses.served("memberhook:hook", name="name"):
        return []
    return [Warning("No webhook can come in: include memberhook.urls in your URLconf.", id="memberhook.W003")]


@register(Tags.urls)
def new_members_can_choose_a_password(**_: Any) -> list[CheckMessage]:
    """The welcome e-mail has a link to that page."""
    if addresses.set_password_address("uid", "token"):
        return []
    return [
        Warning(
            "The welcome e-mail cannot be sent: no page takes a new password. Add 'memberhook.members_area' to "
            "INSTALLED_APPS, or name a page of yours 'password_reset_confirm' (django.contrib.auth.urls has one).",
            id="memberhook.W004",
        )
    ]


@register(Tags.urls)
def the_public_url_has_the_script_name(**_: Any) -> list[CheckMessage]:
    script = (settings.FORCE_SCRIPT_NAME or "").rstrip("/")
    if not script or urlsplit(addresses.public_url()).path == script:
        return []
    return [
        Warning(
            f"FORCE_SCRIPT_NAME is {script}, but {conf.PUBLIC_URL.variable} does not end with it; addresses of hooks "
            "and links in e-mails would lead nowhere.",
            id="memberhook.W005",
        )
    ]
