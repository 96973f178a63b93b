"""Follow deliveries that a command has stored until they have ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import click

from memberhook.cli.common import say, utc_now
from memberhook.engine import health
from memberhook.services import deliveries

PATIENCE = 30.0
"""Seconds without progress after which a command stops waiting."""


def watch(ids: list[int], count: int, word: str, *, as_json: bool) -> None:
    """Wait for the deliveries and print what became of them. Without a worker, say that they wait for one."""
    working = health.worker(utc_now()) is None
    if working:
        with bar(count, word, as_json=as_json) as shown:
            for step in _progress(ids):
                shown.update(step)
    counts = deliveries.status_counts(ids)
    summary = ", ".join(f"{number} {status}" for status, number in sorted(counts.items())) or "nothing to do"
    hint = "" if working else " No worker is running; they are applied when one starts (memberhook serve)."
    say({"deliveries": ids, "count": count, "statuses": counts}, f"{word} {count}: {summary}.{hint}", as_json=as_json)


def _progress(ids: list[int]) -> Iterator[int]:
    """How many more have ended or wait for another attempt, as it happens."""
    left, last = set(ids), time.monotonic()
    while left and time.monotonic() - last < PATIENCE:
        done = deliveries.settled(sorted(left)[: deliveries.AT_ONCE])
        left -= done
        if done:
            last = time.monotonic()
            yield len(done)
        else:
            time.sleep(0.1)


def bar(length: int | None, label: str, *, as_json: bool) -> AbstractContextManager[Any]:
    return click.progressbar(length=length or 0, label=label, file=sys.stderr, hidden=as_json)
