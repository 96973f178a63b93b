"""Wait for outcomes: one poller asks the database for all waiting webhooks at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from asgiref.sync import sync_to_async
from django.db import DatabaseError

from memberhook.engine import inbox
from memberhook.models.deliveries import Delivery

QUICK, SLOW = 0.01, 0.05
"""Seconds between two queries: while few wait, and while many do."""
FEW = 50
AT_ONCE = 500


class Waiting:
    def __init__(self) -> None:
        self._futures: dict[int, asyncio.Future[Delivery]] = {}
        self._poller: asyncio.Task[None] | None = None

    async def finished(self, deliveries: Sequence[Delivery], seconds: float) -> list[Delivery]:
        """Wait until all have finished, up to this long; return those that have."""
        if not deliveries:
            return []
        loop = asyncio.get_running_loop()
        futures = {delivery.pk: loop.create_future() for delivery in deliveries}
        self._futures.update(futures)
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            await asyncio.wait(futures.values(), timeout=seconds)
        finally:
            for pk in futures:
                del self._futures[pk]
        return [future.result() for future in futures.values() if future.done()]

    async def _poll(self) -> None:
        query = sync_to_async(_finished, thread_sensitive=False)
        while self._futures:
            await asyncio.sleep(QUICK if len(self._futures) <= FEW else SLOW)
            for delivery in await query(list(self._futures)):
                future = self._futures.get(delivery.pk)
                if future and not future.done():
                    future.set_result(delivery)


def _finished(ids: Sequence[int]) -> list[Delivery]:
    try:
        return [d for start in range(0, len(ids), AT_ONCE) for d in inbox.finished(ids[start : start + AT_ONCE])]
    except DatabaseError:
        return []  # the next query may succeed
