"""Sites that are elsewhere: look at one, keep what was found, say it in words. For command line, console and doctor."""

from __future__ import annotations

from datetime import datetime

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import UsageError
from memberhook.core.types import Role
from memberhook.engine.clients import OpenHttp, open_site_row
from memberhook.models.connections import Hook, Link, Site
from memberhook.sites.contract import SiteCheck
from memberhook.sites.registry import REMOTE
from memberhook.sites.wordpress.site_data import SiteCapabilities

WITHOUT_CONNECTOR = (
    "Without the connector plugin WordPress's own REST API is used. It is slower for many members at once, sends no "
    "welcome e-mail, and takes neither tags nor most fields: Memberhook keeps those itself."
)
GET_CONNECTOR = "memberhook wordpress plugin --output memberhook-connector.zip"
UPLOAD = "Plugins → Add Plugin (older: Add New) → Upload Plugin"


def is_remote(site: Site) -> bool:
    return site.kind in REMOTE


def kind_name(site: Site) -> str:
    return REMOTE.get(site.kind, site.kind)


def known_capabilities(site: Site) -> SiteCapabilities:
    return SiteCapabilities.of(site.capabilities)


def inspect(site: Site, http: OpenHttp) -> SiteCheck:
    return open_site_row(site, http).check()


def save_capabilities(site: Site, checked: SiteCheck, now: datetime) -> None:
    """Keeps what a look found. One that failed says nothing about the site: what was known before stays."""
    if checked.problem is None:
        site.capabilities, site.checked_at = dict(checked.capabilities), now
        site.save(update_fields=["capabilities", "checked_at"])


def refresh(site: Site, checked: SiteCheck, now: datetime) -> CheckResult | None:
    """Keeps what a look found by the way. That the connector is gone is told, not kept: members would be made that lack
    what only it does, and nobody would notice."""
    gone = known_capabilities(site).transport == "connector" and checked.capabilities.get("transport") == "core"
    if not gone:
        save_capabilities(site, checked, now)
        return None
    message = f"the connector plugin is gone; put it back, or do without it: memberhook site check {site.name}"
    return CheckResult("connector", False, message)


def resume(site: Site) -> None:
    """What waits for the site is tried again at once."""
    site.paused_until = None
    site.save(update_fields=["paused_until"])


def missing_role_hint(site: Site, role: str) -> str:
    """What to do where the site has no such role."""
    if is_remote(site):
        seen = (
            ""
            if known_capabilities(site).connector
            else " and give it to somebody: without the connector others are not seen"
        )
        return f"Make it in {kind_name(site)}{seen}. Then: memberhook site check {site.name}"
    return f"Add it with: memberhook role add {role}"


def roles_in_words(roles: tuple[Role, ...]) -> str:
    granted = ", ".join(role.slug for role in roles if not role.privileged) or "none that a webhook may grant"
    privileged = ", ".join(role.slug for role in roles if role.privileged)
    return f"{granted}; privileged, so no webhook grants them: {privileged}" if privileged else granted


def moved_warning(site: Site, old_url: str) -> str | None:
    """Links name members by id: at another WordPress those ids are other people."""
    linked = Link.objects.filter(site=site).count()
    if not linked or site.url.rstrip("/") == old_url.rstrip("/"):
        return None
    return (
        f"{linked} linked members of {site.name} are taken for the same users at the new address. If it is another "
        f"{kind_name(site)}, add it under a name of its own instead."
    )


def connector_results(hook: Hook) -> list[CheckResult]:
    """What the hook wants of a WordPress that only the connector plugin can do."""
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
    """Raises `UsageError` for the local site, and while hooks use it. Nothing is touched at the site itself."""
    if not is_remote(site):
        raise UsageError(f"The site {site.name!r} is always there.", code="local_site")
    hooks = ", ".join(site.hooks.order_by("name").values_list("name", flat=True))
    if hooks:
        raise UsageError(f"The site {site.name!r} is used by hooks ({hooks}), so it stays.", code="site_in_use")
    site.delete()
