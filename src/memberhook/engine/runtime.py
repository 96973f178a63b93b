"""Time, randomness, network and new passwords, passed in so that tests can pass their own."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from memberhook.core.http_client import HttpClient
from memberhook.engine.clients import OpenHttp


@dataclass(frozen=True, slots=True)
class Runtime:
    """`now`: an aware datetime. `jitter`: 0 to 1. `password`: a new one of at least 120 random bits."""

    now: Callable[[], datetime]
    jitter: Callable[[], float]
    http: OpenHttp
    password: Callable[[], str]


def system_runtime() -> Runtime:
    """The system clock, real randomness and the real network."""
    clients = {allow: HttpClient(allow_private=allow) for allow in (False, True)}
    return Runtime(
        now=lambda: datetime.now(UTC),
        jitter=random.SystemRandom().random,
        http=clients.__getitem__,
        password=lambda: secrets.token_urlsafe(18),
    )
