"""What the simulator's tests share: a clock that is set, calls without a network, and a server that keeps requests."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from memberhook.testing.fluentcrm import SimulatedFluentCRM, php
from memberhook.testing.fluentcrm.rest import FluentCrmApp, Reply, Request

RECORDED = Path(__file__).parents[1] / "crms" / "fluentcrm" / "recorded"
USERNAME, PASSWORD = "admin", "abcd efgh ijkl mnop"
API = "/wp-json/fluent-crm/v2"


class Clock:
    """Stands still until it is set; `at("11:07:57")` on the day of the recordings."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 10, 0, 57, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def at(self, time: str) -> None:
        self.time = datetime.fromisoformat(f"2026-11-23T{time}+00:00")


def basic(username: str = USERNAME, password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def call(
    crm: SimulatedFluentCRM,
    method: str,
    path: str,
    query: str = "",
    body: Any = None,
    authorization: str | None = "admin",
) -> Reply:
    """Call the application as a server would. `body` is sent as JSON, text as it is. The reply's JSON is parsed."""
    headers = {"content-type": "application/json"}
    if authorization is not None:
        headers["authorization"] = basic() if authorization == "admin" else authorization
    raw = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    reply = FluentCrmApp(crm).reply(Request(method, path, query, headers, raw))
    return Reply(reply.status, json.loads(php.json_encode(reply.body)), reply.headers)


@dataclass
class Received:
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Receiver:
    """`status` and `text` are what it answers from now on, once `wait` is set."""

    url: str = ""
    status: int = 200
    text: str = "thanks"
    received: list[Received] = field(default_factory=list)
    wait: threading.Event | None = None


class _Handler(BaseHTTPRequestHandler):
    receiver: Receiver

    def answer(self) -> None:
        receiver = self.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        receiver.received.append(Received(self.command, self.path, self.headers.items(), body))
        if receiver.wait is not None:
            receiver.wait.wait(30)
        answer = receiver.text.encode()
        self.send_response(receiver.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def log_message(self, format: str, *args: Any) -> None:
        """The tests' output stays clean."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A local HTTP server that keeps what it gets."""
    receiver = Receiver()
    handler = type("Handler", (_Handler,), {"receiver": receiver})
    with _Server(("127.0.0.1", 0), handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            if receiver.wait is not None:
                receiver.wait.set()
            server.shutdown()
            thread.join()
