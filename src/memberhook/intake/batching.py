"""Group commit: requests that arrive while a transaction is being written share the next one and its one fsync.

One thread does it: look up the keys of all waiting requests in one query, verify each, store those that pass, commit,
answer, ring the bell.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, close_old_connections

from memberhook.core.errors import RequestRejected
from memberhook.encryption import digest
from memberhook.engine import inbox, wakeup
from memberhook.intake import keys
from memberhook.intake.rate_limit import RateLimit
from memberhook.intake.verify import InboundRequest, VerifiedEvents, VerifiedRequest, verify, verify_signed
from memberhook.models.connections import AccessKey
from memberhook.models.deliveries import Delivery

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Accepted:
    """A verified request; `delivery` is on disk, or None for what stores nothing (test, dry run)."""

    request: VerifiedRequest
    delivery: Delivery | None


@dataclass(frozen=True, slots=True)
class AcceptedEvents:
    """A verified signed request; what it brought is on disk."""

    events: VerifiedEvents
    deliveries: tuple[Delivery, ...]


SiteCheck = VerifiedRequest | VerifiedEvents | RequestRejected
Answer = Accepted | AcceptedEvents | RequestRejected
_Waiting = tuple[InboundRequest, "asyncio.Future[Answer]"]


class Intake:
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

    async def submit(self, inbound: InboundRequest) -> Answer:
        """Waits until the request is refused, or stored durably."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True, name="gate")
            self._thread.start()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.put((inbound, future))
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
        answers = self.accept_batch([inbound for inbound, _ in batch])
        loop = batch[0][1].get_loop()
        loop.call_soon_threadsafe(
            _resolve, [(future, answer) for (_, future), answer in zip(batch, answers, strict=True)]
        )
        wakeup.notify_workers({delivery.hook_id for answer in answers for delivery in stored_by(answer)})

    def accept_batch(self, inbounds: Sequence[InboundRequest]) -> list[Answer]:
        """Verifies and stores; an answer for each, in order."""
        try:
            now = self._now()
            look_up = _look_up(inbounds)
            checked = [self._check(inbound, look_up, now) for inbound in inbounds]
            to_store = [request for one in checked for request in _to_store(one)]
            stored = dict(zip(map(id, to_store), _store(to_store, now), strict=True)) if to_store else {}
        except DatabaseError as error:
            log.error("Webhooks could not be stored: %s", error)
            return [unavailable()] * len(inbounds)
        except Exception:
            log.exception("Webhooks could not be stored.")
            return [unavailable()] * len(inbounds)
        return [_accepted(one, stored) for one in checked]

    def _check(self, inbound: InboundRequest, found: _Keys, now: datetime) -> SiteCheck:
        request: VerifiedRequest | VerifiedEvents
        try:
            if inbound.signature is None:
                request = verify(inbound, found.opening, now)
            else:
                request = verify_signed(inbound, found.signing, now)
        except RequestRejected as refused:
            return refused
        except Exception:
            log.exception("A webhook could not be read.")
            return RequestRejected("An error inside Memberhook; its log tells more.", code="internal_error", status=500)
        wait = self._limit.take(request.key.pk, now.timestamp())
        if wait is None:
            return request
        return RequestRejected(
            "Too many webhooks with this key; try again a little later.",
            code="too_many_requests",
            status=429,
            retry_after=wait,
        )


@dataclass(frozen=True, slots=True)
class _Keys:
    """Those that open by their digest; those that sign by the name of their hook."""

    opening: dict[str, AccessKey]
    signing: dict[str, list[AccessKey]]


def _look_up(inbounds: Sequence[InboundRequest]) -> _Keys:
    """The keys that the requests may have come with: at most one query for each kind."""
    sent = {digest(inbound.sent_key) for inbound in inbounds if inbound.signature is None}
    names = {inbound.hook_name or "" for inbound in inbounds if inbound.signature is not None}
    return _Keys(keys.find(sent) if sent else {}, keys.find_signing(names) if names else {})


def _store(requests: Sequence[VerifiedRequest], now: datetime) -> list[Delivery]:
    """Stores verified requests in one transaction. Once it returns they are on disk and may be answered 2xx."""
    deliveries = [request.delivery(now) for request in requests]
    inbox.append(deliveries)
    return deliveries


def _to_store(checked: SiteCheck) -> Sequence[VerifiedRequest]:
    if isinstance(checked, VerifiedEvents):
        return checked.requests or ()
    return [checked] if isinstance(checked, VerifiedRequest) and checked.action and not checked.dry_run else ()


def _accepted(checked: SiteCheck, stored: Mapping[int, Delivery]) -> Answer:
    if isinstance(checked, RequestRejected):
        return checked
    if isinstance(checked, VerifiedEvents):
        return AcceptedEvents(checked, tuple(stored[id(request)] for request in checked.requests or ()))
    return Accepted(checked, stored.get(id(checked)))


def stored_by(answer: Answer) -> Sequence[Delivery]:
    """The deliveries that the answer stands for."""
    if isinstance(answer, AcceptedEvents):
        return answer.deliveries
    return [answer.delivery] if isinstance(answer, Accepted) and answer.delivery else ()


def unavailable() -> RequestRejected:
    return RequestRejected(
        "The inbox cannot be written to right now, so nothing was accepted; send it again later.",
        code="storage_unavailable",
        status=503,
        retry_after=10,
    )


def _resolve(answers: Sequence[tuple[asyncio.Future[Answer], Answer]]) -> None:
    for future, answer in answers:
        if not future.done():
            future.set_result(answer)
