"""`demo`: the service, and a simulated FluentCRM that sends realistic webhooks to it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from memberhook import addresses
from memberhook.cli.common import service_only, utc_now, with_database
from memberhook.core.errors import UsageError
from memberhook.engine.mail_files import mail_folder
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery
from memberhook.services import accounts, hooks, keys
from memberhook.services.connect import connect

if TYPE_CHECKING:  # the simulator needs the packages of the service
    from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
    from memberhook.testing.fluentcrm.people import Person

NAME = "demo"
PASSWORD_FIELD = "wp_password"  # noqa: S105  # a field, no password
COURSE, NEWSLETTER = "Course: Sourdough", "Newsletter"
PAUSE = 8.0
"""Seconds between two buyers."""


@dataclass(frozen=True, slots=True)
class Access:
    """What the demo prints, for people to look around."""

    key: str
    password: str


@click.command("demo")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--buyers", default=0, help="Stop sending after so many buyers.  [default: go on until Ctrl-C]")
@service_only
@with_database
def demo_command(host: str, port: int, buyers: int) -> None:
    """See it work: run the service, with a simulated FluentCRM whose automation sends webhooks to it.

    People buy a course in the simulated CRM, get its tag, and become members here, with a role, a welcome e-mail and a
    password that is returned to the CRM. Everything is in the data folder; delete that when you have seen enough.
    """
    from memberhook.cli.serve import use_address
    from memberhook.server.serve import save_address, serve
    from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM

    _refuse_real_data()
    use_address(host, port)
    save_address(settings.DATA, host, port)
    crm = SimulatedFluentCRM(datetime.now)
    with Running(crm) as running:
        access = set_up(running)
        story = threading.Thread(target=_report, args=(crm, running, access, buyers), daemon=True)
        serve(host, port, on_start=story.start)


def _refuse_real_data() -> None:
    others = Connection.objects.exclude(name=NAME).values_list("name", flat=True)
    if others:
        raise UsageError(
            f"This data folder has a connection of your own ({others[0]}). Run the demo with another one: "
            "MEMBERHOOK_DATA=./demo-data memberhook demo",
            code="real_data",
        )


def set_up(running: Running) -> Access:
    """Connection, hook, automation and an account for the console; those of an earlier demo are used again."""
    crm = running.crm
    password = secrets.token_urlsafe(12)
    crm.add_user("memberhook", password)
    crm.add_tag(COURSE, "course-sourdough")
    crm.add_tag(NEWSLETTER, "newsletter")
    crm.add_field(PASSWORD_FIELD, "text", "WP Password")
    connection = connect(
        "fluentcrm",
        NAME,
        running.url,
        "memberhook",
        password,
        allow_private=True,
        http=system_runtime().http,
        now=utc_now(),
    ).connection
    with transaction.atomic():
        accounts.new_role("customer")
        hook = _hook(connection)
        access = Access(keys.rotate(hook, utc_now(), None), _console_login())
    controls = {"role": "customer", "send_notification": "true"}
    crm.add_automation(COURSE, hooks.url("add", controls, key=access.key, hook=hook))
    crm.add_automation(NEWSLETTER, hooks.url("update_tags", key=access.key, hook=hook))
    return access


def _hook(connection: Connection) -> Hook:
    known = Hook.objects.filter(name=NAME).first()
    if known:
        return known
    hook = Hook(
        name=NAME,
        connection=connection,
        site=Site.objects.get(name="local"),
        allowed_roles=["customer"],
    )
    hook.return_password_field = PASSWORD_FIELD
    hooks.add(hook, mappings=("phone=phone", "city=city"), http=system_runtime().http, now=utc_now())
    return hook


def _console_login() -> str:
    """The password of the administrator `demo`, new at each start."""
    password = secrets.token_urlsafe(9)
    user = get_user_model()._default_manager.filter(username=NAME).first()
    if user is None:
        accounts.new_member(NAME, "demo@example.net", "administrator", "Demo", "Owner", password)
    else:
        user.set_password(password)
        user.save()
    return password


def _report(crm: SimulatedFluentCRM, running: Running, access: Access, buyers: int) -> None:
    console, login = addresses.address_of("admin:index"), addresses.login_address()
    test = addresses.hook_address(None, {"wpf_action": "test", "access_key": access.key})
    click.echo(
        f"""
Memberhook runs at {addresses.public_url()}

  console      {console}   log in as {NAME}, password {access.password}
  log-in       {login}     for members; the mails below have their links
  access key   {access.key}
  try it       curl '{test}'
  CRM's API    {running.url} (simulated FluentCRM, nothing to see in a browser)

Every few seconds somebody buys the course there. Stop with Ctrl-C."""
    )
    for number, person in enumerate(_buyers()):
        if buyers and number >= buyers:
            click.echo("\nThose were all the buyers. Memberhook keeps running; stop it with Ctrl-C.")
            return
        _buy(crm, person, 1_000_000 + int(time.time()))
        time.sleep(PAUSE)


def _buyers() -> Iterator[Person]:
    from memberhook.testing.fluentcrm.people import people

    yield from people(seed=int(time.time()))


def _buy(crm: SimulatedFluentCRM, person: Person, contact_id: int) -> None:
    """One buyer, from the purchase to the welcome e-mail; prints each step."""
    _line("CRM", f"{person.first_name} {person.last_name} <{person.email}> buys the course: contact {contact_id}")
    crm.add_contact(**asdict(person), id=contact_id)
    newest = Delivery.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    crm.apply_tag(contact_id, COURSE)
    _line("automation", f"applies the tag “{COURSE}” and sends its Outgoing Webhook")
    delivery = _ended(newest, contact_id)
    if delivery is None:
        _line("Memberhook", "has no outcome yet; look at the console")
        return
    _line("Memberhook", f"delivery {delivery.pk}: {delivery.message}")
    for warning in delivery.outcome.get("warnings", []):
        _line("", f"note: {warning}")
    for path in _mails(delivery):
        _line("mail", f"welcome e-mail in {path}")
    if password := crm.contact(contact_id)["custom_values"].get(PASSWORD_FIELD):
        _line("CRM", f"the contact's field {PASSWORD_FIELD} has a generated password now ({len(password)} characters)")


def _line(who: str, what: str) -> None:
    click.echo(f"{click.style(who.rjust(11), fg='cyan')}  {what}")


def _ended(after: int, contact_id: int) -> Delivery | None:
    """The contact's delivery, once it and its follow-ups have ended."""
    until = time.monotonic() + 8
    while time.monotonic() < until:
        found = Delivery.objects.filter(pk__gt=after, contact_id=str(contact_id), finished_at__isnull=False).first()
        if found and not found.followups.filter(finished_at=None).exists():
            return found
        time.sleep(0.05)
    return None


def _mails(delivery: Delivery) -> list[Path]:
    return [p for f in delivery.followups.all() for p in mail_folder().glob(f"welcome.{f.pk}.*.eml")]
