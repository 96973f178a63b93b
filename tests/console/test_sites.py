from __future__ import annotations

import html
import io
from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import pytest
from django.test import Client
from django.utils import timezone

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import TransientError
from memberhook.models.connections import Connection, Hook, Link, Site
from memberhook.sites.contract import SiteCheck
from memberhook.sites.wordpress import plugin_file
from tests.console.test_connections import errors, messages_of
from tests.console.test_hooks import form as hook_form
from tests.fake_wordpress import BAD, CONNECTOR, CORE, GOOD, ROLES, FakeWordPress

ADD = "/console/memberhook/site/add/"
ADD_HOOK = "/console/memberhook/hook/add/"


def page(site: Site, what: str = "change") -> str:
    return f"/console/memberhook/site/{site.pk}/{what}/"


def form(**values: Any) -> dict[str, Any]:
    usual = {
        "name": "club",
        "kind": "wordpress",
        "url": "https://club.example",
        "username": "memberhook",
        "password": "",
    }
    return usual | values


@pytest.fixture
def local(db: None) -> Site:
    return Site.objects.get(name="local")


def test_a_new_site_is_stored_and_tested(
    console: Client, wordpress: FakeWordPress, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = console.post(
            ADD, form(password=" as it is ", wp_fusion="fluentcrm-rest", full_cost_hash="on", allow_private="on")
        )
    site = Site.objects.get(name="club")
    assert (site.kind, site.url, site.username, site.password, site.allow_private) == (
        "wordpress",
        "https://club.example",
        "memberhook",
        " as it is ",
        True,
    )
    assert site.options == {"full_cost_hash": True, "wp_fusion": "fluentcrm-rest"}
    assert site.capabilities == CONNECTOR
    assert site.checked_at is not None
    assert f"club, credentials: {GOOD.message}" in messages_of(answer)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "password"),
        ({"password": "x", "url": "club.example"}, "url"),
        ({"password": "x", "url": "https://user:secret@club.example"}, "url"),
        ({"password": "x", "name": "local"}, "name"),
        ({"password": "x", "kind": "local"}, "kind"),
        ({"password": "x", "wp_fusion": "Fluent CRM"}, "wp_fusion"),
    ],
)
def test_mistakes_are_reported(
    console: Client, wordpress: FakeWordPress, db: None, values: dict[str, Any], field: str
) -> None:
    assert field in errors(console.post(ADD, form(**values)))
    assert Site.objects.count() == 1
    assert wordpress.contexts == []


def test_what_was_found_is_shown(console: Client, club: Site, wordpress: FakeWordPress) -> None:
    Site.objects.filter(pk=club.pk).update(capabilities={**CORE, "meta_keys": ["city", "<b>"]})
    text = console.get(page(club)).content.decode()
    assert "WordPress&#x27;s own REST API" in text
    assert "6.8.1" in text
    assert (
        '<div>Administrator <code>administrator</code> <span class="mh-badge mh-warn">Privileged</span></div>' in text
    )
    assert "<div>Customer <code>customer</code> </div>" in text
    assert "<code>city</code> <code>&lt;b&gt;</code>" in text
    summaries = console.get("/console/memberhook/site/").content.decode()
    assert "6.8.1" in summaries
    assert wordpress.contexts == []


def test_an_empty_password_keeps_the_stored_one(console: Client, club: Site, wordpress: FakeWordPress) -> None:
    assert console.post(page(club), form(wp_fusion="crm")).status_code == 302
    club.refresh_from_db()
    assert (club.password, club.options) == ("abcd efgh", {"full_cost_hash": False, "wp_fusion": "crm"})
    assert 'value="crm"' in console.get(page(club)).content.decode()


@pytest.mark.parametrize("moved", [{"url": "https://evil.example"}, {"username": "somebody"}])
def test_the_stored_password_does_not_move_along(console: Client, club: Site, moved: dict[str, str]) -> None:
    assert "again" in errors(console.post(page(club), form() | moved))["password"][0]
    club.refresh_from_db()
    assert (club.url, club.username) == ("https://club.example", "memberhook")


def test_another_address_with_linked_members_is_warned_of(
    console: Client, hook: Hook, club: Site, wordpress: FakeWordPress
) -> None:
    Link.objects.create(connection=hook.connection, site=club, contact_id="1", member_id="7")
    answer = console.post(page(club), form(url="https://other.example", password="x"))
    assert "1 linked members of club are assumed to be the same users" in messages_of(answer)[0]


def test_a_test_tells_each_finding_and_keeps_what_was_found(
    console: Client, club: Site, wordpress: FakeWordPress
) -> None:
    Site.objects.filter(pk=club.pk).update(paused_until=timezone.now() + timedelta(hours=1))
    missing = CheckResult("connector", False, "The plugin is not there.", needed=False)
    wordpress.checked = SiteCheck((GOOD, missing), CORE)
    answer = console.post(page(club, "test"))
    assert answer.headers["Location"] == page(club)
    first, second, third = messages_of(answer)
    assert (first, second) == (f"club, credentials: {GOOD.message}", "club, connector: The plugin is not there.")
    assert "Without the connector plugin" in third
    club.refresh_from_db()
    assert (club.capabilities, club.paused_until) == (CORE, None)


