"""`hook`."""

from __future__ import annotations

import click

from memberhook.cli.common import (
    as_json,
    connection_named,
    hook_named,
    say,
    show,
    site_named,
    utc_now,
    with_database,
)
from memberhook.core.types import Action, UsernameFormat
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Hook
from memberhook.services import hooks

ACTIONS = click.Choice([action.value for action in Action])
USERNAME_FORMATS = click.Choice([kind.value for kind in UsernameFormat])


@click.group("hook")
def hook_command() -> None:
    """Manage hooks, the addresses that webhooks go to."""


@hook_command.command("add")
@click.option("--connection", required=True, help="The CRM account that the webhooks come from.")
@click.option("--site", default="local", show_default=True, help="Where the members live.")
@click.option("--name", help="Name of the hook.  [default: name of the connection]")
@click.option("--role", default="subscriber", show_default=True, help="Role of new members.")
@click.option("--allow-role", multiple=True, metavar="ROLE", help="A role that webhooks may ask for. Repeatable.")
@click.option(
    "--tag-role",
    "tag_roles",
    multiple=True,
    metavar="TAG=ROLE",
    help="Give the member a role (default or allowed) as long as the contact has the tag. Repeatable.",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="SITE_FIELD=CRM_FIELD[:TYPE][:clear]",
    help="Copy a field of the contact to a field of the member. Repeatable.",
)
@click.option("--return-password", metavar="CRM_FIELD", help="Write generated passwords to this field of the contact.")
@click.option(
    "--welcome",
    is_flag=True,
    help="Send the welcome e-mail to every new member, whether or not the webhook asks for it.",
)
@click.option(
    "--username-format",
    type=USERNAME_FORMATS,
    default="email",
    show_default=True,
    help="What the username of a new member is made from.",
)
@click.option("--trust-payload", is_flag=True, help="Believe the webhook; do not load the contact from the CRM.")
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
    """Add a hook: an address for an automation of the CRM to call.

    The access key is shown only once; a hash of it is stored. First name, last name and e-mail are mapped by default;
    --map adds to that. Types: text, multiline, number, date, datetime, checkbox, select, multiselect, raw. With
    ':clear', an empty field in the CRM empties the member's field.

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
@click.option("--role", help="Role to ask for; the hook must allow it.")
@click.option("--notify", is_flag=True, help="Send the welcome e-mail to new members.")
@click.option("--async", "in_background", is_flag=True, help="Answer at once, without waiting for the outcome.")
@as_json
@with_database
def url(name: str, action: str, role: str | None, notify: bool, in_background: bool, as_json: bool) -> None:
    """Print the address to paste into the CRM.

    Only hashes of keys are stored, so put your key in place of YOURACCESSKEY (or leave it out and send it in a header,
    'Authorization: Bearer …'). If you have lost it, make a new one: memberhook key rotate NAME
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
    """List all hooks and their options."""
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
    """The rules for programs, with the tag's slug, or its id if the tag is not known."""
    slugs = {tag.crm_id: tag.slug for tag in hook.connection.tags.all()}
    return [{"tag": slugs.get(rule.tag, rule.tag), "role": rule.role} for rule in hook.tag_rules.all()]
