from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import TransientError
from memberhook.models.connections import Connection, Hook, Link, Overflow, Site
from memberhook.sites.contract import SiteCheck
from tests.cli.conftest import Cli
from tests.fake_wordpress import BAD, CONNECTOR, CORE, GOOD, ROLES, FakeWordPress

PASSWORD = "abcd efgh ijkl mnop"
ADD = ("site", "add", "wordpress", "--name", "club", "--username", "owner", "--password-stdin")
AT = ("--url", "https://club.example")


def hook_for(site: Site, **options: object) -> Hook:
    connection, _ = Connection.objects.get_or_create(name="shop", kind="fluentcrm", url="https://shop.example")
    return Hook.objects.create(name=f"hook{Hook.objects.count()}", connection=connection, site=site, **options)


def test_a_site_is_looked_at_and_stored(cli: Cli, wordpress: FakeWordPress) -> None:
    added = cli.json(*ADD, *AT, "--allow-private", "--full-cost-hash", "--wp-fusion", "fluentcrm-rest", stdin=PASSWORD)
    assert added == {
        "site": "club",
        "kind": "wordpress",
        "url": "https://club.example",
        "transport": "connector",
        "wordpress": "6.8.1",
        "connector": "0.1.0",
        "checks": [{"check": "credentials", "ok": True, "message": GOOD.message}],
        "roles": ROLES,
    }
    [context] = wordpress.contexts
    assert (context.url, context.username, context.password) == ("https://club.example", "owner", PASSWORD)
    site = Site.objects.get(name="club")
    assert (site.kind, site.username, site.password, site.allow_private) == ("wordpress", "owner", PASSWORD, True)
    assert site.options == context.options == {"full_cost_hash": True, "wp_fusion": "fluentcrm-rest"}
    assert site.capabilities == CONNECTOR
    assert site.checked_at is not None
    assert PASSWORD not in site.secret


def test_what_was_found_is_printed(cli: Cli, wordpress: FakeWordPress) -> None:
    printed = cli(*ADD, *AT, stdin=PASSWORD)
    assert f"  ok   credentials: {GOOD.message}\n" in printed
    assert "club is WordPress 6.8.1, reached by the connector 0.1.0.\n" in printed
    assert "Roles: subscriber, customer; privileged, so no webhook grants them: administrator.\n" in printed
    assert "wordpress plugin" not in printed
    assert PASSWORD not in printed


def test_the_connector_is_offered_where_it_is_missing(cli: Cli, wordpress: FakeWordPress) -> None:
    missing = CheckResult("connector", False, "The plugin is not there.", needed=False)
    wordpress.checked = SiteCheck((GOOD, missing), CORE)
    printed = cli(*ADD, *AT, stdin=PASSWORD)
    assert "  note connector: The plugin is not there.\n" in printed
    assert "reached by WordPress's own REST API" in printed
    assert "memberhook wordpress plugin --output memberhook-connector.zip\n" in printed
    assert "→ Upload Plugin, activate it, then: memberhook site check club\n" in printed


@pytest.mark.parametrize("as_json", [False, True])
def test_nothing_is_stored_when_a_needed_finding_fails(cli: Cli, wordpress: FakeWordPress, as_json: bool) -> None:
    wordpress.checked = SiteCheck((CheckResult("address", True, "It answers."), BAD))
    error = cli(*ADD, *AT, *(["--json"] if as_json else []), stdin=PASSWORD, status=1)
    assert error == f"memberhook: WordPress at https://club.example: {BAD.message} Nothing was stored.\n"
    assert cli.printed == ("" if as_json else f"  ok   address: It answers.\n  FAIL credentials: {BAD.message}\n")
    assert [site.name for site in Site.objects.all()] == ["local"]


def test_adding_it_again_changes_it(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    Site.objects.filter(pk=club.pk).update(paused_until=timezone.now() + timedelta(hours=1), allow_private=True)
    printed = cli(*ADD, "--url", "https://new.example", stdin="new one\n")
    site = Site.objects.get(name="club")
    assert (site.pk, site.url, site.username, site.password) == (club.pk, "https://new.example", "owner", "new one")
    assert (site.allow_private, site.paused_until) == (False, None)
    assert "Note:" not in printed


def test_a_site_that_fails_keeps_what_was_stored(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    wordpress.checked = SiteCheck((BAD,))
    cli(*ADD, "--url", "https://new.example", stdin="new one\n", status=1)
    site = Site.objects.get(name="club")
    assert (site.url, site.password, site.capabilities) == (club.url, club.password, CONNECTOR)


def test_another_address_with_linked_members_is_warned_of(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    hook = hook_for(club)
    Link.objects.create(connection=hook.connection, site=club, contact_id="1", member_id="7")
    assert "Note:" not in cli(*ADD, "--url", "https://club.example/", stdin=PASSWORD)
    printed = cli(*ADD, "--url", "https://other.example", stdin=PASSWORD)
    assert "Note: 1 linked members of club are assumed to be the same users at the new address." in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*ADD[:4], "local", *ADD[5:], *AT), "'local' is the name of the local site"),
        ((*ADD[:4], "not a slug", *ADD[5:], *AT), "name 'not a slug': "),
        ((*ADD, "--url", "club.example"), "The address must be"),
        ((*ADD, "--url", "https://me:secret@club.example"), "contains a username or password"),
        ((*ADD, *AT, "--wp-fusion", "Fluent CRM"), "is not a slug of WP Fusion"),
        (("site", "add", "local", *ADD[3:], *AT), "'local' is not 'wordpress'"),
        (("site", "check", "nowhere"), "no site 'nowhere'"),
        (("site", "remove", "local"), "cannot be removed"),
        (("role", "list", "--site", "nowhere"), "no site 'nowhere'"),
    ],
)
def test_what_cannot_be_done_is_explained_in_one_sentence(
    cli: Cli, wordpress: FakeWordPress, arguments: tuple[str, ...], words: str
) -> None:
    error = cli(*arguments, stdin=PASSWORD, status=1)
    assert words in error
    assert error.count("\n") == 1
    assert wordpress.contexts == []
    assert Site.objects.count() == 1


