"""Group commit: requests that arrive while a transaction is being written share the next one and its one fsync.

One thread does it: look up the keys of all waiting requests in one query, verify each, store those that pass, commit,
answer, ring the bell.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, close_old_connections

from memberhook import pipeline, tasks
from memberhook.connections import keys
from memberhook.connections.models import AccessKey
from memberhook.errors import Refused
from memberhook.inbox.models import Delivery
from memberhook.receive.verify import Arrival, VerifiedRequest, verify
from memberhook.web.limits import RateLimit

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Passed:
    """A verified request; `delivery` is on disk, or None for what stores nothing (test, dry run)."""

    request: VerifiedRequest
    delivery: Delivery | None


Answer = Passed | Refused
_Waiting = tuple[Arrival, "asyncio.Future[Answer]"]


class Gate:
    """Bridges the event loop and the thread that speaks to the database."""

    def __init__(self, now: Callable[[], datetime], limit: RateLimit) -> None:
        self._now = now
        self._limit = limit
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def stop(self) -> None:
        """Stores what has come so far, then ends."""
        if self._thread:
            self._waiting.put(None)
            self._thread.join(timeout=10)

    async def enter(self, arrival: Arrival) -> Answer:
        """Waits until the request is refused, or stored durably."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="gate")
            self._thread.start()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.put((arrival, future))
        return await future

    def _run(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            batch, stop = [first], False
            while len(batch) < MOST_AT_ONCE and not self._waiting.empty():
                item = self._waiting.get()
                if item is None:
                    stop = True
                    break
                batch.append(item)
            self._answer(batch)
            if stop:
                return

    def _answer(self, batch: Sequence[_Waiting]) -> None:
        with suppress(DatabaseError):  # one that cannot even be closed is replaced all the same
            close_old_connections()
        answers = self.admit([arrival for arrival, _ in batch])
        loop = batch[0][1].get_loop()
        loop.call_soon_threadsafe(
            _resolve, [(future, answer) for (_, future), answer in zip(batch, answers, strict=True)]
        )
        tasks.ring({a.request.hook.pk for a in answers if isinstance(a, Passed) and a.delivery})

    def admit(self, arrivals: Sequence[Arrival]) -> list[Answer]:
        """Verifies and stores; an answer for each, in order."""
        try:
            now = self._now()
            found = keys.find({keys.digest(arrival.sent_key) for arrival in arrivals})
            checked = [self._check(arrival, found, now) for arrival in arrivals]
            to_store = [r for r in checked if isinstance(r, VerifiedRequest) and r.action and not r.dry_run]
            stored = dict(zip(map(id, to_store), pipeline.accept(to_store, now), strict=True)) if to_store else {}
        except DatabaseError as error:
            log.error("Webhooks could not be stored: %s", error)
            return [unavailable()] * len(arrivals)
        except Exception:
            log.exception("Webhooks could not be stored.")
            return [unavailable()] * len(arrivals)
        return [r if isinstance(r, Refused) else Passed(r, stored.get(id(r))) for r in checked]

    def _check(self, arrival: Arrival, found: dict[str, AccessKey], now: datetime) -> VerifiedRequest | Refused:
        try:
            request = verify(arrival, found, now)
        except Refused as refused:
            return refused
        except Exception:
            log.exception("A webhook could not be read.")
            return Refused("An error inside Memberhook; its log tells more.", code="internal_error", status=500)
        wait = self._limit.take(request.key.pk, now.timestamp())
        if wait is None:
            return request
        return Refused(
            "Too many webhooks with this key; try again a little later.",
            code="too_many_requests",
            status=429,
            retry_after=wait,
        )


def unavailable() -> Refused:
    return Refused(
        "The inbox cannot be written to right now, so nothing was accepted; send it again later.",
        code="storage_unavailable",
        status=503,
        retry_after=10,
    )


def _resolve(answers: Sequence[tuple[asyncio.Future[Answer], Answer]]) -> None:
    for future, answer in answers:
        if not future.done():
            future.set_result(answer)
