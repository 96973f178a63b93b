"""`/healthz`, `/readyz` and `/metrics` as they are answered: status, content type and body."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from memberhook.engine import health

Page = tuple[int, str, bytes]
TEXT = "text/plain; charset=utf-8"


def healthz(now: datetime) -> Page:
    return 200, TEXT, b"ok\n"


def readyz(now: datetime) -> Page:
    well, found = health.ready(now)
    return 200 if well else 503, "application/json", json.dumps({"ready": well, **found}).encode()


def metrics(now: datetime) -> Page:
    try:
        return 200, "text/plain; version=0.0.4; charset=utf-8", health.metrics(now)
    except ImproperlyConfigured as error:
        return 501, TEXT, f"{error}\n".encode()
    except DatabaseError:
        return 503, TEXT, b"the database cannot be read\n"


PAGES: Mapping[str, Callable[[datetime], Page]] = {"healthz": healthz, "readyz": readyz, "metrics": metrics}
