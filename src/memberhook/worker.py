"""A worker process: answers the bell, keeps its claims alive, and sweeps up what no bell announced."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import groupby

from django.db import DatabaseError, close_old_connections

from memberhook import conf, pipeline
from memberhook.core.errors import TransientError
from memberhook.engine import followups, inbox, wakeup
from memberhook.engine.inbox import Claim
from memberhook.engine.runtime import Runtime, system_runtime
from memberhook.engine.wakeup import message_queue

log = logging.getLogger(__name__)


real_tools = system_runtime  # the name that host projects import from here


def own_name(prefix: str = "worker") -> str:
    return f"{prefix}@{socket.gethostname()}:{os.getpid()}"[:100]


@dataclass
class Worker:
    """One worker process; several of its threads may work at once."""

    name: str
    runtime: Runtime
    stopping: threading.Event = field(default_factory=threading.Event)

    def work(self, hook_id: int) -> None:
        """Handles all that is due at a hook, batch by batch."""
        close_old_connections()
        while not self.stopping.is_set():
            claim = inbox.claim(hook_id, self.name, self.runtime.now(), contacts=conf.BATCH(), lease=conf.LEASE())
            if claim is None:
                return
            self.handle(claim)
            followups.run_due(self.name, self.runtime)

    def handle(self, claim: Claim) -> None:
        """Processes a batch; when that breaks in an unforeseen way, each contact alone, so that one harms no other."""
        try:
            pipeline.process(claim, self.runtime)
        except DatabaseError:
            raise  # nothing can be noted now; the lease gives the batch back
        except Exception:
            ordering_keys = [
                list(group)
                for _, group in groupby(sorted(claim.deliveries, key=_by_ordering_key), key=lambda d: d.ordering_key)
            ]
            log.exception("A batch of %s contacts broke.", len(ordering_keys))
            for deliveries in ordering_keys:
                self._handle_alone(replace(claim, deliveries=tuple(deliveries)))

    def _handle_alone(self, claim: Claim) -> None:
        try:
            pipeline.process(claim, self.runtime)
        except DatabaseError:
            raise
        except Exception as error:
            message = f"An error inside Memberhook ({type(error).__name__}); its log tells more. It is tried again."
            pipeline.postpone(claim, claim.deliveries, TransientError(message, code="internal_error"), self.runtime)

    def sweep(self) -> None:
        """Gives back what dead workers left, rings for what is due, runs follow-ups that are."""
        now = self.runtime.now()
        inbox.release_expired(now)
        wakeup.notify_workers(inbox.waiting_hooks(now))
        followups.run_due(self.name, self.runtime)

    def tidy(self) -> None:
        """Deletes what is older than it is to be kept."""
        while inbox.purge(self.runtime.now() - conf.KEEP()):
            if self.stopping.is_set():
                return

    def beat(self) -> None:
        inbox.heartbeat(self.name, self.runtime.now(), conf.LEASE())

    def run(self) -> None:
        """Works until SIGTERM or SIGINT; a batch in hand is finished first. Call it in the main thread."""
        wakeup.set_handler(self.work)
        self.beat()
        for seconds, job in (
            (conf.LEASE().total_seconds() / 6, self.beat),
            (conf.SWEEP(), self.sweep),
            (3600.0, self.tidy),
        ):
            threading.Thread(target=self._repeat, args=(seconds, job), daemon=True, name=job.__name__).start()
        consumer = message_queue().create_consumer(
            workers=conf.WORKERS(),
            periodic=False,
            initial_delay=0.01,
            max_delay=0.05,
            graceful_signal="TERM",
            shutdown_timeout=20,
        )
        try:
            consumer.run()
        finally:
            self.stopping.set()

    def _repeat(self, seconds: float, job: Callable[[], None]) -> None:
        while not self.stopping.is_set():
            try:
                close_old_connections()
                job()
            except Exception as error:  # a sweep that fails is followed by the next one
                log.warning("%s failed (%s); it is tried again.", job.__name__, error)
            self.stopping.wait(seconds)


def _by_ordering_key(delivery: object) -> str:
    return str(getattr(delivery, "ordering_key", ""))


def stop_with(descriptor: int) -> None:
    """Ends this process gently when the other end of the pipe is gone: the process that started it died."""

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()
