"""`member` and `members`."""

from __future__ import annotations

import click

from memberhook.cli.common import as_json, read_password, say, show, site_named, with_database
from memberhook.engine.runtime import system_runtime
from memberhook.services import accounts
from memberhook.services.members import members


@click.group("member")
def member_command() -> None:
    """Manage the members of the local site."""


@member_command.command("add")
@click.argument("username")
@click.option("--email", required=True, help="E-mail address.")
@click.option(
    "--role",
    default="subscriber",
    show_default=True,
    help="Members with the role administrator may log in to the console.",
)
@click.option("--first-name", default="", help="First name.")
@click.option("--last-name", default="", help="Last name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.  [default: none is set]")
@as_json
@with_database
def add_member(
    username: str, email: str, role: str, first_name: str, last_name: str, password_stdin: bool, as_json: bool
) -> None:
    """Add a member to the local site. Use it for your own first log-in:

    \b
      memberhook member add me --email me@example.com --role administrator --password-stdin
    """
    password = read_password(True) if password_stdin else None
    user = accounts.new_member(username, email, role, first_name, last_name, password)
    say(
        {"id": str(user.pk), "login": username, "email": email, "role": role},
        f"Added the member {username}.",
        as_json=as_json,
    )


@click.command("members")
@click.argument("emails", nargs=-1)
@click.option("--site", default="local", show_default=True)
@as_json
@with_database
def members_command(emails: tuple[str, ...], site: str, as_json: bool) -> None:
    """List the members of a site, or those with these e-mail addresses."""
    rows = list(members(emails, site_named(site), system_runtime().http))
    show(rows, ("id", "login", "email", "display_name", "roles", "tags"), as_json=as_json)
