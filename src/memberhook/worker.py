"""A worker process: it works when woken, extends its leases, and looks for work that no message announced."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from django.db import DatabaseError, close_old_connections

from memberhook import conf, pipeline
from memberhook.core.errors import as_problem
from memberhook.engine import followups, inbox, wakeup
from memberhook.engine.claims import Claim
from memberhook.engine.runtime import Runtime, system_runtime
from memberhook.engine.wakeup import message_queue
from memberhook.models.deliveries import Delivery

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
        """Handle all that is due at a hook, claim by claim."""
        close_old_connections()
        while not self.stopping.is_set():
            claim = inbox.claim(hook_id, self.name, self.runtime.now(), contacts=conf.BATCH(), lease=conf.LEASE())
            if claim is None:
                return
            self.handle(claim)
            followups.run_due(self.name, self.runtime)

    def handle(self, claim: Claim[Delivery]) -> None:
        """Process a claim; when that raises, each contact alone, so that one harms no other."""
        try:
            pipeline.process(claim, self.runtime)
        except DatabaseError:
            raise  # nothing can be stored now; the lease gives the deliveries back
        except Exception as error:
            by_contact: dict[str, list[Delivery]] = {}
            for delivery in claim.rows:
                by_contact.setdefault(delivery.ordering_key, []).append(delivery)
            if len(by_contact) == 1:
                pipeline.postpone(claim, claim.rows, as_problem(error), self.runtime)
                return
            log.warning("A claim of %s contacts failed (%s); each is tried alone.", len(by_contact), error)
            for deliveries in by_contact.values():
                self.handle(replace(claim, rows=tuple(deliveries)))

    def sweep(self) -> None:
        """Release what dead workers had claimed, wake workers for what is due, run follow-ups that are."""
        now = self.runtime.now()
        inbox.release_expired(now)
        followups.release_expired(now)
        wakeup.notify_workers(inbox.waiting_hooks(now))
        followups.run_due(self.name, self.runtime)

    def tidy(self) -> None:
        """Delete deliveries that are older than MEMBERHOOK_KEEP."""
        while inbox.purge(self.runtime.now() - conf.KEEP()):
            if self.stopping.is_set():
                return

    def beat(self) -> None:
        inbox.heartbeat(self.name, self.runtime.now(), conf.LEASE())

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; the current claim is finished first. Call it in the main thread."""
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
            except Exception as error:  # the next one may succeed
                log.warning("%s failed (%s); it is tried again.", job.__name__, error)
            self.stopping.wait(seconds)


def stop_with(descriptor: int) -> None:
    """End this process gracefully when the pipe closes: the process that started it has died."""

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()
