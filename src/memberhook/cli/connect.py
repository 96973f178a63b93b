"""`connect`, `role`, `member`: what there is to connect, and whom the local site begins with."""

from __future__ import annotations

import click
from django.db import transaction

from memberhook.cli.common import as_json, say, show, site_named, utc_now, with_database
from memberhook.cli.credentials import check_columns, checked_url, data, lines, read_password, refuse
from memberhook.core.errors import UsageError
from memberhook.crms.registry import CRMS, crm
from memberhook.engine.clients import crm_client, open_site_row
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Connection
from memberhook.services import accounts
from memberhook.services.catalog import save_catalog
from memberhook.services.sites import is_remote, kind_name, missing_role_hint


@click.command("connect")
@click.argument("kind", type=click.Choice(sorted(CRMS)))
@click.option("--name", required=True, help="What to call this connection, like shop.")
@click.option("--url", required=True, help="Address of the site that the CRM runs on.")
@click.option("--username", required=True, help="The WordPress user that the application password belongs to.")
@click.option("--password-stdin", is_flag=True, help="Read the application password from standard input.")
@click.option("--allow-private", is_flag=True, help="The address may be in a private or loopback network.")
@as_json
@with_database
def connect_command(
    kind: str, name: str, url: str, username: str, password_stdin: bool, allow_private: bool, as_json: bool
) -> None:
    """Connect a CRM account: test the credentials, store them encrypted, load tags and fields.

    Run it again with the same name to change the address or password, or to reload tags and fields.

    \b
    Example:
      memberhook connect fluentcrm --name shop --url https://shop.example --username memberhook --password-stdin
    """
    connection = Connection.objects.filter(name=name).first() or Connection(name=name)
    connection.kind, connection.url = kind, checked_url(url)
    connection.username, connection.allow_private = username, allow_private
    connection.password = read_password(password_stdin)
    check_columns(connection)
    client = crm_client(connection, system_runtime().http)
    results = client.check()
    refuse(f"{crm(kind).name} at {connection.url}", results, "Nothing was stored.", as_json=as_json)
    catalog = client.catalog()
    with transaction.atomic():
        connection.save()
        save_catalog(connection, catalog, utc_now())
    counts = f"{len(catalog.tags)} tags, {len(catalog.lists)} lists and {len(catalog.fields)} fields"
    report = {
        "connection": name,
        "kind": kind,
        "url": connection.url,
        "checks": data(results),
        "tags": len(catalog.tags),
        "lists": len(catalog.lists),
        "fields": [field.name for field in catalog.fields],
    }
    told = [
        *lines(results),
        f"Connected {name}: {counts}.",
        f"Next: memberhook hook add --connection {name}",
    ]
    say(report, "\n".join(told), as_json=as_json)


@click.group("role")
def role_command() -> None:
    """Roles of a site."""


@role_command.command("add")
@click.argument("slug")
@click.option("--title", help="How people see it.  [default: the slug, capitalised]")
@click.option(
    "--site", default="local", show_default=True, help="Only the local site: a WordPress has roles of its own."
)
@as_json
@with_database
def add_role_command(slug: str, title: str | None, site: str, as_json: bool) -> None:
    """Add a role to the local site. It has no rights: what members of it see is up to you."""
    row = site_named(site)
    if is_remote(row):
        raise UsageError(
            f"Roles of {site} are {kind_name(row)}'s own. {missing_role_hint(row, slug)}", code="remote_site"
        )
    role = accounts.new_role(slug, title)
    say({"role": role.slug, "title": role.title}, f"Role {role.slug} ({role.title}) is there.", as_json=as_json)


@role_command.command("list")
@click.option("--site", default="local", show_default=True, help="The site whose roles are meant.")
@as_json
@with_database
def list_roles(site: str, as_json: bool) -> None:
    """All roles of a site, and which are privileged. Of a site that is elsewhere: as they were last found."""
    roles = open_site_row(site_named(site), system_runtime().http).roles()
    rows = [{"role": role.slug, "title": role.title, "privileged": role.privileged} for role in roles]
    show(rows, ("role", "title", "privileged"), as_json=as_json)


@click.group("member")
def member_command() -> None:
    """Members of the local site."""


@member_command.command("add")
@click.argument("login")
@click.option("--email", required=True, help="E-mail address.")
@click.option("--role", default="subscriber", show_default=True, help="`administrator` may log in to the console.")
@click.option("--first-name", default="", help="First name.")
@click.option("--last-name", default="", help="Last name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.  [default: none is set]")
@as_json
@with_database
def add_member(
    login: str, email: str, role: str, first_name: str, last_name: str, password_stdin: bool, as_json: bool
) -> None:
    """Add a member to the local site by hand. The way to your own first log-in:

    \b
      memberhook member add me --email me@example.com --role administrator --password-stdin
    """
    password = read_password(True) if password_stdin else None
    user = accounts.new_member(login, email, role, first_name, last_name, password)
    say(
        {"id": str(user.pk), "login": login, "email": email, "role": role}, f"Member {login} is there.", as_json=as_json
    )