def test_a_test_that_fails_keeps_what_was_known(console: Client, club: Site, wordpress: FakeWordPress) -> None:
    wordpress.checked = SiteCheck((BAD,))
    chosen = {"action": "test_chosen", "_selected_action": club.pk}
    assert messages_of(console.post("/console/memberhook/site/", chosen)) == [f"club, credentials: {BAD.message}"]
    club.refresh_from_db()
    assert (club.capabilities, club.checked_at) == (CONNECTOR, None)


def test_the_local_site_is_read_only(console: Client, local: Site) -> None:
    shown = console.get(page(local))
    assert b"connector.zip" not in shown.content
    assert b"mh-button" not in shown.content
    assert console.post(page(local), form(name="mine", password="x")).status_code == 403
    assert console.post(page(local, "test")).status_code == 403
    assert console.post(page(local, "delete"), {"post": "yes"}).status_code == 403
    for action in ("delete_selected", "test_chosen"):
        console.post("/console/memberhook/site/", {"action": action, "_selected_action": local.pk, "post": "yes"})
    assert list(Site.objects.values_list("name", "url")) == [("local", "")]


def test_a_site_that_no_hook_uses_goes(console: Client, hook: Hook, club: Site) -> None:
    Hook.objects.update(site=club)
    console.post(page(club, "delete"), {"post": "yes"})
    assert Site.objects.filter(pk=club.pk).exists()
    Hook.objects.all().delete()
    console.post(page(club, "delete"), {"post": "yes"})
    assert not Site.objects.filter(pk=club.pk).exists()


def test_the_connector_is_downloaded(console: Client, client: Client, club: Site) -> None:
    assert "/console/memberhook/site/connector.zip" in console.get(page(club)).content.decode()
    answer = console.get("/console/memberhook/site/connector.zip")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{plugin_file.zip_name()}"'
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read(plugin_file.IN_ZIP) == plugin_file.sources()[plugin_file.FILE]
    assert Client().get("/console/memberhook/site/connector.zip").status_code == 302


def test_a_hook_of_a_site_has_its_roles(
    console: Client, shop: Connection, club: Site, wordpress: FakeWordPress
) -> None:
    Site.objects.filter(pk=club.pk).update(
        capabilities={**CONNECTOR, "roles": [*ROLES, {"slug": "vip", "privileged": False}]}
    )
    shown = console.get(f"{ADD_HOOK}?site={club.pk}").context["adminform"].form
    assert ("vip", "vip (vip)") in shown.fields["default_role"].widget.choices
    values = hook_form(name="fresh", connection=shop.pk, site=club.pk, default_role="vip")
    assert console.post(ADD_HOOK, values).status_code == 200
    hook = Hook.objects.get(name="fresh")
    assert (hook.site, hook.default_role) == (club, "vip")


@pytest.fixture
def down(wordpress: FakeWordPress) -> str:
    wordpress.broken = TransientError("club.example Could not connect.", code="unreachable")
    return wordpress.broken.message


def test_a_hooks_page_works_while_its_site_is_down(
    console: Client, hook: Hook, shop: Connection, club: Site, down: str
) -> None:
    kept = {"allowed_roles": ["customer", "administrator"], "confirmed_privileged": ["administrator"]}
    Hook.objects.update(site=club, default_role="subscriber", **kept)
    text = html.unescape(console.get(f"/console/memberhook/hook/{hook.pk}/change/").content.decode())
    assert f"The roles of club are not known now. {down}" in text
    assert "customer (not known)" in text
    values = hook_form(allowed_roles=["customer", "administrator"], welcome="on")
    assert console.post(f"/console/memberhook/hook/{hook.pk}/change/", values).status_code == 302
    hook.refresh_from_db()
    assert hook.welcome
    assert sorted(hook.allowed_roles) == ["administrator", "customer"]
    assert hook.confirmed_privileged == ["administrator"]
    assert "allowed_roles" in errors(
        console.post(f"/console/memberhook/hook/{hook.pk}/change/", hook_form(allowed_roles=["editor"]))
    )


def test_no_hook_is_made_for_a_site_whose_roles_are_not_known(
    console: Client, shop: Connection, club: Site, down: str
) -> None:
    assert down in errors(console.post(ADD_HOOK, hook_form(name="fresh", connection=shop.pk, site=club.pk)))["site"][0]
    assert Hook.objects.filter(name="fresh").count() == 0


def test_a_site_that_was_never_looked_at_says_so(
    console: Client, shop: Connection, club: Site, wordpress: FakeWordPress
) -> None:
    Site.objects.filter(pk=club.pk).update(capabilities={})
    answer = console.post(ADD_HOOK, hook_form(name="fresh", connection=shop.pk, site=club.pk))
    assert "Test the site club first" in errors(answer)["site"][0]


def test_a_paused_site_is_on_the_front_page(console: Client, club: Site) -> None:
    Site.objects.filter(pk=club.pk).update(paused_until=timezone.now() + timedelta(minutes=10))
    text = console.get("/console/").content.decode()
    assert "club is paused for" in text
    assert page(club) in text
