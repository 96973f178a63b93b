"""All settings, in one table, read when asked for.

The service takes them from `MEMBERHOOK_<NAME>` variables; a Django project of one's own may set the same name in its
settings, which then counts first.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Generic, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LANGUAGES = {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français"}
"""The languages in which members see pages and e-mails."""

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """`90`, `90s`, `15m`, `24h`, `7d` → seconds. Raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip().lower())
    if not match:
        raise ValueError(f"{text!r} is no duration; write it like 30s, 15m, 24h or 7d")
    return float(match[1]) * _UNITS[match[2]]


def duration(text: str) -> timedelta:
    return timedelta(seconds=seconds(text))


def words(text: str) -> tuple[str, ...]:
    return tuple(word for word in re.split(r"[\s,]+", text.strip()) if word)


def networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word, strict=False) for word in words(text))


def language(text: str) -> str:
    code = text.strip().lower()
    if code not in LANGUAGES:
        raise ValueError(f"{text!r} is not one of {', '.join(LANGUAGES)}")
    return code


def yes(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on"}


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting. Call it for its value; a value that can't be read raises `ImproperlyConfigured`, saying why."""

    name: str
    default: str
    parse: Callable[[str], T]
    help: str

    @property
    def variable(self) -> str:
        return f"MEMBERHOOK_{self.name}"

    def __call__(self) -> T:
        value = getattr(settings, self.variable, None) if settings.configured else None
        if value is not None and not isinstance(value, str):
            return value  # type: ignore[no-any-return]  # a project's own settings hold Python values
        text = value if value is not None else os.environ.get(self.variable, self.default)
        try:
            return self.parse(text)
        except ValueError as error:
            raise ImproperlyConfigured(f"{self.variable} cannot be read: {error}.") from error


DATA = Setting("DATA", "./memberhook-data", Path, "Folder of all state: database, queue, secret key, outgoing mail.")
DATABASE_URL = Setting("DATABASE_URL", "", str, "Database; empty: SQLite in the data folder. `postgresql://…` else.")
QUEUE_URL = Setting("QUEUE_URL", "", str, "Queue; empty: SQLite in the data folder. `redis://…` or `postgresql://…`.")
EMAIL_URL = Setting("EMAIL_URL", "", str, "Mail server, `smtp+tls://user:password@host:587`; empty: files under mail/.")
FROM_EMAIL = Setting("FROM_EMAIL", "Memberhook <memberhook@localhost>", str, "Sender of the welcome e-mail.")
PUBLIC_URL = Setting("PUBLIC_URL", "http://127.0.0.1:8000", str, "Address under which the world reaches the service.")
SITE_NAME = Setting("SITE_NAME", "Members", str, "Name of the local site, as pages and e-mails show it.")
LANGUAGE = Setting(
    "LANGUAGE", "en", language, "Language of pages and e-mails if the member's is not known: `en`, `de`, `es` or `fr`."
)
LOG_LEVEL = Setting("LOG_LEVEL", "INFO", str, "How much is logged: DEBUG, INFO, WARNING, ERROR.")
MAX_BODY = Setting("MAX_BODY", str(1024 * 1024), int, "Largest accepted body of a webhook, in bytes.")
WAIT = Setting("WAIT", "3s", seconds, "How long a webhook waits for its outcome before it is answered 202.")
RATE_LIMIT = Setting("RATE_LIMIT", "60000", int, "Webhooks a minute from one key before it is answered 429; 0: none.")
TRUSTED_PROXIES = Setting("TRUSTED_PROXIES", "", networks, "Networks of proxies whose X-Forwarded-For is believed.")
BATCH = Setting("BATCH", "100", int, "How many contacts a worker handles at once.")
WORKERS = Setting("WORKERS", "2", int, "How many batches one worker process handles side by side.")
SWEEP = Setting("SWEEP", "1s", seconds, "How often a worker looks for work that no bell announced.")
LEASE = Setting("LEASE", "30s", duration, "A worker that is silent for longer is taken for dead; its batch goes back.")
RETRY_FIRST = Setting("RETRY_FIRST", "2s", seconds, "Delay before the second attempt; it grows threefold each time.")
RETRY_MAX = Setting("RETRY_MAX", "1h", seconds, "The longest delay between two attempts.")
GIVE_UP_AFTER = Setting("GIVE_UP_AFTER", "72h", duration, "A delivery that can't be applied for so long has failed.")
KEEP = Setting("KEEP", "90d", duration, "How long finished deliveries are kept.")
USER_FIELDS = Setting(
    "USER_FIELDS", "first_name last_name", words, "Fields of the local user model that mappings may write."
)
HARMLESS_PERMISSIONS = Setting(
    "HARMLESS_PERMISSIONS", "", words, "Permissions (`app.codename`) that do not make a local role privileged."
)

ALL: tuple[Setting[object], ...] = tuple(value for value in list(globals().values()) if type(value) is Setting)


def read_all() -> None:
    """Raises `ImproperlyConfigured` for the first setting that cannot be read."""
    for setting in ALL:
        setting()
