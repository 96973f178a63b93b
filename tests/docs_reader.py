"""Follow a page of the documentation: run its commands, in order, against the real service.

`WORDS` lists the example names that are replaced; `NOT_RUN` lists the commands that are not run, and why.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from memberhook.cli import cli
from memberhook.testing.fluentcrm import Running
from tests.docs_pages import ROOT, Block, commands
from tests.server.conftest import PASSWORD, Service

CRM, MEMBERS, WORDPRESS, POSTGRESQL = (
    "https://shop.example",
    "https://members.example",
    "https://club.example",
    "postgresql://memberhook@db.example/memberhook",
)
WORDS = {
    CRM: "the simulated FluentCRM, with --allow-private: it is on this machine",
    MEMBERS: "the running service",
    WORDPRESS: "a WordPress that answers as one with the connector does, with --allow-private",
    POSTGRESQL: "another database: on the PostgreSQL of the tests, else an SQLite file",
    "YOURACCESSKEY": "the key that was shown last",
    "memberhook-data": "the data folder of the running service",
}
NOT_RUN = {
    "sudo": "changes the machine",
    "pip": "installing is tested by .ci/run, in empty environments",
    "python3 -m venv": "tested there too",
    "source": "only changes the shell",
    "python manage.py collectstatic": "only for projects that use it; the example does not",
}
NEVER_ENDING = ("serve", "worker", "demo")
TYPED = {"connect": PASSWORD, "site": PASSWORD, "member": "correct horse battery"}
"""Input for commands that ask for a password."""


@dataclass
class Reader:
    """`folder`: where it works; `project`: whether that is a Django project of its own, not the service's."""

    service: Service
    crm: Running
    folder: Path
    database_url: str
    wordpress: str
    project: bool = False
    env: dict[str, str] = field(default_factory=dict)
    key: str = ""

    def follow(self, block: Block) -> str:
        """Run the commands of a block and return their output. Fails at the first command that fails."""
        return "".join(self.run(line) for line in commands(block))

    def run(self, line: str) -> str:
        words = shlex.split(line, comments=True)
        env: dict[str, str] = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, value = words.pop(0).partition("=")
            env[name] = self._word(value)
        program, arguments = words[0], [new for word in words[1:] for new in self._words(word)]
        if any(f"{line} ".startswith(f"{start} ") for start in NOT_RUN):
            return ""
        if program == "make":  # what it would run, CI runs; and `make run` does not end
            subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, check=True)
            return ""
        if program == "export":
            for name, _, value in (argument.partition("=") for argument in arguments):
                self.env[name] = value
            return ""
        if program == "curl":
            return self._curl(arguments)
        if program == "memberhook":
            return self._memberhook(arguments, env)
        if program in ("python", "python3"):
            if arguments[:2] in (["-m", "memberhook"], ["manage.py", "memberhook"]):
                return self._memberhook(arguments[2:], env, arguments[:2])
            return self._process([sys.executable, *arguments], env)
        raise AssertionError(f"{program!r} cannot be run; see tests/docs_reader.py")

    def _words(self, word: str) -> list[str]:
        others = {CRM: self.crm.url, WORDPRESS: self.wordpress}
        return [others[word], "--allow-private"] if word in others else [self._word(word)]

    def _word(self, word: str) -> str:
        address = f"http://127.0.0.1:{self.service.port}"
        word = word.replace(MEMBERS, address).replace(POSTGRESQL, self.database_url)
        return word.replace("YOURACCESSKEY", self.key).replace("memberhook-data", str(self.service.folder))

    def shown(self, text: str) -> str:
        """The output with the example names restored."""
        text = text.replace(f"http://127.0.0.1:{self.service.port}", MEMBERS)
        for real, shown in ((self.crm.url, CRM), (self.wordpress, WORDPRESS)):
            text = text.replace(real, shown).replace(urlsplit(real).netloc, urlsplit(shown).netloc)
        return text

    def _memberhook(
        self, arguments: list[str], env: dict[str, str], program: Sequence[str] = ("-m", "memberhook")
    ) -> str:
        command = [sys.executable, *program, *arguments]
        if arguments[0] == "worker":
            return self._worker(command, env)
        if arguments[0] in NEVER_ENDING:
            found = cli.get_command(cli.make_context("memberhook", [], resilient_parsing=True), arguments[0])
            assert found
            found.make_context(arguments[0], arguments[1:])  # its options can be read
            assert self.service.get("/healthz").status == 200
            return ""
        typed = TYPED.get(arguments[0], "")
        if self.env or env or program[0] == "manage.py":
            out = self._process(command, env, typed)
        else:
            out = self.service.cli(*arguments, stdin=typed, folder=self.folder)
        if key := re.search(r"Access key \(shown this once\): (\S+)", out):
            self.key = key[1]
        return out

    def _process(self, command: list[str], env: dict[str, str], typed: str = "") -> str:
        everything = {**self.service.env, **self.env, **env}
        done = subprocess.run(
            command, env=everything, cwd=self.folder, input=typed, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, (command[1:], done.returncode, done.stdout, done.stderr)
        return done.stdout

    def _worker(self, command: list[str], env: dict[str, str]) -> str:
        """Run a worker until it is in the database, then stop it."""
        database = self.folder / "data/club.sqlite3" if self.project else self.service.folder / "memberhook.sqlite3"
        before = _workers(database)
        with subprocess.Popen(command, env={**self.service.env, **self.env, **env}, cwd=self.folder) as process:
            until = time.monotonic() + 20
            while _workers(database) == before and time.monotonic() < until:
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) in (
                0,
                -signal.SIGTERM,
            )  # the latter if it got the signal before its handler was set
        assert _workers(database) > before
        return ""

    def _curl(self, arguments: list[str]) -> str:
        """Send the request. Supports the options that the pages use; the response must be 2xx."""
        parser = argparse.ArgumentParser(exit_on_error=False)
        parser.add_argument("-H", dest="headers", action="append", default=[])
        parser.add_argument("-d", dest="body")
        parser.add_argument("address")
        curl = parser.parse_args(arguments)
        parts = urlsplit(curl.address)
        assert parts.port == self.service.port, f"{curl.address} is not the service"
        headers = dict(header.split(": ", 1) for header in curl.headers)
        method, body = ("GET", None) if curl.body is None else ("POST", curl.body.encode())
        if body is not None:
            headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
        answer = self.service.send(method, f"{parts.path or '/'}?{parts.query}", body, **headers)
        assert 200 <= answer.status < 300, (curl.address, answer.status, answer.text)
        return answer.text


