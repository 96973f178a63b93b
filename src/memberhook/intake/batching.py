"""Group commit: requests that arrive while a transaction is being written share the next one and its one fsync.

One thread does it: look up the keys of all waiting requests, verify each, store their deliveries, answer, wake workers.
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

from memberhook.core.errors import RequestRejected
from memberhook.engine import inbox, wakeup
from memberhook.intake import keys
from memberhook.intake.inbound import InboundRequest
from memberhook.intake.rate_limit import RateLimit
from memberhook.intake.verify import VerifiedRequest, verify
from memberhook.models.connections import AccessKey
from memberhook.models.deliveries import Delivery

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Accepted:
    """A verified request and its deliveries, which are on disk; none for a test or a dry run."""

    request: VerifiedRequest
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class _Submitted:
    inbound: InboundRequest
    answer: asyncio.Future[Accepted | RequestRejected]


class Intake:
    """Bridges the event loop and the thread that writes to the database."""

    def __init__(self, now: Callable[[], datetime], limit: RateLimit) -> None:
        self._now = now
        self._limit = limit
        self._submitted: queue.SimpleQueue[_Submitted | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def stop(self) -> None:
        """Store what has been submitted, then end."""
        if self._thread:
            self._submitted.put(None)
            self._thread.join(timeout=10)

    async def submit(self, inbound: InboundRequest) -> Accepted | RequestRejected:
        """Wait until the request is stored durably, or rejected."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="intake")
            self._thread.start()
        submitted = _Submitted(inbound, asyncio.get_running_loop().create_future())
        self._submitted.put(submitted)
        return await submitted.answer

    def _run(self) -> None:
        while first := self._submitted.get():
            batch, last = [first], False
            while len(batch) < MOST_AT_ONCE and not self._submitted.empty() and not last:
                if one := self._submitted.get():
                    batch.append(one)
                else:
                    last = True
            self._answer(batch)
            if last:
                return

    def _answer(self, batch: Sequence[_Submitted]) -> None:
        with suppress(DatabaseError):  # a broken connection that cannot even be closed is replaced all the same
            close_old_connections()
        answers = self.accept_batch([one.inbound for one in batch])
        batch[0].answer.get_loop().call_soon_threadsafe(_resolve, batch, answers)
        wake_workers(answers)

    def accept_batch(self, inbounds: Sequence[InboundRequest]) -> list[Accepted | RequestRejected]:
        """Verify and store; return an answer for each, in order."""
        try:
            now = self._now()
            candidates = keys.candidates(inbounds)
            answers = [self._verify(one, some, now) for one, some in zip(inbounds, candidates, strict=True)]
            inbox.append([delivery for one in answers if isinstance(one, Accepted) for delivery in one.deliveries])
        except DatabaseError as error:
            log.error("Webhooks could not be stored: %s", error)
            return [unavailable()] * len(inbounds)
        except Exception:
            log.exception("Webhooks could not be stored.")
            return [unavailable()] * len(inbounds)
        return answers

    def _verify(
        self, inbound: InboundRequest, candidates: Sequence[AccessKey], now: datetime
    ) -> Accepted | RequestRejected:
        """The request with its deliveries, still unsaved."""
        try:
            request = verify(inbound, candidates, now)
            wait = self._limit.take(request.key.pk, now.timestamp())
            if wait is None:
                return Accepted(request, request.deliveries(now))
        except RequestRejected as error:
            return error
        except Exception:
            log.exception("A webhook could not be read.")
            return RequestRejected("An error inside Memberhook; its log tells more.", code="internal_error", status=500)
        return RequestRejected(
            "Too many webhooks with this key; try again a little later.",
            code="too_many_requests",
            status=429,
            retry_after=wait,
        )


def wake_workers(answers: Sequence[Accepted | RequestRejected]) -> None:
    stored = (one for one in answers if isinstance(one, Accepted))
    wakeup.notify_workers({delivery.hook_id for one in stored for delivery in one.deliveries})


def unavailable() -> RequestRejected:
    return RequestRejected(
        "The inbox cannot be written to right now, so nothing was accepted; send it again later.",
        code="storage_unavailable",
        status=503,
        retry_after=10,
    )


def _resolve(batch: Sequence[_Submitted], answers: Sequence[Accepted | RequestRejected]) -> None:
    for one, answer in zip(batch, answers, strict=True):
        if not one.answer.done():
            one.answer.set_result(answer)
