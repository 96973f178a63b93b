"""`role`."""

from __future__ import annotations

import click

from memberhook.cli.common import as_json, say, show, site_named, with_database
from memberhook.core.errors import UsageError
from memberhook.engine.clients import open_site_row
from memberhook.engine.runtime import system_runtime
from memberhook.services import accounts
from memberhook.services.sites import is_remote, kind_name, missing_role_hint


@click.group("role")
def role_command() -> None:
    """Manage the roles of a site."""


@role_command.command("add")
@click.argument("slug")
@click.option("--title", help="Name that people see.  [default: the slug, capitalised]")
@click.option("--site", default="local", show_default=True, help="Only local: add roles of a WordPress there.")
@as_json
@with_database
def add_role_command(slug: str, title: str | None, site: str, as_json: bool) -> None:
    """Add a role to the local site. It has no permissions; what its members may see is up to your pages."""
    row = site_named(site)
    if is_remote(row):
        raise UsageError(
            f"The roles of {site} belong to {kind_name(row)}. {missing_role_hint(row, slug)}", code="remote_site"
        )
    role = accounts.new_role(slug, title)
    say({"role": role.slug, "title": role.title}, f"The role {role.slug} ({role.title}) exists.", as_json=as_json)


@role_command.command("list")
@click.option("--site", default="local", show_default=True, help="The site whose roles to list.")
@as_json
@with_database
def list_roles(site: str, as_json: bool) -> None:
    """List the roles of a site and which of them are privileged. Those of a remote site are as last checked."""
    roles = open_site_row(site_named(site), system_runtime().http).roles()
    rows = [{"role": role.slug, "title": role.title, "privileged": role.privileged} for role in roles]
    show(rows, ("role", "title", "privileged"), as_json=as_json)
