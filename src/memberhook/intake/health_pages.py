"""`/healthz`, `/readyz` and `/metrics` as they are answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from memberhook.engine import health
from memberhook.intake.answers import Rendered

TEXT = "text/plain; charset=utf-8"


def healthz(now: datetime) -> Rendered:
    return _page(200, b"ok\n")


def readyz(now: datetime) -> Rendered:
    well, found = health.ready(now)
    return _page(200 if well else 503, json.dumps({"ready": well, **found}).encode(), "application/json")


def metrics(now: datetime) -> Rendered:
    try:
        return _page(200, health.metrics(now), "text/plain; version=0.0.4; charset=utf-8")
    except ImproperlyConfigured as error:
        return _page(501, f"{error}\n".encode())
    except DatabaseError:
        return _page(503, b"the database cannot be read\n")


def _page(status: int, body: bytes, content_type: str = TEXT) -> Rendered:
    return Rendered(status, {"Content-Type": content_type, "Cache-Control": "no-store"}, body)


PAGES: Mapping[str, Callable[[datetime], Rendered]] = {"healthz": healthz, "readyz": readyz, "metrics": metrics}
