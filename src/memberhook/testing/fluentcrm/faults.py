"""What can go wrong with a CRM, switchable while it runs.

Its one decision: a fault is a name that tests and the demo set on the CRM object; how it looks on the wire is known
to `rest.py` alone. `outage`: the web server's 503. `maintenance`: WordPress's own 503, with its Retry-After of 600
(measured). `error500`: WordPress's critical error (recorded). `rate_limited`: 429 with `retry_after`. `timeout`: no
answer until `release()` or until the client leaves. `challenge`, `challenge_200`: a firewall's page instead of JSON.
`plugin_inactive`: WordPress without FluentCRM. `plain_permalinks`: /wp-json is the web server's 404 page;
`plain_permalinks_home`: it is WordPress's home page (measured); both answer at ?rest_route=. `closed`: the connection
is closed without an answer.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Literal, get_args

from memberhook.core.errors import UsageError

Fault = Literal[
    "outage",
    "maintenance",
    "error500",
    "rate_limited",
    "timeout",
    "challenge",
    "challenge_200",
    "plugin_inactive",
    "plain_permalinks",
    "plain_permalinks_home",
    "closed",
]


class Faults:
    """`latency`: seconds before every answer. `retry_after`: seconds that `rate_limited` asks for."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.retry_after = 1
        self._fault: Fault | None = None
        self._next: deque[Fault] = deque()
        self._faults_lock = threading.Lock()
        self._releases = 0

    @property
    def fault(self) -> Fault | None:
        """What every request meets from now on; None for a healthy CRM."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = None if fault is None else _known(fault)

    def fail_next(self, n: int, fault: Fault) -> None:
        """The next `n` requests meet `fault`; then `self.fault` holds again."""
        with self._faults_lock:
            self._next.extend([_known(fault)] * n)

    def take_fault(self) -> Fault | None:
        """The fault of the request that has just come in."""
        with self._faults_lock:
            return self._next.popleft() if self._next else self._fault

    @property
    def releases(self) -> int:
        return self._releases

    def release(self) -> None:
        """Lets requests go that hang in `timeout`: they are answered as if nothing had been wrong."""
        with self._faults_lock:
            self._releases += 1


def _known(fault: Fault) -> Fault:
    if fault not in get_args(Fault):
        raise UsageError(f"The simulated CRM knows no fault {fault!r}.")
    return fault
