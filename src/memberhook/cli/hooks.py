"""`hook add`, `hook url`, `hook list`, `key …`."""

from __future__ import annotations

from datetime import timedelta

import click
from django.db import transaction

from memberhook.cli.common import (
    Duration,
    as_json,
    connection_named,
    hook_named,
    iso,
    say,
    show,
    site_named,
    utc_now,
    with_database,
)
from memberhook.core.types import Action, UsernameFormat
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Hook
from memberhook.services import hooks, keys

ACTIONS = click.Choice([action.value for action in Action])
USERNAME_FORMATS = click.Choice([kind.value for kind in UsernameFormat])


@click.group("hook")
def hook_command() -> None:
    """Webhook addresses: make one, print it again, list them."""


@hook_command.command("add")
@click.option("--connection", required=True, help="Which CRM account the webhooks come from.")
@click.option("--site", default="local", show_default=True, help="Where the members live.")
@click.option("--name", help="Name of the hook.  [default: the connection's]")
@click.option("--role", default="subscriber", show_default=True, help="Role of new members.")
@click.option("--allow-role", multiple=True, metavar="ROLE", help="A role that the address may ask for. Repeatable.")
@click.option(
    "--tag-role",
    "tag_roles",
    multiple=True,
    metavar="TAG=ROLE",
    help="While the contact has the tag, the member has the role (default or allowed). Repeatable.",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="SITE_FIELD=CRM_FIELD[:TYPE][:clear]",
    help="A field of the member that follows one of the contact. Repeatable.",
)
@click.option("--return-password", metavar="CRM_FIELD", help="Write generated passwords to this field of the contact.")
@click.option("--welcome", is_flag=True, help="Send every new member the welcome e-mail, asked for or not.")
@click.option(
    "--username-format",
    type=USERNAME_FORMATS,
    default="email",
    show_default=True,
    help="What the login of a new member is made of.",
)
@click.option("--trust-payload", is_flag=True, help="Work from the webhook alone; do not ask the CRM for the contact.")
@as_json
@with_database
def add(
    connection: str,
    site: str,
    name: str | None,
    role: str,
    allow_role: tuple[str, ...],
    tag_roles: tuple[str, ...],
    maps: tuple[str, ...],
    return_password: str | None,
    welcome: bool,
    username_format: str,
    trust_payload: bool,
    as_json: bool,
) -> None:
    """Make a hook: the address that an automation of the CRM calls.

    The access key is shown this once; it is stored as a hash. First name, last name and e-mail are mapped already;
    --map adds to that. Types: text, multiline, number, date, datetime, checkbox, select, multiselect, raw. ':clear'
    lets an empty value in the CRM empty the member's field.

    \b
    Example:
      memberhook hook add --connection shop --allow-role customer --map phone=phone --return-password wp_password
    """
    account = connection_named(connection)
    hook = Hook(
        name=name or account.name,
        connection=account,
        site=site_named(site),
        default_role=role,
        allowed_roles=list(allow_role),
        username_format=username_format,
        welcome=welcome,
        return_password_field=return_password or "",
        trust_payload=trust_payload,
    )
    key = hooks.add(hook, mappings=maps, tag_rules=tag_roles, http=system_runtime().http, now=utc_now())
    urls = hooks.urls(hook, key)
    lines = [f"Hook {hook.name} is ready. Paste one of these into the automation's Outgoing Webhook:"]
    lines += [f"  {action:<12} {address}" for action, address in urls.items()]
    lines += [f"Access key (shown this once): {key}"]
    say({"hook": hook.name, "access_key": key, "urls": dict(urls)}, "\n".join(lines), as_json=as_json)


@hook_command.command("url")
@click.argument("name")
@click.option("--action", type=ACTIONS, default="add", show_default=True)
@click.option("--role", help="Role to ask for; it must be on the hook's allow list.")
@click.option("--notify", is_flag=True, help="New members get the welcome e-mail.")
@click.option("--async", "in_background", is_flag=True, help="Answer at once, do not wait for the outcome.")
@as_json
@with_database
def url(name: str, action: str, role: str | None, notify: bool, in_background: bool, as_json: bool) -> None:
    """The address to paste into the CRM.

    Keys are stored as hashes, so put yours in place of YOURACCESSKEY (or send it as a header, 'Authorization: Bearer
    …', and leave it out). Lost it? memberhook key rotate NAME
    """
    hook = hook_named(name)
    if role:
        hooks.granted_role(hook, role)
    controls = {
        **({"role": role} if role else {}),
        **({"send_notification": "true"} if notify else {}),
        **({"async": "true"} if in_background else {}),
    }
    with_key = hooks.url(action, controls, key="YOURACCESSKEY", hook=hook)
    without_key = hooks.url(action, controls, hook=hook)
    sentence = f"{with_key}\nWith the key in a header instead:\n{without_key}"
    say({"hook": hook.name, "url": with_key, "url_for_header": without_key}, sentence, as_json=as_json)


@hook_command.command("list")
@as_json
@with_database
def list_hooks(as_json: bool) -> None:
    """All hooks and what they allow."""
    rows = [
        {
            "hook": hook.name,
            "connection": hook.connection.name,
            "site": hook.site.name,
            "role": hook.default_role,
            "allowed_roles": hook.allowed_roles,
            "tag_roles": hooks.rules_in_words(hook) if not as_json else _rules(hook),
            "map": {row.site_field: row.crm_field for row in hook.mapped_fields.all()},
            "welcome": hook.welcome,
            "return_password": hook.return_password_field or None,
            "username_format": hook.username_format,
            "trust_payload": hook.trust_payload,
        }
        for hook in Hook.objects.select_related("connection", "site")
        .prefetch_related(*Hook.OPTION_ROWS, "connection__tags")
        .order_by("name")
    ]
    columns = ("hook", "connection", "site", "role", "allowed_roles", "tag_roles", "trust_payload")
    show(rows, columns, as_json=as_json)


def _rules(hook: Hook) -> list[dict[str, str]]:
    """For programs: the tag's slug, or its id if it is not known."""
    slugs = {tag.crm_id: tag.slug for tag in hook.connection.tags.all()}
    return [{"tag": slugs.get(rule.tag, rule.tag), "role": rule.role} for rule in hook.tag_rules.all()]


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
        expires_at=now + expires if expires else None,
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
