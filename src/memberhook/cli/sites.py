"""`site`: where members live."""

from __future__ import annotations

from typing import Any

import click

from memberhook.cli import checks
from memberhook.cli.common import as_json, iso, read_password, say, show, site_named, utc_now, with_database
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Site
from memberhook.services import sites
from memberhook.services.checks import require
from memberhook.sites.contract import SiteCheck
from memberhook.sites.registry import REMOTE
from memberhook.sites.wordpress import site_data


@click.group("site")
def site_command() -> None:
    """Manage sites, where members live. The site `local` always exists."""


@site_command.command("add")
@click.argument("kind", type=click.Choice(sorted(REMOTE)))
@click.option("--name", required=True, help="Name for this site, like club.")
@click.option("--url", required=True, help="Address of its home page.")
@click.option("--username", required=True, help="The WordPress user that the application password belongs to.")
@click.option("--password-stdin", is_flag=True, help="Read the application password from standard input.")
@click.option("--allow-private", is_flag=True, help="Allow an address in a private or loopback network.")
@click.option("--full-cost-hash", is_flag=True, help=site_data.FULL_COST_HASH)
@click.option("--wp-fusion", metavar="SLUG", default="", help=site_data.WP_FUSION)
@as_json
@with_database
def add(
    kind: str,
    name: str,
    url: str,
    username: str,
    password_stdin: bool,
    allow_private: bool,
    full_cost_hash: bool,
    wp_fusion: str,
    as_json: bool,
) -> None:
    """Add a site: test the credentials, store them encrypted, find out what the site has and can do.

    Run it again with the same name to change the address, the password or an option; options that are not given are
    switched off. With the connector, WordPress makes a user and an application password under Settings > Memberhook;
    without it, the user needs the rights of an administrator.
    """
    with checks.results_shown(as_json=as_json):
        added = sites.add(
            kind,
            name,
            url,
            username,
            read_password(password_stdin),
            options=site_data.options(full_cost_hash=full_cost_hash, wp_fusion=wp_fusion),
            allow_private=allow_private,
            http=system_runtime().http,
            now=utc_now(),
        )
    _report(added.site, added.checked, [f"Note: {added.warning}"] if added.warning else [], as_json=as_json)


@site_command.command("check")
@click.argument("name")
@as_json
@with_database
def check(name: str, as_json: bool) -> None:
    """Test a site again: address, credentials and rights; load its roles and capabilities.

    Use it after adding a role there, or after installing or updating the connector plugin. Deliveries that wait for the
    site are tried again at once.
    """
    site = site_named(name)
    checked = sites.check(site, system_runtime().http, utc_now())
    with checks.results_shown(as_json=as_json):
        require(checked.results, f"{sites.kind_name(site)} {name}")
    _report(site, checked, [], as_json=as_json)


def _report(site: Site, checked: SiteCheck, notes: list[str], *, as_json: bool) -> None:
    capabilities = sites.known_capabilities(site)
    data = {
        **_summary(site),
        "checks": checks.data(checked.results),
        "roles": [{"slug": r.slug, "title": r.title, "privileged": r.privileged} for r in capabilities.roles],
    }
    lines = [*checks.lines(checked.results), *notes]
    if sites.is_remote(site):
        lines += [
            f"{site.name} is {sites.kind_name(site)} {capabilities.wordpress or ''}".rstrip()
            + f", reached by {capabilities.transport_label}.",
            f"Roles: {sites.roles_in_words(capabilities.roles)}.",
            *([] if capabilities.connector else _offer(site)),
            *([] if site.hooks.exists() else [f"Next: memberhook hook add --connection … --site {site.name}"]),
        ]
    say(data, "\n".join(lines), as_json=as_json)


def _offer(site: Site) -> list[str]:
    return [
        f"To get the connector plugin: {sites.GET_CONNECTOR}",
        f"Install it with {sites.UPLOAD}, activate it, then: memberhook site check {site.name}",
    ]


def _summary(site: Site) -> dict[str, Any]:
    capabilities = sites.known_capabilities(site)
    return {
        "site": site.name,
        "kind": site.kind,
        "url": site.url or None,
        "transport": capabilities.transport or None,
        "wordpress": capabilities.wordpress,
        "connector": capabilities.connector,
    }


@site_command.command("list")
@as_json
@with_database
def list_sites(as_json: bool) -> None:
    """List all sites, as they were when last checked."""
    rows = [{**_summary(site), "checked_at": iso(site.checked_at)} for site in Site.objects.order_by("name")]
    show(rows, ("site", "kind", "url", "transport", "wordpress", "connector"), as_json=as_json)


@site_command.command("remove")
@click.argument("name")
@as_json
@with_database
def remove(name: str, as_json: bool) -> None:
    """Remove a site that no hook uses, with its links and the data kept for it. The site itself is not changed."""
    sites.remove(site_named(name))
    say({"site": name, "removed": True}, f"Removed the site {name}.", as_json=as_json)
