"""The command line: thin callers of the same functions that the service uses."""

from __future__ import annotations

import os
import sys

import click
from django.core.exceptions import ImproperlyConfigured

from memberhook import __version__
from memberhook.core.errors import MemberhookError

COMMANDS = {
    "serve": "serve",
    "worker": "serve",
    "demo": "demo",
    "connect": "connect",
    "site": "sites",
    "hook": "hooks",
    "key": "hooks",
    "role": "connect",
    "member": "connect",
    "members": "listings",
    "deliveries": "listings",
    "replay": "bulk",
    "import": "bulk",
    "resync": "bulk",
    "doctor": "doctor",
    "wordpress": "wordpress",
}


class Commands(click.Group):
    """Imports the module of a command when it is used, after Django is set up."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module

        set_up()
        module = import_module(f"memberhook.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command


def set_up() -> None:
    """Sets up Django: the service's settings, or those of the project that DJANGO_SETTINGS_MODULE names."""
    import django
    from django.apps import apps

    if apps.ready:  # by manage.py
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memberhook.server.settings")
    django.setup()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="memberhook")
def cli() -> None:
    """A webhook comes in from a CRM, a member is made or changed on a site.

    \b
    First steps:
      memberhook demo                     see it work, with a simulated CRM
      memberhook serve                    start the service
      memberhook connect fluentcrm …      tell it about your CRM
      memberhook hook add …               get the address for your automation
      memberhook doctor                   find out what is wrong

    All state is in $MEMBERHOOK_DATA (./memberhook-data).
    """


class CommandFailed(Exception):
    """A command could not be carried out; the text is the one sentence to show."""


def main() -> None:
    """Run a command. Exit status 1 with one clear sentence on stderr when it fails."""
    try:
        sys.exit(run())
    except CommandFailed as error:
        click.echo(f"memberhook: {error}", err=True)
        sys.exit(1)


def run(arguments: list[str] | None = None, program: str | None = None) -> int:
    """Run a command and return its exit status. Raises `CommandFailed`. The default arguments are the process's own."""
    try:
        status = cli.main(arguments, prog_name=program, standalone_mode=False)
    except click.exceptions.Abort as error:
        raise CommandFailed("Stopped.") from error
    except click.ClickException as error:
        message = error.format_message()
        hint = f" See: {error.ctx.command_path} --help" if isinstance(error, click.UsageError) and error.ctx else ""
        raise CommandFailed(f"{message}{hint}") from error
    except MemberhookError as error:
        raise CommandFailed(error.message) from error
    except (ImproperlyConfigured, OSError) as error:
        raise CommandFailed(str(error)) from error
    except Exception as error:
        if _is_database(error):
            raise CommandFailed(f"The database cannot be used: {error}".strip().splitlines()[0]) from error
        raise
    return status if isinstance(status, int) else 0


def _is_database(error: Exception) -> bool:
    from django.db import Error

    return isinstance(error, Error)
