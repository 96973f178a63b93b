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
    with_key = hooks.url(action, controls, key="YOURACCESSKEY")
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
