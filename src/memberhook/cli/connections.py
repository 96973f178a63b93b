"""`connect`."""

from __future__ import annotations

import click

from memberhook.cli.checks import data, lines, results_shown
from memberhook.cli.common import as_json, read_password, say, utc_now, with_database
from memberhook.crms.contract import Catalog
from memberhook.crms.registry import CRMS
from memberhook.engine.runtime import system_runtime
from memberhook.services.connect import connect


@click.command("connect")
@click.argument("kind", type=click.Choice(sorted(CRMS)))
@click.option("--name", required=True, help="Name for this connection, like shop.")
@click.option("--url", required=True, help="Address of the site that the CRM runs on.")
@click.option("--username", required=True, help="The WordPress user that the application password belongs to.")
@click.option("--password-stdin", is_flag=True, help="Read the application password from standard input.")
@click.option("--allow-private", is_flag=True, help="Allow an address in a private or loopback network.")
@as_json
@with_database
def connect_command(
    kind: str, name: str, url: str, username: str, password_stdin: bool, allow_private: bool, as_json: bool
) -> None:
    """Connect a CRM account: test the credentials, store them encrypted, load tags and fields.

    Run it again with the same name to change the address or the password, or to reload tags and fields.

    \b
    Example:
      memberhook connect fluentcrm --name shop --url https://shop.example --username memberhook --password-stdin
    """
    with results_shown(as_json=as_json):
        connected = connect(
            kind,
            name,
            url,
            username,
            read_password(password_stdin),
            allow_private=allow_private,
            http=system_runtime().http,
            now=utc_now(),
        )
    catalog = connected.catalog or Catalog()
    counts = f"{len(catalog.tags)} tags, {len(catalog.lists)} lists and {len(catalog.fields)} fields"
    report = {
        "connection": name,
        "kind": kind,
        "url": connected.connection.url,
        "checks": data(connected.results),
        "tags": len(catalog.tags),
        "lists": len(catalog.lists),
        "fields": [field.name for field in catalog.fields],
    }
    sentences = [
        *lines(connected.results),
        f"Connected {name}: {counts}.",
        f"Next: memberhook hook add --connection {name}",
    ]
    say(report, "\n".join(sentences), as_json=as_json)
