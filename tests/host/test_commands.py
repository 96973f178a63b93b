"""`manage.py memberhook …`: every command of the command line, in a host project."""

from __future__ import annotations

import json

import click
import pytest
from django.core.management import CommandError, call_command

from memberhook.cli import COMMANDS
from tests.host.conftest import Run

MANAGE = ("-m", "django", "memberhook")


def test_help_shows_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("memberhook", "--help")
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: manage.py memberhook [OPTIONS] COMMAND")
    assert all(f"\n  {name} " in shown for name in COMMANDS)
    call_command("memberhook", "hook", "add", "--help")
    assert "Usage: manage.py memberhook hook add [OPTIONS]" in capsys.readouterr().out


def test_options_and_output_are_the_commands(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("memberhook", "role", "add", "gold", "--title", "Gold member", "--json")
    assert json.loads(capsys.readouterr().out) == {"role": "gold", "title": "Gold member"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hook", "url", "shop"), "There is no hook 'shop'; there is none yet"),
        (("hook", "url"), "Missing argument 'NAME'. See: manage.py memberhook hook url --help"),
        (("nonsense",), "No such command 'nonsense'"),
        (("members", "--nonsense"), "No such option"),
    ],
)
def test_what_fails_is_a_command_error(db: None, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message) as caught:
        call_command("memberhook", *arguments)
    assert not isinstance(caught.value, click.ClickException)


def test_in_a_project_of_its_own(run: Run) -> None:
    """In processes: from the shell, with Django's own options, and through `python -m memberhook`."""
    run("-m", "django", "migrate", "-v", "0")
    listing = ("role", "list", "--json")
    expected = [{"role": "subscriber", "title": "Subscriber", "privileged": False}]
    assert json.loads(run(*MANAGE, "--settings", "tests.host.settings", *listing)) == expected
    assert json.loads(run("-m", "memberhook", *listing)) == expected
    for command in ("serve", "demo"):
        assert "CommandError: This command runs the service." in run(*MANAGE, command, status=1)
    assert "checks failed" in run(*MANAGE, "doctor", status=1)
    assert "Usage: manage.py memberhook" in run("-m", "django", "help", "memberhook")
