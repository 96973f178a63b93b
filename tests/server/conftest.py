"""The real service in processes of its own, and a simulated FluentCRM beside it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import urllib3

from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
from tests.docs_commands import Commands
from tests.servers import new_postgresql_database

START = 60.0  # a machine under load is slow
PASSWORD = "abcd efgh ijkl mnop"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    """Of the kernel where it tells them (Linux; a small Debian has no `ps`), else of `pgrep` (macOS)."""
    children_file = Path(f"/proc/{pid}/task/{pid}/children")
    if Path("/proc/self").exists():
        tasks = children_file.parent.parent.glob("*/children") if children_file.exists() else ()
        return [int(child) for task in tasks for child in task.read_text().split()]
    listing = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True)
    return [int(child) for child in listing.stdout.split()]


@dataclass
class Answer:
    status: int
    headers: Any
    text: str

    @property
    def data(self) -> Any:
        return json.loads(self.text)


@dataclass
class Service:
    """`memberhook serve` with a data folder of its own."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    key: str = ""
    commands: Commands | None = None
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, maxsize=20))

    @property
    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MEMBERHOOK_", "DJANGO_"))}
        fast = {"MEMBERHOOK_RETRY_FIRST": "0.2s", "MEMBERHOOK_SWEEP": "0.2s", "MEMBERHOOK_LEASE": "3s"}
        return kept | fast | {"MEMBERHOOK_DATA": str(self.folder)} | self.settings

    def cli(self, *arguments: str, stdin: str = "", status: int = 0, folder: Path | None = None) -> str:
        """What the command prints: to standard error where it must fail."""
        if self.commands is None:
            self.commands = Commands(self.env)
        ended, output, errors = self.commands.run(arguments, folder, stdin)
        assert ended == status, (ended, output, errors)
        return output if status == 0 else errors

    def json(self, *arguments: str, stdin: str = "") -> Any:
        return json.loads(self.cli(*arguments, "--json", stdin=stdin))

    def start(self) -> None:
        self._forget_commands()  # it writes down the address that they read when they are loaded
        command = [sys.executable, "-m", "memberhook", "serve", "--port", str(self.port)]
        with open(self.folder / "serve.log", "ab") as log:
            self.process = subprocess.Popen(command, env=self.env, stderr=log)
        until = time.monotonic() + START
        while time.monotonic() < until:
            assert self.process.poll() is None, (self.folder / "serve.log").read_text()
            try:
                if self.get("/readyz").status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready: {(self.folder / 'serve.log').read_text()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)
        self.http.clear()
        self._forget_commands()

    def _forget_commands(self) -> None:
        if self.commands:
            self.commands.close()
            self.commands = None

    def worker_pid(self) -> int:
        assert self.process
        until = time.monotonic() + START
        while time.monotonic() < until:
            if children := _children(self.process.pid):
                return children[0]
            time.sleep(0.05)
        raise AssertionError("there is no worker process")

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: object = b"", **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, raw, **({"Content-Type": "application/json"} | headers))

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.http.request(method, f"http://127.0.0.1:{self.port}{path}", body=body, headers=named, timeout=20)
        return Answer(answer.status, answer.headers, answer.data.decode())

    def hook(self, path: str, body: object = b"", **headers: str) -> Answer:
        """A webhook with the key in its address."""
        return self.post(f"/?access_key={self.key}&{path}", body, **headers)

    def mails(self) -> list[str]:
        return [file.read_text() for file in sorted((self.folder / "mail").glob("*.eml"))]

    def settle(self, count: int, seconds: float = 40) -> list[dict[str, Any]]:
        """The deliveries, once there are so many and all have ended with nothing left to follow."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.json("deliveries")
            if len(found) >= count and all(d["finished_at"] for d in found) and self.followups_waiting() == 0:
                return list(found)
            time.sleep(0.2)
        raise AssertionError(
            f"still at work: {[(d['id'], d['status'], d['message']) for d in found if not d['finished_at']][:5]}"
        )

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = [line for line in self.get("/metrics").text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        assert lines, name
        return sum(float(line.split()[-1]) for line in lines)

    def followups_waiting(self) -> float:
        return self.metric("memberhook_followups_waiting")

    def count(self) -> float:
        """How many deliveries there are."""
        return self.metric("memberhook_deliveries")


@pytest.fixture(scope="module")
def crm() -> Iterator[Running]:
    simulated = SimulatedFluentCRM(datetime.now)
    simulated.add_user("memberhook", PASSWORD)
    for title in ("Course", "Newsletter"):
        simulated.add_tag(title)
    simulated.add_field("wp_password", "text", "WP Password")
    simulated.add_field("interests", "select-multi", "Interests", ("a", "b"))
    with Running(simulated) as running:
        yield running


def connect(service: Service, crm: Running, *options: str) -> None:
    account = ("--url", crm.url, "--username", "memberhook", "--password-stdin", "--allow-private")
    service.json("connect", "fluentcrm", "--name", "shop", *account, stdin=PASSWORD)
    service.cli("role", "add", "customer")
    made = service.json("hook", "add", "--connection", "shop", "--allow-role", "customer", *options)
    service.key = made["access_key"]


@pytest.fixture(scope="module")
def make_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """On the database that MEMBERHOOK_TEST_DATABASE names, unless the settings name one."""
    with ExitStack() as at_the_end:

        def make(**settings: str) -> Service:
            if os.environ.get("MEMBERHOOK_TEST_DATABASE") == "postgresql":
                settings = {"DATABASE_URL": at_the_end.enter_context(new_postgresql_database())} | settings
            service = Service(tmp_path_factory.mktemp("data"), {f"MEMBERHOOK_{k}": v for k, v in settings.items()})
            at_the_end.callback(service.stop)
            return service

        yield make


@pytest.fixture(scope="module")
def service(make_service: Callable[..., Service], crm: Running) -> Service:
    """Running, connected with the simulated CRM, its hook returns passwords."""
    service = make_service()
    service.start()
    connect(service, crm, "--return-password", "wp_password", "--map", "interests=interests", "--map", "city=city")
    return service
