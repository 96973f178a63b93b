from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import TransientError
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Connection, Hook, Site
from memberhook.services import doctor
from memberhook.sites.contract import SiteCheck
from tests.conftest import set_rows
from tests.fake_wordpress import BAD, CONNECTOR, CORE, GOOD, FakeWordPress
from tests.loopback import Loopback, Reply, Request


@pytest.fixture
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_clock", lambda account, runtime: iter(()))


def results(examine: Any) -> dict[str, tuple[bool, str]]:
    return {check.name: (not check.is_failure, check.message) for check in examine(system_runtime())}


@pytest.fixture
def club_hook(club: Site, no_clock: None) -> Hook:
    connection = Connection.objects.create(name="shop", kind="fluentcrm", url="https://shop.example")
    mapped = [{"site": "user_email", "crm": "email"}, {"site": "city", "crm": "city"}, {"site": "vip", "crm": "vip"}]
    hook = Hook.objects.create(name="members", connection=connection, site=club, welcome=True)
    set_rows(hook, field_map=mapped)
    return hook


def test_sites_are_looked_at_and_what_they_tell_is_kept(wordpress: FakeWordPress, club: Site, no_clock: None) -> None:
    Site.objects.filter(name="club").update(capabilities=CORE)
    missing = CheckResult("connector", False, "The plugin is not there.", needed=False)
    wordpress.checked = SiteCheck((GOOD, missing), {**CORE, "wordpress": "9"})
    assert results(doctor.site_checks) == {
        "club: credentials": (True, GOOD.message),
        "club: connector": (True, "The plugin is not there."),
    }
    assert Site.objects.get(name="club").capabilities == {**CORE, "wordpress": "9"}


def test_a_note_is_marked_and_fails_nothing(wordpress: FakeWordPress, club: Site, no_clock: None) -> None:
    more = CheckResult("user", False, "The WordPress user can do more than Memberhook needs.", needed=False)
    wordpress.checked = SiteCheck((GOOD, more), CONNECTOR)
    marks = {check.name: (check.ok, check.is_failure) for check in doctor.site_checks(system_runtime())}
    assert marks == {"club: credentials": (True, False), "club: user": (False, False)}


def test_a_connector_that_is_gone_is_reported_and_the_transport_stays(
    wordpress: FakeWordPress, club: Site, no_clock: None
) -> None:
    missing = CheckResult("connector", False, "The plugin is not there.", needed=False)
    wordpress.checked = SiteCheck((GOOD, missing), CORE)
    ok, message = results(doctor.site_checks)["club: connector"]
    assert not ok
    assert "memberhook site check club" in message
    assert Site.objects.get(name="club").capabilities == CONNECTOR


def test_a_site_that_is_down_is_a_finding_and_its_facts_stay(
    wordpress: FakeWordPress, club: Site, no_clock: None
) -> None:
    wordpress.checked = SiteCheck((BAD,))
    assert results(doctor.site_checks) == {"club: credentials": (False, BAD.message)}
    assert Site.objects.get(name="club").capabilities == CONNECTOR


def test_a_site_that_cannot_be_opened_does_not_hide_the_next(
    wordpress: FakeWordPress, club: Site, no_clock: None
) -> None:
    Site.objects.create(name="broken", kind="wordpress", url="https://b.example", secret="no token of ours")
    found = results(doctor.site_checks)
    assert "the secret key has changed" in found["site broken"][1]
    assert found["club: credentials"][0]


@pytest.mark.parametrize(("behind", "ok"), [(0, True), (300, False)])
def test_the_clock_of_a_site_is_compared(wordpress: FakeWordPress, club: Site, behind: int, ok: bool) -> None:
    date = format_datetime(datetime.now(UTC) - timedelta(seconds=behind), usegmt=True)

    def answer(request: Request) -> Reply:
        head = f"HTTP/1.1 404 Not Found\r\nDate: {date}\r\nContent-Length: 0\r\n\r\n"
        return Reply(raw=[head.encode()])

    with Loopback(answer) as server:
        Site.objects.filter(pk=club.pk).update(url=server.url, allow_private=True)
        assert results(doctor.site_checks)["club: clock"][0] is ok


def test_a_clock_that_cannot_be_asked_is_no_finding(wordpress: FakeWordPress, club: Site) -> None:
    def leads_on(request: Request) -> Reply:
        return Reply(raw=[b"HTTP/1.1 302 Found\r\nLocation: /en/\r\nContent-Length: 0\r\n\r\n"])

    with Loopback(leads_on) as server:
        Site.objects.filter(pk=club.pk).update(url=server.url, allow_private=True)
        assert set(results(doctor.site_checks)) == {"club: credentials"}


def test_what_only_the_connector_can_do_is_reported(wordpress: FakeWordPress, club_hook: Hook) -> None:
    assert not [name for name in results(doctor.hook_checks) if "welcome" in name or "kept" in name]
    Site.objects.filter(name="club").update(capabilities=dict(CORE))
    found = results(doctor.hook_checks)
    ok, message = found["hook members: welcome e-mail"]
    assert not ok
    assert "club has no connector plugin" in message
    assert "memberhook wordpress plugin" in message
    assert found["hook members: kept fields"] == (
        True,
        "vip: kept by Memberhook, not in WordPress, since club has no connector plugin",
    )


def test_a_missing_role_is_reported_with_what_to_do(wordpress: FakeWordPress, club_hook: Hook) -> None:
    Hook.objects.update(allowed_roles=["vip"])
    ok, message = results(doctor.hook_checks)["hook members: roles"]
    assert (ok, message) == (
        False,
        "the site has no role vip. Create it in WordPress. Then: memberhook site check club",
    )
    Hook.objects.update(site=Site.objects.get(name="local"))
    assert results(doctor.hook_checks)["hook members: roles"][1].endswith("Add it with: memberhook role add vip")


def test_a_site_that_cannot_tell_its_roles_does_not_hide_other_checks(
    wordpress: FakeWordPress, club_hook: Hook
) -> None:
    wordpress.broken = TransientError("club.example Could not connect.", code="unreachable")
    found = results(doctor.hook_checks)
    assert found["hook members: roles"] == (False, "club.example Could not connect.")
    assert "hook members: fields" in found
