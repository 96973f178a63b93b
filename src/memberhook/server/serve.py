"""`memberhook serve`: the web process, and a worker process beside it that is started again when it dies."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import uvicorn

from memberhook.core.errors import UsageError
from memberhook.engine import followups, inbox

log = logging.getLogger(__name__)

RESTART_AFTER = 0.5
"""Seconds between the death of the worker and the start of the next one."""


def web_server(host: str, port: int) -> uvicorn.Server:
    """Not yet running. No access log: addresses hold access keys."""
    config = uvicorn.Config(
        "memberhook.server.asgi:application",
        host=host,
        port=port,
        http="httptools",
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )
    return uvicorn.Server(config)


@dataclass
class WorkerProcess:
    """The worker beside the web process. It ends by itself when this process dies (its standard input closes)."""

    name: str
    _process: subprocess.Popen[bytes] | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._keep_running, daemon=True, name="worker-process").start()

    def _keep_running(self) -> None:
        while not self._stopping.is_set():
            self._free_what_it_had()
            command = [sys.executable, "-m", "memberhook", "worker", "--name", self.name, "--stop-with-parent"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE)
            status = self._process.wait()
            if not self._stopping.is_set():
                log.error("The worker process ended with status %s; it is started again.", status)
                self._stopping.wait(RESTART_AFTER)

    def _free_what_it_had(self) -> None:
        """There is one worker of this name: whatever it had in hand when it died is free now."""
        try:
            now = datetime.now(UTC)
            inbox.release_expired(now, workers=[self.name])
            followups.release_expired(now, workers=[self.name])
        except Exception as error:  # storage trouble; the lease gives it back later
            log.warning("What the dead worker had in hand is given back when its lease ends (%s).", error)

    def stop(self) -> None:
        self._stopping.set()
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=25)
            except subprocess.TimeoutExpired:
                self._process.kill()


def serve(host: str, port: int, *, on_start: Callable[[], None] = lambda: None) -> None:
    """Runs until SIGINT or SIGTERM. Raises `UsageError` when the port is taken."""
    _refuse_taken_port(host, port)
    worker = WorkerProcess(f"serve@{socket.gethostname()}:{port}"[:100])
    worker.start()
    server = web_server(host, port)
    _stop_gently(server)
    threading.Thread(target=_when_started, args=(server, on_start), daemon=True).start()
    try:
        server.run()
    finally:
        worker.stop()
    if not server.started:
        raise UsageError(f"The web server could not start on {host}:{port}; its log says why.", code="not_started")


def _stop_gently(server: uvicorn.Server) -> None:
    """uvicorn raises the signal that stopped it once more when it is done: by then it must not kill us."""

    def stop(signum: int, frame: FrameType | None) -> None:
        server.should_exit = True

    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, stop)


def _refuse_taken_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be used ({error.strerror}); choose another with --port.", code="port_taken"
            ) from error


def _when_started(server: uvicorn.Server, on_start: Callable[[], None]) -> None:
    while not server.started and not server.should_exit:
        time.sleep(0.02)
    if server.started:
        on_start()


def local_address(host: str, port: int) -> str:
    """Where a browser on this machine finds a server that listens there."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104  # compared
    return f"http://{shown}:{port}"


def save_address(folder: Path, host: str, port: int) -> None:
    """Commands that run beside the service print addresses with this one, unless MEMBERHOOK_PUBLIC_URL is set."""
    (folder / "address").write_text(local_address(host, port) + "\n")
