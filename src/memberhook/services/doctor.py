"""Check everything that could be wrong with an installation, and say what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.core.checks import run_checks

from memberhook import addresses, conf
from memberhook.core.check_result import CheckResult
from memberhook.core.errors import MemberhookError
from memberhook.core.states import State
from memberhook.engine import health
from memberhook.engine.clients import crm_client, site_of
from memberhook.engine.mail_files import FileBackend, mail_folder
from memberhook.engine.runtime import Runtime
from memberhook.engine.welcome import mailer
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery
from memberhook.services import sites
from memberhook.services.hooks import rules_in_words
from memberhook.sites.registry import REMOTE

MIN_FREE_DISK = 200 * 1024 * 1024
MAX_CLOCK_SKEW = 60.0  # seconds


def run(runtime: Runtime) -> Iterator[CheckResult]:
    """The results of all checks, one after the other. One that breaks is a failure of its own and stops no other."""
    for checks in ALL:
        name = checks.__name__.removesuffix("_checks")
        try:
            yield from checks(runtime)
        except MemberhookError as error:
            yield CheckResult(name, False, error.message)
        except Exception as error:
            yield CheckResult(name, False, f"the check itself failed: {type(error).__name__}: {error}")


def settings_checks(runtime: Runtime) -> Iterator[CheckResult]:
    problems = [str(message.msg) for message in run_checks() if message.id and message.id.startswith("memberhook")]
    yield CheckResult("settings", not problems, " ".join(problems) or "all are readable")


def storage_checks(runtime: Runtime) -> Iterator[CheckResult]:
    now = runtime.now()
    for name, check in health.CHECKS.items():
        problem = check(now)
        yield CheckResult(name, problem is None, problem or "ok")
    folder = Path(getattr(settings, "DATA", conf.DATA().resolve()))
    free = shutil.disk_usage(folder).free
    yield CheckResult(
        "disk",
        free > MIN_FREE_DISK,
        f"{free // 2**20} MiB free in {folder}" + ("" if free > MIN_FREE_DISK else "; free some space"),
    )
    key = folder / "secret.key"
    if key.exists():
        private = key.stat().st_mode & 0o077 == 0
        hint = "only its owner can read it" if private else f"other users can read it; run: chmod 600 {key}"
        yield CheckResult("secret key", private, hint)
    failed = Delivery.objects.filter(state=State.FAILED).count()
    hint = "" if not failed else "; see: memberhook deliveries --status failed"
    yield CheckResult("deliveries", not failed, f"{failed} have failed{hint}")


def address_checks(runtime: Runtime) -> Iterator[CheckResult]:
    address = addresses.public_url()
    answer = runtime.http(True).request("GET", addresses.address_of("memberhook:healthz"), headers={})
    ok = answer.status == 200 and answer.body.strip() == b"ok"
    hint = "" if ok else f"answers {answer.status}, but is not Memberhook; check MEMBERHOOK_PUBLIC_URL and the proxy"
    yield CheckResult("address", ok, f"{address} {hint or 'leads to this service'}")
    if not address.startswith("https://") and "127.0.0.1" not in address and "localhost" not in address:
        yield CheckResult("address", False, f"{address} is not https: access keys travel unencrypted; put TLS in front")


def crm_checks(runtime: Runtime) -> Iterator[CheckResult]:
    for connection in Connection.objects.order_by("name"):
        results = crm_client(connection, runtime.http).check()
        returns_passwords = connection.hooks.exclude(return_password_field="").exists()
        yield from _account(connection, results, runtime, all_needed=returns_passwords)
    if not Connection.objects.exists():
        yield CheckResult("connection", False, "there is none; add one with: memberhook connect")


def site_checks(runtime: Runtime) -> Iterator[CheckResult]:
    """Of the remote sites. What is found is stored, so that the hooks are checked against it."""
    for site in Site.objects.filter(kind__in=REMOTE).order_by("name"):
        try:
            checked = sites.inspect(site, runtime.http)
        except MemberhookError as error:
            yield CheckResult(f"site {site.name}", False, error.message)
            continue
        gone = sites.refresh(site, checked, runtime.now())
        results = [f for f in checked.results if f.name != "connector"] if gone else checked.results
        yield from _account(site, [*results, *([gone] if gone else [])], runtime)


def _account(
    account: Connection | Site, results: Sequence[CheckResult], runtime: Runtime, *, all_needed: bool = False
) -> Iterator[CheckResult]:
    """The results of testing a CRM or a site, and whether its clock agrees with ours."""
    checks = [CheckResult(f"{account.name}: {r.name}", r.ok, r.message, r.needed or all_needed) for r in results]
    yield from checks
    if not any(check.is_failure for check in checks):
        yield from _clock(account, runtime)


def _clock(account: Connection | Site, runtime: Runtime) -> Iterator[CheckResult]:
    try:
        answer = runtime.http(account.allow_private).request("HEAD", account.url, headers={})
    except MemberhookError:  # the home page may redirect; the address itself has been checked
        return
    there = parsedate_to_datetime(answer.headers["date"]) if "date" in answer.headers else None
    if there:
        skew = abs((runtime.now() - there).total_seconds())
        message = f"its clock and ours are {skew:.0f} s apart"
        yield CheckResult(f"{account.name}: clock", skew < MAX_CLOCK_SKEW, message)


def hook_checks(runtime: Runtime) -> Iterator[CheckResult]:
    now = runtime.now()
    for hook in Hook.objects.select_related("connection", "site").prefetch_related(*Hook.OPTION_ROWS).order_by("name"):
        valid = [key for key in hook.keys.all() if key.expires_at is None or key.expires_at > now]
        hint = f"; make a new one: memberhook key rotate {hook.name}"
        yield CheckResult(f"hook {hook.name}: key", bool(valid), f"{len(valid)} valid{'' if valid else hint}")
        yield _roles(hook, runtime)
        yield _fields(hook)
        for result in sites.connector_results(hook):
            yield CheckResult(f"hook {hook.name}: {result.name}", result.ok, result.message)
    if not Hook.objects.exists():
        yield CheckResult("hook", False, "there is none; add one with: memberhook hook add")


def _roles(hook: Hook, runtime: Runtime) -> CheckResult:
    try:
        roles = {role.slug: role for role in site_of(hook, runtime.http).roles()}
    except MemberhookError as error:
        return CheckResult(f"hook {hook.name}: roles", False, error.message)
    named = dict.fromkeys((hook.default_role, *hook.allowed_roles, *(rule.role for rule in hook.tag_rules.all())))
    missing = [slug for slug in named if slug not in roles]
    if missing:
        return CheckResult(
            f"hook {hook.name}: roles",
            False,
            f"the site has no role {', '.join(missing)}. {sites.missing_role_hint(hook.site, missing[0])}",
        )
    if roles[hook.default_role].privileged:
        return CheckResult(
            f"hook {hook.name}: roles",
            False,
            f"the default role {hook.default_role} is privileged, so it is never given",
        )
    return CheckResult(f"hook {hook.name}: roles", True, "all exist")


def _fields(hook: Hook) -> CheckResult:
    known = hook.connection.field_types
    named = [row.crm_field for row in hook.mapped_fields.all()] + [hook.return_password_field]
    missing = sorted({name for name in named if name and known and name not in known})
    message = (
        f"{hook.connection.name} has no field {', '.join(missing)}; FluentCRM ignores unknown fields silently"
        if missing
        else "all exist"
    )
    return CheckResult(f"hook {hook.name}: fields", not missing, message)


def rule_checks(runtime: Runtime) -> Iterator[CheckResult]:
    """The CRM is asked for its tags, since our copy keeps those that were deleted there."""
    for hook in Hook.objects.exclude(tag_rules=None).select_related("connection").order_by("name"):
        known = {tag.id for tag in crm_client(hook.connection, runtime.http).catalog().tags}
        rules = zip(hook.tag_rules.all(), rules_in_words(hook), strict=True)
        lost = [text for rule, text in rules if rule.tag not in known]
        problem = f"{hook.connection.name} no longer has the tag: {'; '.join(lost)}; delete the rule in the console"
        yield CheckResult(f"hook {hook.name}: rules for tags", not lost, problem if lost else "all tags exist")


def mail_checks(runtime: Runtime) -> Iterator[CheckResult]:
    mail = mailer()
    if isinstance(mail, FileBackend):
        yield CheckResult("mail", True, f"no mail server is set; e-mails are written as files to {mail_folder()}")
        return
    try:
        with mail:
            pass
    except OSError as error:
        yield CheckResult("mail", False, f"the mail server refuses us ({error}); check MEMBERHOOK_EMAIL_URL")
    else:
        yield CheckResult("mail", True, "the mail server answers")


ALL: tuple[Callable[[Runtime], Iterator[CheckResult]], ...] = (
    settings_checks,
    storage_checks,
    address_checks,
    crm_checks,
    site_checks,
    hook_checks,
    rule_checks,
    mail_checks,
)
