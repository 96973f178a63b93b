"""All settings in one table, each read when it is called.

They come from environment variables named `MEMBERHOOK_<NAME>`; a setting of the same name in Django's settings wins.
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
    """Read a duration like `90`, `90s`, `15m`, `24h` or `7d`. Raises ValueError for anything else."""
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


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting. Call it for its value; it raises `ImproperlyConfigured` with the reason if that cannot be read."""

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
            return value  # type: ignore[no-any-return]  # Django's settings hold Python values
        text = value if value is not None else os.environ.get(self.variable, self.default)
        try:
            return self.parse(text)
        except ValueError as error:
            raise ImproperlyConfigured(f"{self.variable} cannot be read: {error}.") from error


DATA = Setting("DATA", "./memberhook-data", Path, "Folder for all state: database, queue, secret key, outgoing mail.")
DATABASE_URL = Setting("DATABASE_URL", "", str, "Database, like `postgresql://…`. Empty: SQLite in the data folder.")
QUEUE_URL = Setting("QUEUE_URL", "", str, "Queue, `redis://…` or `postgresql://…`. Empty: SQLite in the data folder.")
EMAIL_URL = Setting(
    "EMAIL_URL", "", str, "Mail server, like `smtp+tls://user:password@host:587`. Empty: files in mail/."
)
FROM_EMAIL = Setting("FROM_EMAIL", "Memberhook <memberhook@localhost>", str, "Sender of the welcome e-mail.")
PUBLIC_URL = Setting("PUBLIC_URL", "http://127.0.0.1:8000", str, "Public address of the service, with its path.")
SITE_NAME = Setting("SITE_NAME", "Members", str, "Name of the local site on pages and in e-mails.")
LANGUAGE = Setting(
    "LANGUAGE", "en", language, "Language of pages and e-mails if the member's is not known: `en`, `de`, `es` or `fr`."
)
LOG_LEVEL = Setting("LOG_LEVEL", "INFO", str, "How much is logged: DEBUG, INFO, WARNING or ERROR.")
MAX_BODY = Setting("MAX_BODY", str(1024 * 1024), int, "Largest body of a webhook that is accepted, in bytes.")
WAIT = Setting("WAIT", "3s", seconds, "How long a request waits for the outcome before the answer is 202.")
RATE_LIMIT = Setting(
    "RATE_LIMIT", "60000", int, "Webhooks per minute and key; beyond that the answer is 429. 0: no limit."
)
TRUSTED_PROXIES = Setting(
    "TRUSTED_PROXIES", "", networks, "Networks of proxies whose X-Forwarded-For header is trusted."
)
BATCH = Setting("BATCH", "100", int, "How many contacts a worker handles in one batch.")
WORKERS = Setting("WORKERS", "2", int, "How many batches a worker process handles in parallel.")
SWEEP = Setting("SWEEP", "1s", seconds, "How often a worker looks for work that no wake-up announced.")
LEASE = Setting("LEASE", "30s", duration, "When a worker has been silent for this long, others take over its work.")
RETRY_FIRST = Setting(
    "RETRY_FIRST", "2s", seconds, "Delay before the second attempt; it triples with each further one."
)
RETRY_MAX = Setting("RETRY_MAX", "1h", seconds, "Longest delay between two attempts.")
GIVE_UP_AFTER = Setting("GIVE_UP_AFTER", "72h", duration, "After this time without success, a delivery has failed.")
KEEP = Setting("KEEP", "90d", duration, "How long finished deliveries are kept.")
USER_FIELDS = Setting(
    "USER_FIELDS", "first_name last_name", words, "Fields of the user model that a field map may write."
)
HARMLESS_PERMISSIONS = Setting(
    "HARMLESS_PERMISSIONS", "", words, "Permissions (`app.codename`) that do not make a role privileged."
)

ALL: tuple[Setting[object], ...] = tuple(value for value in list(globals().values()) if type(value) is Setting)


def read_all() -> None:
    """Read every setting. Raises `ImproperlyConfigured` for the first that cannot be read."""
    for setting in ALL:
        setting()
