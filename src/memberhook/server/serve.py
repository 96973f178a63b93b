"""`memberhook serve`: the web process, and a worker process that is restarted if it dies."""

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
"""Seconds between the death of a worker and the start of the next."""


def web_server(host: str, port: int) -> uvicorn.Server:
    """The web server, not yet running. It writes no access log, because addresses contain access keys."""
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
    """The worker beside the web process. It ends when this process dies, because its standard input closes."""

    name: str
    _process: subprocess.Popen[bytes] | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._keep_running, daemon=True, name="worker-process").start()

    def _keep_running(self) -> None:
        while not self._stopping.is_set():
            self._release_its_claims()
            command = [sys.executable, "-m", "memberhook", "worker", "--name", self.name, "--stop-with-parent"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE)
            status = self._process.wait()
            if not self._stopping.is_set():
                log.error("The worker process ended with status %s; it is being restarted.", status)
                self._stopping.wait(RESTART_AFTER)

    def _release_its_claims(self) -> None:
        """No other worker has this name, so what it had claimed when it died can be released."""
        try:
            now = datetime.now(UTC)
            inbox.release_expired(now, workers=[self.name])
            followups.release_expired(now, workers=[self.name])
        except Exception as error:  # the database is not available; the lease expires later
            log.warning("The claims of the dead worker will be released when its lease expires (%s).", error)

    def stop(self) -> None:
        self._stopping.set()
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=25)
            except subprocess.TimeoutExpired:
                self._process.kill()


def serve(host: str, port: int, *, on_start: Callable[[], None] = lambda: None) -> None:
    """Run until SIGINT or SIGTERM. Raises `UsageError` if the port is in use."""
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
        raise UsageError(f"The web server could not start on {host}:{port}; see its log.", code="not_started")


def _stop_gently(server: uvicorn.Server) -> None:
    """Stop uvicorn without its default handlers: they raise the signal again at the end, which would kill us."""

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
    """Where a browser on this machine reaches a server that listens there."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104  # compared
    return f"http://{shown}:{port}"


def save_address(folder: Path, host: str, port: int) -> None:
    """Save the address for commands that run beside the service: unless MEMBERHOOK_PUBLIC_URL is set, they print it."""
    (folder / "address").write_text(local_address(host, port) + "\n")