def test_an_empty_password_is_refused(cli: Cli, wordpress: FakeWordPress) -> None:
    assert "The password is empty" in cli(*ADD, *AT, stdin="\n", status=1)


def test_a_check_refreshes_what_is_known_and_ends_the_pause(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    Site.objects.filter(pk=club.pk).update(paused_until=timezone.now() + timedelta(hours=1))
    wordpress.checked = SiteCheck((GOOD,), {**CONNECTOR, "wordpress": "6.9"})
    assert cli.json("site", "check", "club")["wordpress"] == "6.9"
    site = Site.objects.get(name="club")
    assert (site.capabilities["wordpress"], site.paused_until) == ("6.9", None)
    assert site.checked_at is not None


def test_a_check_that_fails_changes_nothing(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    until = timezone.now() + timedelta(hours=1)
    Site.objects.filter(pk=club.pk).update(paused_until=until)
    wordpress.checked = SiteCheck((BAD,))
    assert cli("site", "check", "club", status=1) == f"memberhook: WordPress club: {BAD.message}\n"
    site = Site.objects.get(name="club")
    assert (site.capabilities, site.paused_until, site.checked_at) == (CONNECTOR, until, None)


def test_the_local_site_can_be_checked(cli: Cli) -> None:
    assert cli("site", "check", "local") == "  ok   database: Members are users in this database.\n"
    assert cli.json("site", "check", "local")["transport"] is None


def test_sites_are_listed_with_way_and_version(cli: Cli, club: Site) -> None:
    first, second = cli.json("site", "list")
    assert (first["site"], first["transport"], first["wordpress"], first["connector"]) == (
        "club",
        "connector",
        "6.8.1",
        "0.1.0",
    )
    assert (second["site"], second["url"], second["transport"]) == ("local", None, None)
    assert "connector" in cli("site", "list").splitlines()[1]


def test_a_site_goes_only_when_no_hook_uses_it(cli: Cli, club: Site) -> None:
    hook = hook_for(club)
    Overflow.objects.create(site=club, connection=hook.connection, member_id="7")
    assert "used by hooks (hook0)" in cli("site", "remove", "club", status=1)
    assert Site.objects.filter(name="club").exists()
    hook.delete()
    cli("site", "remove", "club")
    assert not Site.objects.filter(name="club").exists()
    assert not Overflow.objects.exists()


def test_roles_of_a_site(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    summaries = cli.json("role", "list", "--site", "club")
    assert [(row["role"], row["privileged"]) for row in summaries] == [
        ("administrator", True),
        ("subscriber", False),
        ("customer", False),
    ]
    assert "subscriber" in cli("role", "list")
    error = cli("role", "add", "vip", "--site", "club", status=1)
    assert error == (
        "memberhook: The roles of club belong to WordPress. Create it in WordPress. Then: memberhook site check club\n"
    )


def test_without_the_connector_a_new_role_needs_a_holder(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    Site.objects.filter(pk=club.pk).update(capabilities=dict(CORE))
    assert "Create it in WordPress and give it to a user" in cli("role", "add", "vip", "--site", "club", status=1)


def test_a_role_without_a_word_about_privileges_is_privileged(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    Site.objects.filter(pk=club.pk).update(capabilities={"roles": [{"slug": "odd"}]})
    assert cli.json("role", "list", "--site", "club") == [{"role": "odd", "title": "odd", "privileged": True}]


def test_a_hook_takes_the_roles_of_its_site(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    Connection.objects.create(name="shop", kind="fluentcrm", url="https://shop.example")
    new = ("hook", "add", "--connection", "shop", "--site", "club")
    assert cli("hook", "add", "--connection", "shop", "--role", "vip", status=1).endswith("memberhook role add vip.\n")
    error = cli(*new, "--role", "vip", status=1)
    assert "it has subscriber, customer. Create it in WordPress. Then: memberhook site check club" in error
    assert "privileged" in cli(*new, "--role", "administrator", status=1)
    cli(*new, "--allow-role", "Customer")
    assert Hook.objects.get().allowed_roles == ["customer"]


def test_a_site_that_cannot_tell_its_roles_stops_a_hook(cli: Cli, wordpress: FakeWordPress, club: Site) -> None:
    Connection.objects.create(name="shop", kind="fluentcrm", url="https://shop.example")
    wordpress.broken = TransientError("club.example Could not connect.", code="unreachable")
    error = cli("hook", "add", "--connection", "shop", "--site", "club", status=1)
    assert error == "memberhook: club.example Could not connect.\n"
    assert not Hook.objects.exists()
