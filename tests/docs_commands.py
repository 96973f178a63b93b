"""Run `memberhook` commands, each in a process forked from one that has already loaded everything.

Starting Python and Django for each of the many commands would take most of the tests' time. `serve`, `worker` and
`demo` do not run here: tests start them as users do.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LOADED = """
import contextlib, json, os, sys
import click
from memberhook.cli import cli, main

with contextlib.suppress(Exception):  # settings that cannot be read: each command says so
    for name in cli.list_commands(click.Context(cli)):
        cli.get_command(click.Context(cli), name)

for line in sys.stdin:
    arguments, folder, files = json.loads(line)
    child = os.fork()
    if child == 0:
        for descriptor, (name, flags) in enumerate(zip(files, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY))):
            os.dup2(os.open(name, flags), descriptor)
        os.chdir(folder)
        sys.argv = ["memberhook", *arguments]
        main()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass
class Commands:
    """Starts with the first command, and ends with `close()`."""

    env: Mapping[str, str]
    _loaded: subprocess.Popen[str] | None = None
    _folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="memberhook-commands-")
    )

    def run(
        self, arguments: Sequence[str], folder: Path | None = None, typed: str = "", timeout: float = 60
    ) -> tuple[int, str, str]:
        """Exit status and what was printed to standard output and standard error."""
        if self._loaded is None:
            command = [sys.executable, "-c", _LOADED]
            pipe = subprocess.PIPE
            self._loaded = subprocess.Popen(
                command, env=self.env, stdin=pipe, stdout=pipe, text=True, start_new_session=True
            )
        files = [Path(self._folder.name, name) for name in ("in", "out", "err")]
        for file, content in zip(files, (typed, "", ""), strict=True):
            file.write_text(content)
        assert self._loaded.stdin
        assert self._loaded.stdout
        self._loaded.stdin.write(json.dumps([list(arguments), str(folder or Path.cwd()), list(map(str, files))]) + "\n")
        self._loaded.stdin.flush()
        ended, _, _ = select.select([self._loaded.stdout], [], [], timeout)
        if not ended:
            os.killpg(self._loaded.pid, signal.SIGKILL)
            raise AssertionError(f"memberhook {' '.join(arguments)} has not ended after {timeout:.0f} seconds")
        status = self._loaded.stdout.readline()
        assert status, "the process that commands are forked from has ended"
        return int(status), files[1].read_text(), files[2].read_text()

    def close(self) -> None:
        if self._loaded is not None:
            self._loaded.communicate(timeout=60)
            self._loaded = None
        self._folder.cleanup()
