"""What Memberhook is measured against: servers and loops that do next to nothing.

`answer`: an ASGI application that answers 202. `insert`: one that first writes the body into SQLite (WAL, synchronous
FULL), one transaction each. Both run on the same server with the same options as Memberhook.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvicorn

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def _accepted(send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def answer(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    await _body(receive)
    await _accepted(send)


class Insert:
    def __init__(self, folder: Path) -> None:
        self.database = sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)
        self.database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE inbox (body BLOB)")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.database.execute("INSERT INTO inbox VALUES (?)", [await _body(receive)])
        await _accepted(send)


def main() -> None:
    kind, port = sys.argv[1], int(sys.argv[2])
    app: Any = answer if kind == "answer" else Insert(Path(tempfile.mkdtemp()))
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="error",
    )


if __name__ == "__main__":
    main()
