"""`manage.py memberhook …`: every command of the command line, for a host project."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from memberhook.cli import CommandFailed, run

PROGRAM = "manage.py memberhook"


class Command(BaseCommand):
    help = "Run a command of Memberhook, like: manage.py memberhook worker"
    requires_system_checks = []  # `doctor` runs them, and must work when one fails

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """A parser that leaves everything but --settings and --pythonpath to the command line, `--help` too."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parse_args = parser.parse_args

        def leave_it(args: Sequence[str] | None = None, namespace: Any = None) -> Any:
            for_django = CommandParser(add_help=False, allow_abbrev=False)
            for_django.add_argument("--settings")
            for_django.add_argument("--pythonpath")
            _, rest = for_django.parse_known_args(args)
            return parse_args(["--", *rest], namespace)

        parser.parse_args = leave_it  # type: ignore[method-assign, assignment]
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("arguments", nargs="*")

    def print_help(self, prog_name: str, subcommand: str) -> None:
        run(["--help"], program=PROGRAM)

    def handle(self, *args: Any, **options: Any) -> None:
        out, err = options.get("stdout") or sys.stdout, options.get("stderr") or sys.stderr
        try:
            with redirect_stdout(out), redirect_stderr(err):
                status = run(options["arguments"], program=PROGRAM)
        except CommandFailed as error:
            raise CommandError(str(error)) from error
        if status:
            sys.exit(status)
