"""`site`: where members live."""

from __future__ import annotations

from typing import Any

import click

from memberhook.cli import credentials
from memberhook.cli.common import as_json, iso, say, show, site_named, utc_now, with_database
from memberhook.core.errors import UsageError
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Site
from memberhook.services import sites
from memberhook.sites.contract import SiteCheck
from memberhook.sites.registry import REMOTE
from memberhook.sites.wordpress import site_data


@click.group("site")
def site_command() -> None:
    """Sites: where members live. The site `local` is always there."""


@site_command.command("add")
@click.argument("kind", type=click.Choice(sorted(REMOTE)))
@click.option("--name", required=True, help="What to call this site, like club.")
@click.option("--url", required=True, help="Its address, as its home page has it.")
@click.option("--username", required=True, help="The WordPress user that the application password belongs to.")
@click.option("--password-stdin", is_flag=True, help="Read the application password from standard input.")
@click.option("--allow-private", is_flag=True, help="The address may be in a private or loopback network.")
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
    """Add a site: test the credentials, store them encrypted, look what it has and can do.

    Run it again with the same name to change the address, the password or an option: what is not given is off. With
    the connector, WordPress makes a user and an application password under Settings > Memberhook; without it the user
    needs the rights of an administrator. The application password goes on standard input.
    """
    site = Site.objects.filter(name=name).first() or Site(name=name, kind=kind)
    if site.kind != kind:
        raise UsageError(
            f"{name!r} is the name of the {site.kind} site; choose another with --name.", code="name_taken"
        )
    old_url, site.url = site.url, credentials.checked_url(url)
    site.username, site.allow_private = username, allow_private
    site.options = site_data.options(full_cost_hash=full_cost_hash, wp_fusion=wp_fusion)
    site.password = credentials.read_password(password_stdin)
    credentials.check_columns(site)
    checked = sites.inspect(site, system_runtime().http)
    credentials.refuse(f"{REMOTE[kind]} at {site.url}", checked.results, "Nothing was stored.", as_json=as_json)
    site.capabilities, site.checked_at, site.paused_until = dict(checked.capabilities), utc_now(), None
    site.save()
    moved = sites.moved_warning(site, old_url)
    _report(site, checked, [f"Note: {moved}"] if moved else [], as_json=as_json)


@site_command.command("check")
@click.argument("name")
@as_json
@with_database
def check(name: str, as_json: bool) -> None:
    """Look at a site again: address, credentials, rights; roles and abilities as they are now.

    Use it after a role was made there, or the connector plugin was put in or brought up to date. What waits for the
    site is tried again at once.
    """
    site = site_named(name)
    checked = sites.inspect(site, system_runtime().http)
    credentials.refuse(f"{sites.kind_name(site)} {name}", checked.results, "", as_json=as_json)
    sites.save_capabilities(site, checked, utc_now())
    sites.resume(site)
    _report(site, checked, [], as_json=as_json)


def _report(site: Site, checked: SiteCheck, notes: list[str], *, as_json: bool) -> None:
    capabilities = sites.known_capabilities(site)
    data = {
        **_summary(site),
        "checks": credentials.data(checked.results),
        "roles": [{"slug": r.slug, "title": r.title, "privileged": r.privileged} for r in capabilities.roles],
    }
    lines = [*credentials.lines(checked.results), *notes]
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
        f"Put it in with {sites.UPLOAD}, activate it, then: memberhook site check {site.name}",
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
    """All sites, with what they were when they were last checked."""
    rows = [{**_summary(site), "checked_at": iso(site.checked_at)} for site in Site.objects.order_by("name")]
    show(rows, ("site", "kind", "url", "transport", "wordpress", "connector"), as_json=as_json)


@site_command.command("remove")
@click.argument("name")
@as_json
@with_database
def remove(name: str, as_json: bool) -> None:
    """Forget a site that no hook uses, with its links and what was kept for it. The site itself is not touched."""
    sites.remove(site_named(name))
    say({"site": name, "removed": True}, f"The site {name} is forgotten.", as_json=as_json)