def _workers(database: Path) -> int:
    connection = sqlite3.connect(database, timeout=20)
    try:
        return int(connection.execute("SELECT count(*) FROM memberhook_worker").fetchone()[0])
    finally:
        connection.close()


@dataclass
class Snapshot:
    """A copy of the service's database. Restoring it needs no restart: SQLite does it in one transaction."""

    service: Service
    copy: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", check_same_thread=False))

    def _live(self) -> sqlite3.Connection:
        return sqlite3.connect(self.service.folder / "memberhook.sqlite3", timeout=20)

    def take(self) -> Snapshot:
        live = self._live()
        live.backup(self.copy)
        live.close()
        return self

    def put_back(self) -> None:
        live = self._live()
        self.copy.backup(live)
        live.close()
        until = time.monotonic() + 20
        while self.service.get("/readyz").status != 200:
            assert time.monotonic() < until, "the worker has not been heard of since"
            time.sleep(0.05)


def example_project(folder: Path) -> Path:
    """Copy the example project, without a database."""
    kept = shutil.ignore_patterns("data", "__pycache__", "tests")
    return Path(shutil.copytree(ROOT / "example", folder / "club", ignore=kept))


def same_shape(shown: Any, real: Any) -> bool:
    """Whether two JSON values have the same names, and the same kinds of values where neither is null."""
    if isinstance(shown, dict) and isinstance(real, dict):
        return shown.keys() == real.keys() and all(same_shape(shown[name], real[name]) for name in shown)
    return shown is None or real is None or type(shown) is type(real)


def matches(shown: str, printed: str) -> bool:
    """Whether the output is as shown: `…` stands for anything within a line."""
    pattern = "\n".join(re.escape(line.rstrip()).replace("…", "[^\n]*") for line in shown.strip("\n").splitlines())
    lines = "\n".join(line.rstrip() for line in printed.strip("\n").splitlines())
    return re.fullmatch(pattern, lines) is not None
