"""Runs the simulated FluentCRM on the loopback interface, in a thread."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from memberhook.testing.fluentcrm.crm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.rest import FluentCrmApp

_START_TIMEOUT = 10.0
_POLL = 0.01


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, with a way for the application to end the connection without a response."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["abort"] = self.transport.abort


class Running:
    """`with Running(crm) as site:` serves `crm` at `site.url` until the block ends. Port 0 is any free one.

    `site.requests`: method, path and query of the requests, at most the last 10,000.
    """

    def __init__(self, crm: SimulatedFluentCRM, port: int = 0) -> None:
        self.crm = crm
        self.app = FluentCrmApp(crm)
        self._port = port
        self.url = ""

    @property
    def requests(self) -> list[tuple[str, str, str]]:
        return list(self.app.requests)

    def __enter__(self) -> Self:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", self._port))
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
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                self._stop()
                raise RuntimeError("The simulated FluentCRM did not start.")
            time.sleep(_POLL)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    def _stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
