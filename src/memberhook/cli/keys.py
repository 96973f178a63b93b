"""`key`."""

from __future__ import annotations

from datetime import timedelta

import click
from django.db import transaction

from memberhook.cli.common import Duration, as_json, hook_named, iso, say, show, utc_now, with_database
from memberhook.cli.hooks import ACTIONS
from memberhook.models.connections import Hook
from memberhook.services import hooks, keys


@click.group("key")
def key_command() -> None:
    """Keys of a hook, those that open it and those that sign: rotate, add, list, revoke."""


@key_command.command("rotate")
@click.argument("name")
@click.option(
    "--keep-old", type=Duration(), help="How long the old keys still open the hook, like 24h.  [default: not]"
)
@click.option("--signing", is_flag=True, help="The keys that sign, in place of those that open.")
@as_json
@with_database
def rotate(name: str, keep_old: timedelta | None, signing: bool, as_json: bool) -> None:
    """A new key for the hook; the old ones end now, or after --keep-old. Those that sign stay, unless --signing."""
    hook, now = hook_named(name), utc_now()
    until = now + keep_old if keep_old else None
    with transaction.atomic():
        key = keys.rotate(hook, now, until, signing=signing)
    old = "The old keys still work until " + until.isoformat(timespec="minutes") if until else "The old keys are gone"
    (_report_signing if signing else _report)(hook, key, old, as_json)


def _report_signing(hook: Hook, key: str, first: str, as_json: bool) -> None:
    address = hooks.events_url(hook)
    sentence = f"{first}.\n  Address: {address}\nSigning key (shown this once): {key}"
    say({"hook": hook.name, "signing_key": key, "url": address}, sentence, as_json=as_json)


def _report(hook: Hook, key: str, first: str, as_json: bool) -> None:
    urls = hooks.urls(hook, key)
    lines = [f"{first}.", *(f"  {action:<12} {address}" for action, address in urls.items())]
    lines += [f"Access key (shown this once): {key}"]
    say({"hook": hook.name, "access_key": key, "urls": dict(urls)}, "\n".join(lines), as_json=as_json)


@key_command.command("add")
@click.argument("name")
@click.option("--expires", type=Duration(), help="It ends after this time, like 90d.  [default: never]")
@click.option("--action", "actions", multiple=True, type=ACTIONS, help="Only for this action. Repeatable.")
@click.option("--role", "roles", multiple=True, help="May ask only for this role. Repeatable.")
@click.option("--from", "networks", multiple=True, metavar="NETWORK", help="Only from there, like 203.0.113.0/24.")
@click.option("--signing", is_flag=True, help="A key that signs requests, for the connector plugin; it opens nothing.")
@as_json
@with_database
def add_key(
    name: str,
    expires: timedelta | None,
    actions: tuple[str, ...],
    roles: tuple[str, ...],
    networks: tuple[str, ...],
    signing: bool,
    as_json: bool,
) -> None:
    """One more key for the hook, with limits of its own.

    A key that signs (Standard Webhooks) stays with the sender: the WordPress that runs FluentCRM and the connector
    plugin. What it signs goes to an address of its own, which is shown with the key.
    """
    hook, now = hook_named(name), utc_now()
    key = (keys.new_signing_key if signing else keys.new_key)(
        hook,
        now,
        expires_at=None if expires is None else now + expires,
        actions=list(actions),
        roles=list(roles),
        networks=list(networks),
    )
    (_report_signing if signing else _report)(hook, key, f"A further key of the hook {hook.name}", as_json)


@key_command.command("list")
@click.argument("name")
@as_json
@with_database
def list_keys(name: str, as_json: bool) -> None:
    """The keys of the hook, by their last characters."""
    rows = [
        {
            "key": f"…{key.hint}",
            "signs": bool(key.signing_secret),
            "created_at": iso(key.created_at),
            "expires_at": iso(key.expires_at),
            "actions": key.actions,
            "roles": key.roles,
            "networks": key.networks,
        }
        for key in hook_named(name).keys.order_by("created_at")
    ]
    columns = ("key", "signs", "created_at", "expires_at", "actions", "roles", "networks")
    show(rows, columns, as_json=as_json)


@key_command.command("revoke")
@click.argument("name")
@click.argument("hint")
@as_json
@with_database
def revoke(name: str, hint: str, as_json: bool) -> None:
    """End a key now; HINT is its last characters, as `key list` shows them."""
    gone = keys.revoke(hook_named(name), hint)
    say({"hook": name, "revoked": gone}, f"{gone} key of {name} is gone.", as_json=as_json)
