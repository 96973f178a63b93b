"""`connect`, `site`, `role`, `member`: what there is to connect."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click
from django.db import transaction

from memberhook.cli.common import as_json, say, show, utc_now, with_database
from memberhook.connections.clients import crm_client, save_catalog
from memberhook.connections.models import Connection, Site
from memberhook.crms.registry import CRMS, crm
from memberhook.errors import UsageError
from memberhook.findings import Finding
from memberhook.local import accounts
from memberhook.worker import real_tools


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
    connection.full_clean(validate_unique=False)
    client = crm_client(connection, real_tools().http)
    findings = client.check()
    report = [{"check": f.name, "ok": f.ok, "message": f.message} for f in findings]
    problem = next((f for f in findings if f.needed and not f.ok), None)
    if problem:
        raise UsageError(
            f"{crm(kind).name} at {connection.url}: {problem.message} Nothing was stored.", code="not_connected"
        )
    catalog = client.catalog()
    with transaction.atomic():
        connection.save()
        save_catalog(connection, catalog, utc_now())
    counts = f"{len(catalog.tags)} tags, {len(catalog.lists)} lists and {len(catalog.fields)} fields"
    data = {
        "connection": name,
        "kind": kind,
        "url": connection.url,
        "checks": report,
        "tags": len(catalog.tags),
        "lists": len(catalog.lists),
        "fields": [field.name for field in catalog.fields],
    }
    lines = [
        *(_line(f) for f in findings),
        f"Connected {name}: {counts}.",
        f"Next: memberhook hook add --connection {name}",
    ]
    say(data, "\n".join(lines), as_json=as_json)


def _line(finding: Finding) -> str:
    return f"  {'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.message}"


def checked_url(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is no address; write it like https://shop.example.", code="bad_url")
    if parts.username or parts.password:
        raise UsageError("Give the password on standard input, not in the address.", code="bad_url")
    return url.strip()


def read_password(from_stdin: bool) -> str:
    """From standard input, or asked for when a person sits there."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Application password", hide_input=True)
    else:
        raise UsageError("Give the password on standard input, with --password-stdin.", code="no_password")
    if not password:
        raise UsageError(
            "The password is empty; pipe it in, like: … --password-stdin < password.txt", code="no_password"
        )
    return password


@click.group("site")
def site_command() -> None:
    """Sites: where members live. The site `local` is always there."""


@site_command.command("list")
@as_json
@with_database
def list_sites(as_json: bool) -> None:
    """All sites."""
    rows = [{"site": site.name, "kind": site.kind, "url": site.url or None} for site in Site.objects.order_by("name")]
    show(rows, ("site", "kind", "url"), as_json=as_json)


@click.group("role")
def role_command() -> None:
    """Roles of the local site."""


@role_command.command("add")
@click.argument("slug")
@click.option("--title", help="How people see it.  [default: the slug, capitalised]")
@as_json
@with_database
def add_role_command(slug: str, title: str | None, as_json: bool) -> None:
    """Add a role to the local site. It has no rights: what members of it see is up to you."""
    role = accounts.new_role(slug, title)
    say({"role": role.slug, "title": role.title}, f"Role {role.slug} ({role.title}) is there.", as_json=as_json)


@role_command.command("list")
@as_json
@with_database
def list_roles(as_json: bool) -> None:
    """All roles of the local site, and which are privileged."""
    from memberhook.local.roles import group_roles

    rows = [{"role": r.role.slug, "title": r.role.title, "privileged": r.role.privileged} for r in group_roles()]
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
