"""Runs `memberhook` commands, each in a process of its own that is forked from one which has loaded everything.

Starting Python and Django anew for each of the many commands of the pages would take most of the time of their test.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LOADED = """
import json, os, sys
import click
from memberhook.cli import cli, main

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
        status = 2
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass
class Commands:
    """`with Commands(env, folder) as commands:`; `folder` is for what goes in and comes out."""

    env: dict[str, str]
    folder: Path
    _loaded: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Commands:
        command = [sys.executable, "-c", _LOADED]
        pipe = subprocess.PIPE
        self._loaded = subprocess.Popen(command, env=self.env, stdin=pipe, stdout=pipe, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._loaded.communicate(timeout=60)

    def run(self, arguments: Sequence[str], folder: Path, typed: str) -> tuple[int, str, str]:
        """Exit status and what was printed to standard output and standard error."""
        files = [self.folder / name for name in ("in", "out", "err")]
        for file, content in zip(files, (typed, "", ""), strict=True):
            file.write_text(content)
        assert self._loaded.stdin
        assert self._loaded.stdout
        self._loaded.stdin.write(json.dumps([list(arguments), str(folder), list(map(str, files))]) + "\n")
        self._loaded.stdin.flush()
        status = int(self._loaded.stdout.readline())
        return status, files[1].read_text(), files[2].read_text()
