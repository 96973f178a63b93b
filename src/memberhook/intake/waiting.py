"""Waits for outcomes: one poller asks the database for all waiting webhooks at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from asgiref.sync import sync_to_async
from django.db import DatabaseError

from memberhook.engine import inbox
from memberhook.models.deliveries import Delivery

QUICK, SLOW = 0.01, 0.05
"""Seconds between two looks: while few wait, and while many do."""
FEW = 50
AT_ONCE = 500


class Waiting:
    def __init__(self) -> None:
        self._futures: dict[int, asyncio.Future[Delivery]] = {}
        self._poller: asyncio.Task[None] | None = None

    async def outcome(self, delivery: Delivery, seconds: float) -> Delivery | None:
        """The delivery when it has ended, or None when it has not within that time."""
        future = asyncio.get_running_loop().create_future()
        self._futures[delivery.pk] = future
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return None
        finally:
            self._futures.pop(delivery.pk, None)

    async def _poll(self) -> None:
        look = sync_to_async(_look, thread_sensitive=False)
        while self._futures:
            await asyncio.sleep(QUICK if len(self._futures) <= FEW else SLOW)
            for delivery in await look(list(self._futures)):
                future = self._futures.get(delivery.pk)
                if future and not future.done():
                    future.set_result(delivery)


def _look(ids: Sequence[int]) -> list[Delivery]:
    try:
        return [d for start in range(0, len(ids), AT_ONCE) for d in inbox.finished(ids[start : start + AT_ONCE])]
    except DatabaseError:
        return []  # the next look may do better; until then they wait
