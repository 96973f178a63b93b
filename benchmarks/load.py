"""A bounded load of HTTP requests on loopback: many keep-alive connections, one request at a time on each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import uvloop

CONNECTIONS = 64


@dataclass(frozen=True)
class Load:
    """What came of it; `latencies`: seconds of each request, sorted."""

    seconds: float
    statuses: Counter[int]
    latencies: tuple[float, ...]

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


def request(path: str, body: bytes = b"") -> bytes:
    """The raw request: GET without a body, else POST of JSON."""
    head = f"{'POST' if body else 'GET'} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def run(port: int, requests: Sequence[bytes], connections: int = CONNECTIONS) -> Load:
    return uvloop.run(_run(port, requests, connections))


async def _run(port: int, requests: Sequence[bytes], connections: int) -> Load:
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    left = iter(requests)

    async def send_some() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for raw in left:
            start = time.perf_counter()
            writer.write(raw)
            statuses[await _answer(reader)] += 1
            latencies.append(time.perf_counter() - start)
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(send_some() for _ in range(connections)))
    return Load(time.perf_counter() - start, statuses, tuple(sorted(latencies)))


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.split(b":")[1]))
    return int(head.split(b" ", 2)[1])
