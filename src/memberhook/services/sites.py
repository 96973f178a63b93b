"""Remote sites: add one, test it, keep and describe what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import UsageError
from memberhook.core.types import Role
from memberhook.engine.clients import OpenHttp, open_site_row
from memberhook.models.connections import Hook, Link, Site
from memberhook.services.checks import require
from memberhook.services.validation import validate
from memberhook.sites.contract import SiteCheck
from memberhook.sites.registry import REMOTE
from memberhook.sites.wordpress.site_data import SiteCapabilities, Transport

WITHOUT_CONNECTOR = (
    "Without the connector plugin, WordPress's own REST API is used. It is slower for many members at once, sends no "
    "welcome e-mails, and stores neither tags nor most fields: Memberhook keeps those itself."
)
GET_CONNECTOR = "memberhook wordpress plugin --output memberhook-connector.zip"
UPLOAD = "Plugins → Add Plugin (older: Add New) → Upload Plugin"


def is_remote(site: Site) -> bool:
    return site.kind in REMOTE


def kind_name(site: Site) -> str:
    return REMOTE.get(site.kind, site.kind)


def known_capabilities(site: Site) -> SiteCapabilities:
    return SiteCapabilities.of(site.capabilities)


@dataclass(frozen=True, slots=True)
class Added:
    """`warning`: "" or what the owner should know about the change."""

    site: Site
    checked: SiteCheck
    warning: str


def add(
    kind: str,
    name: str,
    url: str,
    username: str,
    password: str,
    *,
    options: dict[str, Any],
    allow_private: bool = False,
    http: OpenHttp,
    now: datetime,
) -> Added:
    """Add a site, or change the one of that name. Nothing is stored unless the site accepts the credentials.

    Raises `UsageError` for values that cannot be, and `CheckFailed`.
    """
    site = Site.objects.filter(name=name).first() or Site(name=name, kind=kind)
    if site.kind != kind:
        raise UsageError(f"{name!r} is the name of the {site.kind} site; choose another name.", code="name_taken")
    old_url, site.url = site.url, url.strip()
    site.username, site.allow_private, site.options = username, allow_private, options
    site.password = password
    validate(site)
    checked = inspect(site, http)
    require(checked.results, f"{kind_name(site)} at {site.url}", "Nothing was stored.")
    site.capabilities, site.checked_at, site.paused_until = dict(checked.capabilities), now, None
    site.save()
    return Added(site, checked, moved_warning(site, old_url) or "")


def check(site: Site, http: OpenHttp, now: datetime) -> SiteCheck:
    """Test a stored site; if it works, keep what was found and end its pause."""
    checked = inspect(site, http)
    if checked.problem is None:
        save_capabilities(site, checked, now)
        site.paused_until = None
        site.save(update_fields=["paused_until"])
    return checked


def inspect(site: Site, http: OpenHttp) -> SiteCheck:
    """Test a site without storing anything."""
    return open_site_row(site, http).check()


def save_capabilities(site: Site, checked: SiteCheck, now: datetime) -> None:
    """Keep what a check found. One that failed says nothing about the site, so what was known stays."""
    if checked.problem is None:
        site.capabilities, site.checked_at = dict(checked.capabilities), now
        site.save(update_fields=["capabilities", "checked_at"])


def refresh(site: Site, checked: SiteCheck, now: datetime) -> CheckResult | None:
    """Keep what `doctor` found, unless the connector plugin is gone: that is reported and not stored.

    Members would otherwise be created without what only the connector can do, and nobody would notice.
    """
    before, now_found = known_capabilities(site).transport, checked.capabilities.get("transport")
    gone = before is Transport.CONNECTOR and now_found == Transport.CORE
    if not gone:
        save_capabilities(site, checked, now)
        return None
    message = f"the connector plugin is gone; install it again, or go on without it: memberhook site check {site.name}"
    return CheckResult("connector", False, message)


def missing_role_hint(site: Site, role: str) -> str:
    """How to get the role onto the site."""
    if is_remote(site):
        seen = (
            ""
            if known_capabilities(site).connector
            else " and give it to a user: without the connector plugin, only roles in use are seen"
        )
        return f"Create it in {kind_name(site)}{seen}. Then: memberhook site check {site.name}"
    return f"Add it with: memberhook role add {role}"


def roles_in_words(roles: tuple[Role, ...]) -> str:
    granted = ", ".join(role.slug for role in roles if not role.privileged) or "none that a webhook may grant"
    privileged = ", ".join(role.slug for role in roles if role.privileged)
    return f"{granted}; privileged, so no webhook grants them: {privileged}" if privileged else granted


def moved_warning(site: Site, old_url: str) -> str | None:
    """Links store members by id; in another WordPress those ids are other people."""
    linked = Link.objects.filter(site=site).count()
    if not linked or site.url.rstrip("/") == old_url.rstrip("/"):
        return None
    return (
        f"{linked} linked members of {site.name} are assumed to be the same users at the new address. If it is another "
        f"{kind_name(site)}, add it under another name instead."
    )


def connector_results(hook: Hook) -> list[CheckResult]:
    """Options of the hook that only the connector plugin can fulfil."""
    capabilities = known_capabilities(hook.site)
    if not is_remote(hook.site) or not capabilities.transport or capabilities.connector:
        return []
    found = []
    if hook.welcome:
        message = (
            f"it wants a welcome e-mail for every new member, but {hook.site.name} has no connector plugin, so none is "
            f"sent; get it with: {GET_CONNECTOR}"
        )
        found.append(CheckResult("welcome e-mail", False, message))
    if kept := capabilities.overflow_fields([row.site_field for row in hook.mapped_fields.all()]):
        message = (
            f"{', '.join(kept)}: kept by Memberhook, not in WordPress, since {hook.site.name} has no connector plugin"
        )
        found.append(CheckResult("kept fields", True, message))
    return found


def remove(site: Site) -> None:
    """Forget a site; the site itself is not changed. Raises `UsageError` for the local site, and while hooks use it."""
    if not is_remote(site):
        raise UsageError(f"The site {site.name!r} cannot be removed.", code="local_site")
    hooks = ", ".join(site.hooks.order_by("name").values_list("name", flat=True))
    if hooks:
        raise UsageError(f"The site {site.name!r} is used by hooks ({hooks}). Delete those first.", code="site_in_use")
    site.delete()
