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
    """Manage the keys of a hook: access keys, and keys that sign requests."""


@key_command.command("rotate")
@click.argument("name")
@click.option(
    "--keep-old", type=Duration(), help="How long the old keys keep working, like 24h.  [default: they stop now]"
)
@click.option("--signing", is_flag=True, help="Rotate the signing keys instead of the access keys.")
@as_json
@with_database
def rotate(name: str, keep_old: timedelta | None, signing: bool, as_json: bool) -> None:
    """Make a new key for the hook. The old ones stop working now, or after --keep-old.

    Access keys and signing keys are rotated separately.
    """
    hook, now = hook_named(name), utc_now()
    until = now + keep_old if keep_old else None
    with transaction.atomic():
        key = keys.rotate(hook, now, until, signing=signing)
    old = f"The old keys work until {until.isoformat(timespec='minutes')}" if until else "The old keys no longer work"
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
@click.option("--expires", type=Duration(), help="Let it expire after this time, like 90d.  [default: never]")
@click.option("--action", "actions", multiple=True, type=ACTIONS, help="Limit it to this action. Repeatable.")
@click.option("--role", "roles", multiple=True, help="Limit the roles that it may ask for to this one. Repeatable.")
@click.option(
    "--from",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="Accept it only from this network, like 203.0.113.0/24. Repeatable.",
)
@click.option("--signing", is_flag=True, help="Make a key that signs requests, for the connector plugin.")
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
    """Add a key to the hook, with limits of its own.

    A signing key (Standard Webhooks) stays with the sender: the WordPress that runs FluentCRM and the connector plugin.
    Signed requests go to an address of their own, which is printed with the key.
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
    (_report_signing if signing else _report)(hook, key, f"Added a key to the hook {hook.name}", as_json)


@key_command.command("list")
@click.argument("name")
@as_json
@with_database
def list_keys(name: str, as_json: bool) -> None:
    """List the keys of the hook, by their last characters."""
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
    """Revoke a key. HINT is its last characters, as `key list` shows them."""
    gone = keys.revoke(hook_named(name), hint)
    say({"hook": name, "revoked": gone}, f"Revoked {gone} key of {name}.", as_json=as_json)
