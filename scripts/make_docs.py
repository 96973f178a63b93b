"""Generate docs/settings.md and docs/cli.md from the code.

    python scripts/make_docs.py            writes them
    python scripts/make_docs.py --check    only lists the pages that are out of date (and exits with status 1)

A test compares them with the code.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTE = "<!-- Made by scripts/make_docs.py from the code. Change the code, then run the script. -->"

SETTINGS = f"""{NOTE}

# Settings

The service reads its settings from environment variables. All of them are optional. In your own Django project, you can
use the same names in the Django settings, as Python values; they take precedence (see
[in your Django project](django.md)).

Write durations like `30s`, `15m`, `24h` or `7d`, and lists with spaces or commas. If a value is invalid, the service
does not start and says which one it is; so does `memberhook doctor`. Restart the service after a change.

| Variable | Default | What it does |
| --- | --- | --- |
"""

BELOW_A_PATH = """
## Below a path of another site

`MEMBERHOOK_PUBLIC_URL` can have a path, for example `https://example.com/bridge`. The addresses of hooks, the links in
e-mails and the pages of the service then all begin with it.

The proxy in front may pass the path on or strip it. Both work, and there is nothing else to set:

```nginx
location /bridge/ {
    proxy_pass http://127.0.0.1:8000;     # passes the path on; with a slash at the end, it strips it
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-Proto $scheme;
}
```

In a Django project of your own, the path is the one at which your web server mounts the project (`SCRIPT_NAME`,
`root_path` or Django's `FORCE_SCRIPT_NAME`); the prefix in your `urls.py` is added to it. `manage.py check` warns if
`FORCE_SCRIPT_NAME` is not the path of `MEMBERHOOK_PUBLIC_URL`.
"""

CLI = f"""{NOTE}

# Commands

All data is in the folder `MEMBERHOOK_DATA` (default `./memberhook-data`), so run commands with the same
[settings](settings.md) as the service. On success, a command exits with status 0. On failure, it exits with status 1
and prints the reason in one sentence to standard error. `--json` prints data for programs.
"""


def pages() -> dict[Path, str]:
    """Path → text of each page."""
    from memberhook.cli import set_up

    set_up()
    return {DOCS / "settings.md": settings_page(), DOCS / "cli.md": cli_page()}


def settings_page() -> str:
    from memberhook import conf

    rows = (
        f"| `{setting.variable}` | {f'`{setting.default}`' if setting.default else 'empty'} | {setting.help} |"
        for setting in conf.ALL
    )
    return SETTINGS + "\n".join(rows) + "\n" + BELOW_A_PATH


def cli_page() -> str:
    parts = [CLI]
    for path, command in commands():
        parts.append(f"## `{' '.join(path)}`\n\n{help_of(command)}")
        if not isinstance(command, click.Group):
            usage = " ".join([*path, *pieces(command)])
            parts.append(f"```text\n{usage}\n```\n")
        parts.append(table(command))
    return "\n".join(part for part in parts if part)


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with its words, groups before their commands."""
    from memberhook.cli import cli

    yield from below(("memberhook",), cli)


def below(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path[-1])
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from below((*path, name), found)


def help_of(command: click.Command) -> str:
    """Help as Markdown. A paragraph that click does not wrap (`\\b`) becomes a block: commands, or plain text."""
    paragraphs = []
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if not paragraph.startswith("\b\n"):
            paragraphs.append(textwrap.fill(" ".join(paragraph.split()), 120, break_on_hyphens=False))
            continue
        lines = [line.strip() for line in paragraph.splitlines()[1:]]
        lines = [line for line in lines if line != "Example:"]
        are_commands = all(line.startswith("memberhook ") and "  " not in line for line in lines)
        paragraphs.append("\n".join([f"```{'sh' if are_commands else 'text'}", *lines, "```"]))
    return "\n\n".join(paragraphs) + "\n"


def pieces(command: click.Command) -> Iterator[str]:
    """`[OPTIONS] NAME [IDS]…`: the usage after the command."""
    if options(command):
        yield "[OPTIONS]"
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            name = argument(parameter)
            yield (name if parameter.required else f"[{name}]") + ("…" if parameter.nargs == -1 else "")


def argument(parameter: click.Argument) -> str:
    if isinstance(parameter.type, click.Choice):
        return "|".join(map(str, parameter.type.choices))
    return (parameter.name or "").upper()


def options(command: click.Command) -> list[click.Option]:
    return [p for p in command.params if isinstance(p, click.Option) and not p.hidden]


def table(command: click.Command) -> str:
    rows = [f"| `{written(option)}` | {meaning(option)} |" for option in options(command)]
    return "\n".join(["| Option | Meaning |", "| --- | --- |", *rows]) + "\n" if rows else ""


def written(option: click.Option) -> str:
    """The option with its value: `--role ROLE`, `--action add/update`."""
    name = ", ".join(option.opts)
    if option.is_flag:
        return name
    if option.metavar:
        return f"{name} {option.metavar}"
    if isinstance(option.type, click.Choice):
        return f"{name} {'/'.join(map(str, option.type.choices))}"
    return f"{name} {'NUMBER' if option.type.name.startswith('integer') else option.type.name.upper()}"


def meaning(option: click.Option) -> str:
    text = " ".join((option.help or "").split())
    default = f"Default: `{option.default}`." if option.show_default and not option.required else ""
    return " ".join(filter(None, (text, "Required." if option.required else "", default)))


def main() -> int:
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"docs/{path.name} is out of date: python scripts/make_docs.py")
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages()[path], "utf-8")
        print(f"docs/{path.name} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
