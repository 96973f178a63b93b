"""The command line: parses, calls services, prints. May import anything but the console."""

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
    "connect": "connections",
    "site": "sites",
    "hook": "hooks",
    "key": "keys",
    "role": "roles",
    "member": "members",
    "members": "members",
    "deliveries": "deliveries",
    "replay": "deliveries",
    "import": "imports",
    "resync": "imports",
    "doctor": "doctor",
    "wordpress": "wordpress",
}


class Commands(click.Group):
    """Imports the module of a command only when the command is used, after Django is set up."""

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
    """Set up Django with the settings of the service, or those that DJANGO_SETTINGS_MODULE names."""
    import django
    from django.apps import apps

    if apps.ready:  # by manage.py
        return
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memberhook.server.settings")
    django.setup()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="memberhook")
def cli() -> None:
    """Create and update the members of a site when the webhooks of a CRM come in.

    \b
    First steps:
      memberhook demo                     see it work, with a simulated CRM
      memberhook serve                    start the service
      memberhook connect fluentcrm …      connect your CRM
      memberhook hook add …               get the webhook address for your automation
      memberhook doctor                   check everything that could be wrong

    All state is in $MEMBERHOOK_DATA (./memberhook-data).
    """


class CommandFailed(Exception):
    """A command could not be carried out; the text is the one sentence to show."""


def main() -> None:
    """Run a command. If it fails, print one sentence on standard error and exit with status 1."""
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
