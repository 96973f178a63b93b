"""Runs the simulated FluentCRM on this machine's loopback address, in a thread.

Its one decision: it owns its socket, so the port is known before the server runs and is free when the server is gone.
"""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from memberhook.core.errors import UsageError
from memberhook.testing.fluentcrm.crm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.rest import FluentCrmApp

_START = 10.0
_POLL = 0.01


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, with a way for the application to end the connection without an answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["abort"] = self.transport.abort


class Running:
    """`with Running(crm) as site:` serves `crm` at `site.url` until the block ends. `port` 0 takes a free one.

    `site.requests` lists what came in (method, path, query), at most the last 10,000.
    """

    def __init__(self, crm: SimulatedFluentCRM, port: int = 0, host: str = "127.0.0.1") -> None:
        self.crm = crm
        self.app = FluentCrmApp(crm)
        self._address = (host, port)
        self.url = ""

    @property
    def requests(self) -> list[tuple[str, str, str]]:
        return list(self.app.requests)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns once requests are answered. Raises UsageError when the port is taken."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(self._address)
        except OSError as error:
            self._socket.close()
            raise UsageError(f"Port {self._address[1]} of {self._address[0]} is taken.", code="port_taken") from error
        host, port = self._socket.getsockname()
        self.url = f"http://{host}:{port}"
        self.crm.serve_at(self.url)
        config = uvicorn.Config(
            self.app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="simulated-fluentcrm", daemon=True)
        self._thread.start()
        deadline = time.monotonic() + _START
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                self.stop()
                raise RuntimeError("The simulated FluentCRM did not start.")
            time.sleep(_POLL)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Ends the server; requests that hang are let go first."""
        self._server.should_exit = True
        while self._thread.is_alive():
            self.crm.release()
            self._thread.join(_POLL)
        self._socket.close()
