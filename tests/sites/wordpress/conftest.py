from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from memberhook.core.http_client import HttpClient
from tests.loopback import Answer, Loopback, Reply

Serve = Callable[[Answer | Reply], Loopback]


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(allow_private=True, connect_timeout=2, read_timeout=5)
    yield client
    client.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a web server that gives these answers."""
    running: list[Loopback] = []

    def start(answer: Answer | Reply) -> Loopback:
        running.append(Loopback(answer if callable(answer) else lambda _: answer))
        return running[-1].__enter__()

    yield start
    for server in running:
        server.__exit__(None, None, None)
