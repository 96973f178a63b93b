"""`doctor`: everything that could be wrong, checked, with what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import click
from django.conf import settings
from django.core.checks import run_checks

from memberhook import addresses, conf
from memberhook.cli.common import as_json, show, utc_now, with_database
from memberhook.core.check_result import CheckResult
from memberhook.core.errors import MemberhookError
from memberhook.core.http_client import HttpClient
from memberhook.core.states import State
from memberhook.engine import health
from memberhook.engine.clients import crm_client, site_of
from memberhook.engine.mail_files import FileBackend, mail_folder
from memberhook.engine.runtime import system_runtime
from memberhook.engine.welcome import mailer
from memberhook.models.connections import AccessKey, Connection, Hook, Site
from memberhook.models.deliveries import Delivery
from memberhook.services import sites
from memberhook.services.hooks import rules_in_words
from memberhook.sites.registry import REMOTE

LEAST_DISK = 200 * 1024 * 1024
MOST_CLOCK_SKEW = 60.0
_BADGES = {True: click.style("ok  ", fg="green"), False: click.style("FAIL", fg="red")}
_NOTE = click.style("note", fg="yellow")


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    message: str
    note: bool = False  # good enough, but worth reading


@click.command("doctor")
@as_json
@with_database
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool) -> None:
    """Everything that could be wrong, checked: reachable address, keys, CRMs and sites with credentials and rights,
    mail, queue, clock, disk. Exit status 1 when something is."""
    own, network_user = (settings_checks, storage_checks, address_checks), (crm_checks, site_checks)
    hooks = (hook_checks, rule_checks)
    checks = [check for examine in (*own, *network_user, *hooks, mail_checks) for check in _safely(examine)]
    rows = [{"check": c.name, "ok": c.ok, "message": c.message} for c in checks]
    if as_json:
        show(rows, (), as_json=True)
    else:
        for check in checks:
            badge = _NOTE if check.ok and check.note else _BADGES[check.ok]
            click.echo(f"{badge}  {check.name}: {check.message}")
    bad = sum(not check.ok for check in checks)
    if bad:
        click.echo(f"memberhook: {bad} of {len(checks)} checks failed.", err=True)
        ctx.exit(1)


def _safely(examine: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """A check that breaks is a finding, not the end of the others."""
    try:
        yield from examine()
    except MemberhookError as error:
        yield Check(examine.__name__.removesuffix("_checks"), False, error.message)
    except Exception as error:
        yield Check(
            examine.__name__.removesuffix("_checks"), False, f"the check itself failed: {type(error).__name__}: {error}"
        )


def settings_checks() -> Iterator[Check]:
    problems = [str(message.msg) for message in run_checks() if message.id and message.id.startswith("memberhook")]
    yield Check("settings", not problems, " ".join(problems) or "all can be read")


def storage_checks() -> Iterator[Check]:
    now = utc_now()
    for name, check in health.CHECKS.items():
        problem = check(now)
        yield Check(name, problem is None, problem or "well")
    folder = Path(getattr(settings, "DATA", conf.DATA().resolve()))
    free = shutil.disk_usage(folder).free
    yield Check(
        "disk",
        free > LEAST_DISK,
        f"{free // 2**20} MiB free in {folder}" + ("" if free > LEAST_DISK else "; make room"),
    )
    key = folder / "secret.key"
    if key.exists():
        private = key.stat().st_mode & 0o077 == 0
        yield Check(
            "secret key", private, "only its owner can read it" if private else f"others can read it: chmod 600 {key}"
        )
    failed = Delivery.objects.filter(state=State.FAILED).count()
    hint = "" if not failed else "; see: memberhook deliveries --status failed"
    yield Check("deliveries", not failed, f"{failed} have failed{hint}")


def address_checks() -> Iterator[Check]:
    address = addresses.public_url()
    answer = HttpClient(allow_private=True).request("GET", addresses.address_of("memberhook:healthz"), headers={})
    ok = answer.status == 200 and answer.body.strip() == b"ok"
    hint = "" if ok else f"answered {answer.status}, but not by Memberhook; check MEMBERHOOK_PUBLIC_URL and the proxy"
    yield Check("address", ok, f"{address} {hint or 'reaches this service'}")
    if not address.startswith("https://") and "127.0.0.1" not in address and "localhost" not in address:
        yield Check("address", False, f"{address} is not https: access keys travel unencrypted; put TLS in front")


def crm_checks() -> Iterator[Check]:
    for connection in Connection.objects.order_by("name"):
        results = crm_client(connection, system_runtime().http).check()
        returns_passwords = connection.hooks.exclude(return_password_field="").exists()
        yield from _account(connection, results, all_needed=returns_passwords)
    if not Connection.objects.exists():
        yield Check("connection", False, "there is none; make one with: memberhook connect")


def site_checks() -> Iterator[Check]:
    """Of those that are elsewhere; what they tell of themselves is kept, so hooks are judged by it."""
    for site in Site.objects.filter(kind__in=REMOTE).order_by("name"):
        try:
            checked = sites.inspect(site, system_runtime().http)
        except MemberhookError as error:
            yield Check(f"site {site.name}", False, error.message)
            continue
        gone = sites.refresh(site, checked, utc_now())
        results = [f for f in checked.results if f.name != "connector"] if gone else checked.results
        yield from _account(site, [*results, *([gone] if gone else [])])


def _account(
    account: Connection | Site, results: Sequence[CheckResult], *, all_needed: bool = False
) -> Iterator[Check]:
    """What a look at a CRM or a site found, and whether its clock and ours agree."""
    checks = [
        Check(f"{account.name}: {f.name}", f.ok or not (f.needed or all_needed), f.message, note=not f.ok)
        for f in results
    ]
    yield from checks
    if all(check.ok for check in checks):
        yield from _clock(account)


def _clock(account: Connection | Site) -> Iterator[Check]:
    try:
        answer = HttpClient(allow_private=account.allow_private).request("HEAD", account.url, headers={})
    except MemberhookError:  # the home page may lead on to another; that the address is right was found before
        return
    there = parsedate_to_datetime(answer.headers["date"]) if "date" in answer.headers else None
    if there:
        skew = abs((datetime.now(UTC) - there).total_seconds())
        yield Check(f"{account.name}: clock", skew < MOST_CLOCK_SKEW, f"its clock and ours are {skew:.0f} s apart")


def hook_checks() -> Iterator[Check]:
    now = utc_now()
    for hook in Hook.objects.select_related("connection", "site").order_by("name"):
        valid = [key for key in AccessKey.objects.filter(hook=hook) if key.expires_at is None or key.expires_at > now]
        hint = f"; make one with: memberhook key rotate {hook.name}"
        yield Check(f"hook {hook.name}: key", bool(valid), f"{len(valid)} valid{'' if valid else hint}")
        yield _roles(hook)
        yield _fields(hook)
        for result in sites.connector_results(hook):
            yield Check(f"hook {hook.name}: {result.name}", result.ok, result.message)
    if not Hook.objects.exists():
        yield Check("hook", False, "there is none; make one with: memberhook hook add")


def _roles(hook: Hook) -> Check:
    try:
        roles = {role.slug: role for role in site_of(hook, system_runtime().http).roles()}
    except MemberhookError as error:
        return Check(f"hook {hook.name}: roles", False, error.message)
    named = dict.fromkeys((hook.default_role, *hook.allowed_roles, *(rule.role for rule in hook.tag_rules.all())))
    missing = [slug for slug in named if slug not in roles]
    if missing:
        return Check(
            f"hook {hook.name}: roles",
            False,
            f"the site has no role {', '.join(missing)}. {sites.missing_role_hint(hook.site, missing[0])}",
        )
    if roles[hook.default_role].privileged:
        return Check(
            f"hook {hook.name}: roles",
            False,
            f"the default role {hook.default_role} is privileged, so it is never granted",
        )
    return Check(f"hook {hook.name}: roles", True, "all are there")


def _fields(hook: Hook) -> Check:
    known = hook.connection.field_types
    named = [row.crm_field for row in hook.mapped_fields.all()] + [hook.return_password_field]
    missing = sorted({name for name in named if name and known and name not in known})
    message = (
        f"{hook.connection.name} has no field {', '.join(missing)}; FluentCRM ignores unknown fields silently"
        if missing
        else "all are there"
    )
    return Check(f"hook {hook.name}: fields", not missing, message)


def rule_checks() -> Iterator[Check]:
    """The tags that rules name are asked of the CRM: what we keep of its tags forgets none."""
    for hook in Hook.objects.exclude(tag_rules=None).select_related("connection").order_by("name"):
        known = {tag.id for tag in crm_client(hook.connection, system_runtime().http).catalog().tags}
        rules = zip(hook.tag_rules.all(), rules_in_words(hook), strict=True)
        lost = [text for rule, text in rules if rule.tag not in known]
        problem = (
            f"{hook.connection.name} has no such tag any more: {'; '.join(lost)}; take the rule out in the console"
        )
        yield Check(f"hook {hook.name}: rules for tags", not lost, problem if lost else "all tags are there")


def mail_checks() -> Iterator[Check]:
    mail = mailer()
    if isinstance(mail, FileBackend):
        yield Check("mail", True, f"no mail server is set: mails are kept as files in {mail_folder()}")
        return
    try:
        with mail:
            pass
    except OSError as error:
        yield Check("mail", False, f"the mail server does not take us ({error}); check MEMBERHOOK_EMAIL_URL")
    else:
        yield Check("mail", True, "the mail server answers")
