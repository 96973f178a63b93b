"""A real WordPress without the connector plugin as the site."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from memberhook.core.http_client import HttpClient
from memberhook.core.types import Applied, ApplyStatus, Member
from memberhook.engine import followups
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Site as SiteRow
from memberhook.sites.contract import MemberQuery, Overflow, Site, SiteContext
from memberhook.sites.registry import open_site
from tests.conftest import Clock, Send, ended
from tests.sites.contract import SiteContract, World
from tests.sites.wordpress.helpers import GOLD, SILVER, MemoryOverflowStore, change, creation
from tests.wordpress.conftest import site_row
from tests.wordpress.runner import WordPress, running

SITES_OWN_CODE = """<?php
if (get_option('drops_header')) {
    unset($_SERVER['PHP_AUTH_USER'], $_SERVER['PHP_AUTH_PW'], $_SERVER['HTTP_AUTHORIZATION']);
}
add_filter('wp_is_application_passwords_available', fn ($is) => $is && !get_option('no_passwords'));
add_filter('xmlrpc_enabled', fn ($is) => $is && !get_option('no_xmlrpc'));
add_action('init', function () {
    $shown = ['single' => true, 'show_in_rest' => true];
    register_meta('user', 'company', ['type' => 'string'] + $shown);
    register_meta('user', 'seats', ['type' => 'integer'] + $shown);
    register_meta('user', 'vip', ['type' => 'boolean'] + $shown);
    register_meta('user', 'locked', ['type' => 'string', 'auth_callback' => '__return_false'] + $shown);
    $texts = ['schema' => ['type' => 'array', 'items' => ['type' => 'string']]];
    register_meta('user', 'interests', ['type' => 'array', 'single' => true, 'show_in_rest' => $texts]);
    register_meta('user', 'cities', ['type' => 'string', 'single' => false, 'show_in_rest' => true]);
    add_role('student', 'Student', ['read' => true]);
    add_role('customer', 'Customer', ['read' => true]);
    add_role('boss', 'Boss', ['read' => true, 'manage_options' => true]);
    add_role('nobody', 'Nobody', ['read' => true]);
});
add_filter('illegal_user_logins', fn () => ['forbidden']);
add_filter('rest_pre_insert_user', function ($user) {
    if (($user->user_login ?? '') === 'crash') {
        throw new Error('before it is made');
    }
    return $user;
});
add_action('rest_after_insert_user', function ($user) {
    if (str_starts_with($user->user_login, 'sleeps')) {
        sleep(2);
    }
});
add_action('user_register', function ($id) {
    if (get_userdata($id)->user_login === 'late') {
        throw new Error('after it is made');
    }
});
"""


@pytest.fixture(scope="module")
def wp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WordPress]:
    plugin = tmp_path_factory.mktemp("plugin") / "own-code.php"
    plugin.write_text(SITES_OWN_CODE, "utf-8")
    with running(mu_plugin=[plugin]) as site:
        site.user("tom", "student")
        site.user("liz", "boss")
        site.user("cy", "customer")
        yield site


@pytest.fixture
def overflow_store() -> MemoryOverflowStore:
    return MemoryOverflowStore()


@pytest.fixture(scope="module")
def capabilities(wp: WordPress) -> Mapping[str, Any]:
    client = HttpClient(allow_private=True)
    checked = open_site("wordpress", context(wp, client, MemoryOverflowStore())).check()
    client.close()
    assert [result.name for result in checked.results if result.needed and not result.ok] == []
    return checked.capabilities


def context(wp: WordPress, http: HttpClient, overflow_store: MemoryOverflowStore, **more: Any) -> SiteContext:
    who = {"username": wp.admin_user, "password": wp.application_password, **more}
    return SiteContext("club", 1, "shop", "fluentcrm", wp.url, http=http, overflow_store=overflow_store, **who)


@pytest.fixture
def site(wp: WordPress, http: HttpClient, overflow_store: MemoryOverflowStore, capabilities: Mapping[str, Any]) -> Site:
    return open_site("wordpress", context(wp, http, overflow_store, capabilities=capabilities))


@pytest.fixture
def add(site: Site) -> Callable[..., Member]:
    """Makes a member and finds it."""

    def added(username: str, **changes: Any) -> Member:
        (applied,) = site.apply([creation(username, **changes)])
        assert applied.created, applied
        return member(site, applied.member_id)

    return added


def member(site: Site, member_id: str) -> Member:
    return site.find(MemberQuery(member_ids=[member_id])).members[member_id]


class TestContract(SiteContract):
    """What WordPress cannot store, Memberhook stores; the contract is the same."""

    @pytest.fixture
    def row(self, wp: WordPress, capabilities: Mapping[str, Any], db: None) -> SiteRow:
        return site_row(wp, capabilities=dict(capabilities))

    def test_a_welcome_e_mail_is_not_promised(self, world: World) -> None:
        made = world.send("add", world.contact(), notify=True)
        assert "welcome" not in made.message
        assert "sends no welcome e-mail" in made.outcome["warnings"][0]

    def test_killing_php_loses_nothing_and_doubles_nothing(
        self, world: World, wp: WordPress, send: Send, work: Callable[[], int], clock: Clock, runtime: Runtime
    ) -> None:
        """The password that goes back to the CRM is the one that opens the account, also of who was half-way made."""
        world.set(username_format="first-last", return_password_field="wp_password")
        names = ["Wakes1", "Sleeps2", "Wakes3"]
        people = [world.contact(fields={"first_name": name, "last_name": "Killed"}) for name in names]
        sent = [send("add", person.id or "", hook=world.hook) for person in people]
        killer = threading.Timer(1.2, wp.kill_php)
        killer.start()
        work()
        killer.join()
        assert {ended(d).state for d in sent} <= {"retrying", "applied"}
        for _ in range(6):
            clock.pass_(minutes=10)
            work()
        assert [ended(d).state for d in sent] == ["applied"] * 3, [d.message for d in sent]
        assert all(d.outcome["member"]["created"] for d in sent)
        while followups.run_due("w1", runtime):
            pass
        passwords = {write.contact_id: write.fields["wp_password"] for write in world.crm.written}
        code = "return !is_wp_error(wp_authenticate($username, $password));"
        for person, delivery in zip(people, sent, strict=True):
            username = delivery.outcome["member"]["login"]
            assert wp.php_json(code, username=username, password=passwords[person.id or ""])


class TestCreation:
    def test_many_at_once(self, wp: WordPress, site: Site) -> None:
        plans = [
            creation(f"many{n}", role="student", fields={"first_name": "Zoë", "last_name": str(n), "company": "A & B"})
            for n in range(30)
        ]
        applied = site.apply(plans)
        assert all(done.created and done.done and not done.warnings for done in applied)
        assert [done.username for done in applied] == [plan.username for plan in plans]
        assert applied[3].changes == ("user_email", "role", "company", "first_name", "last_name")
        found = site.find(MemberQuery(member_ids=[done.member_id for done in applied]))
        zoe = found.members[applied[3].member_id]
        assert (zoe.username, zoe.email, zoe.roles) == ("many3", "many3@member.example", {"student"})
        assert (zoe.fields["first_name"], zoe.fields["company"]) == ("Zoë", "A & B")
        assert not zoe.protected
        code = "return get_user_meta(get_user_by('login', 'many3')->ID, 'company', true);"
        assert wp.php_json(code) == "A & B"

    def test_the_password_is_the_members(self, wp: WordPress, site: Site) -> None:
        """wp_signon() takes it from $_POST, where WordPress has put slashes before quotes."""
        site.apply([creation("withpass", password="pa ss'wörd\"")])
        code = "return !is_wp_error(wp_authenticate('withpass', wp_slash($password)));"
        assert wp.php_json(code, password="pa ss'wörd\"") is True

    def test_all_that_wordpress_has_a_place_for(self, add: Callable[..., Member]) -> None:
        fields = {
            "first_name": "Ada",
            "last_name": "Lovelace",
            "display_name": "Countess",
            "nickname": "ada",
            "description": "First line\nsecond",
            "user_url": "https://ada.example/",
            "locale": "en_US",
            "company": "Engines",
            "seats": 3,
            "vip": True,
            "interests": ("maths", "a, b"),
            "cities": "London Town",
        }
        made = add("all", fields=fields)
        as_stored = {**fields, "seats": "3", "vip": "1", "cities": ("London Town",)}
        assert {name: made.fields[name] for name in fields} == as_stored

    def test_a_username_that_is_taken_or_forbidden_is_known_at_the_next_find(
        self, add: Callable[..., Member], site: Site
    ) -> None:
        add("taken.by@some.example", email="taken@member.example")
        plans = [
            creation("Taken.By@some.example", "other1@member.example"),
            creation("forbidden", "other2@member.example"),
            creation("taken.by-some.example", "other3@member.example"),
        ]
        applied = site.apply(plans)
        assert [done.status is ApplyStatus.CONFLICT for done in applied] == [True, True, False]
        usernames = [plan.username or "" for plan in plans]
        found = site.find(MemberQuery(usernames=[*usernames, "free"]))
        assert found.taken_usernames == {"taken.by@some.example", "forbidden", "taken.by-some.example"}

    def test_the_slug_finds_most_usernames(self, add: Callable[..., Member], site: Site) -> None:
        usernames = ["Mary Ann", "o.b-r_i@x.example", "x" * 60, "--a..b--"]
        for number, username in enumerate(usernames):
            add(username, email=f"slug{number}@member.example")
        assert site.find(MemberQuery(usernames=[*usernames, "mary"])).taken_usernames == {
            username.lower() for username in usernames
        }

    def test_an_email_that_somebody_has_by_now(self, add: Callable[..., Member], site: Site) -> None:
        add("has", email="Has@Member.example")
        (applied,) = site.apply([creation("wants", "has@member.example")])
        assert applied == Applied(status=ApplyStatus.CONFLICT)

    def test_the_welcome_email_is_said_not_to_be_sent(self, wp: WordPress, site: Site) -> None:
        site.apply([creation("welcomed", welcome=True)])
        assert "needs the connector plugin" in site.no_welcome
        assert wp.mails("welcomed@member.example") == []

    def test_what_it_was_created_for_is_known_again(self, site: Site) -> None:
        (made,) = site.apply([replace(creation("noted"), idempotency_key="k1")])
        noted = member(site, made.member_id)
        assert noted.idempotency_key == "k1"
        plan = replace(change(noted), idempotency_key="k1", is_retry=True, welcome=True)
        (again,) = site.apply([plan])
        assert (again.created, again.changes, len(again.warnings)) == (True, (), 0)
        (other,) = site.apply([replace(plan, idempotency_key="k2")])
        assert not other.created

    def test_one_bad_member_affects_no_other(self, site: Site) -> None:
        good = [creation(f"among{n}") for n in range(3)]
        applied = site.apply([good[0], creation("badrole", role="wizard"), good[1], creation("crash"), good[2]])
        assert [done.created for done in applied] == [True, False, True, False, True]
        assert "no such role" in applied[1].message
        assert "HTTP 500" in applied[3].message

    def test_a_member_created_by_a_call_that_broke_counts_as_created(
        self, site: Site, capabilities: Mapping[str, Any]
    ) -> None:
        applied = site.apply([creation("before"), creation("late"), creation("after")])
        if capabilities["batch"]:
            assert [done.created for done in applied] == [True, True, True]
        else:
            assert [done.created for done in applied] == [True, False, True]
            assert applied[1].status is ApplyStatus.TRY_LATER

    def test_rejected_values_cost_no_other_value(self, site: Site) -> None:
        fields = {"first_name": "Eve", "locale": "xx_XX", "seats": "many", "user_url": "https://x.example/" + "x" * 100}
        (applied,) = site.apply([creation("picky", fields=fields)])
        assert applied.created
        assert applied.changes == ("user_email", "role", "first_name")
        assert applied.warnings == (
            "WordPress does not accept the contact's value of locale, seats, user_url, so it stays unchanged there.",
        )

    def test_a_field_that_its_own_code_locks(self, site: Site) -> None:
        fields = {"cities": ("Rome",), "locked": "x", "seats": "many", "interests": ("y",), "company": "B"}
        (applied,) = site.apply([creation("keyless", fields=fields)])
        assert applied.created
        assert applied.changes == ("user_email", "role", "cities", "company", "interests")
        assert "value of locked, seats, so" in applied.warnings[0]
        now = member(site, applied.member_id).fields
        assert (now["company"], now["interests"], now["cities"], now["locked"]) == ("B", ("y",), ("Rome",), "")

    @pytest.mark.parametrize(
        ("plan", "error"),
        [
            (creation("slashed", password="back\\slash"), "user_pass"),
            (creation("mailless", "a@b@c"), "user_email"),
        ],
    )
    def test_what_no_member_can_be_made_with(self, site: Site, plan: Any, error: str) -> None:
        (applied,) = site.apply([plan])
        assert error in applied.message
        assert "back" not in applied.message


class TestChange:
    def test_what_differs_is_named(self, add: Callable[..., Member], site: Site) -> None:
        ada = add("changes", fields={"first_name": "Ada", "description": "same"})
        fields = {"first_name": "Eve", "description": "same", "company": "C"}
        (applied,) = site.apply([change(ada, email="Eve@member.example", fields=fields)])
        assert applied.changes == ("user_email", "company", "first_name")
        assert (applied.email, applied.created) == ("Eve@member.example", False)
        (again,) = site.apply([change(ada, email="Eve@member.example", fields=fields)])
        assert again == replace(applied, changes=())

    def test_roles(self, add: Callable[..., Member], site: Site) -> None:
        ada = add("roles", role="subscriber")
        site.apply([change(ada, roles_added=("student", "nobody"))])
        assert member(site, ada.id).roles == {"subscriber", "student", "nobody"}
        site.apply([change(ada, roles_removed=("subscriber", "nobody"))])
        assert member(site, ada.id).roles == {"student"}
        (applied,) = site.apply([change(ada, role="nobody")])
        assert member(site, ada.id).roles == {"nobody"}
        assert applied.changes == ("role",)
        site.apply([change(ada, roles_removed=("nobody",))])
        assert member(site, ada.id).roles == frozenset()

    def test_fields_are_emptied(self, add: Callable[..., Member], site: Site) -> None:
        fields = {"first_name": "Ada", "company": "A", "interests": ("x",), "hobby": "chess"}
        ada = add("empties", fields=fields)
        site.apply([change(ada, fields=dict.fromkeys(fields))])
        now = member(site, ada.id).fields
        assert [now.get(name) for name in fields] == ["", "", (), None]

    def test_password(self, wp: WordPress, add: Callable[..., Member], site: Site) -> None:
        (applied,) = site.apply([change(add("newpass"), password="new one")])
        assert applied.changes == ("user_pass",)
        assert wp.php_json("return !is_wp_error(wp_authenticate('newpass', 'new one'));") is True

    def test_an_email_of_another(self, add: Callable[..., Member], site: Site) -> None:
        add("owner")
        (applied,) = site.apply([change(add("envious"), email="OWNER@member.example")])
        assert applied == Applied(status=ApplyStatus.CONFLICT)

    def test_gone_and_promoted_meanwhile(self, wp: WordPress, add: Callable[..., Member], site: Site) -> None:
        gone, promoted = add("gone"), add("promoted")
        code = "require_once ABSPATH . 'wp-admin/includes/user.php'; wp_delete_user($gone); "
        wp.php_json(code + "(new WP_User($promoted))->set_role('boss');", gone=int(gone.id), promoted=int(promoted.id))
        applied = site.apply([change(gone, fields={"company": "X"}), change(promoted, password="stolen")])
        assert applied == [Applied(status=ApplyStatus.CONFLICT), Applied(status=ApplyStatus.CONFLICT)]

    def test_protected(self, wp: WordPress, site: Site) -> None:
        (liz,) = site.find(MemberQuery(emails=["LIZ@member.example"])).members.values()
        assert liz.protected
        plan = change(liz, email="x@member.example", role="subscriber", password="x", fields={"company": "Boss"})
        (applied,) = site.apply([plan])
        assert applied.changes == ("company",)
        now = member(site, liz.id)
        assert (now.email, now.roles) == ("liz@member.example", {"boss"})

    @pytest.mark.parametrize("right", ["upload_files", "edit_published_posts"])
    def test_harmless_rights_protect_nobody(
        self, wp: WordPress, add: Callable[..., Member], site: Site, right: str
    ) -> None:
        ada = add(f"right{right.replace('_', '')}")
        wp.php_json("(new WP_User($id))->add_cap($right);", id=int(ada.id), right=right)
        assert not member(site, ada.id).protected
        wp.php_json("(new WP_User($id))->add_cap('list_users');", id=int(ada.id))
        assert member(site, ada.id).protected


class TestOverflow:
    def test_tags_and_unknown_fields(
        self, site: Site, overflow_store: MemoryOverflowStore, add: Callable[..., Member]
    ) -> None:
        plan = creation("keeps", tags_applied=(GOLD, SILVER), fields={"hobby": "chess", "size": 7, "company": "K"})
        (applied,) = site.apply([plan])
        (warning,) = applied.warnings
        assert warning.endswith("only with the connector plugin: hobby, size, tags.")
        now = member(site, applied.member_id)
        assert now.tags == (GOLD, SILVER)
        assert (now.fields["hobby"], now.fields["size"], now.fields["company"]) == ("chess", "7", "K")
        site.apply([change(now, tags_removed=(GOLD,), fields={"size": None})])
        assert overflow_store.stored == {now.id: Overflow((SILVER,), {"hobby": "chess"})}

    def test_a_crash_before_it_is_stored_is_repaired(self, site: Site, overflow_store: MemoryOverflowStore) -> None:
        (applied,) = site.apply([creation("dies", tags_applied=(GOLD,))])
        overflow_store.stored.clear()
        dead = member(site, applied.member_id)
        assert dead.tags == ()
        (again,) = site.apply([change(dead, tags_applied=(GOLD,))])
        assert again.changes == ("tags",)
        assert member(site, dead.id).tags == (GOLD,)
        writes = overflow_store.writes
        (third,) = site.apply([change(dead, tags_applied=(GOLD,))])
        assert (third.changes, third.warnings, overflow_store.writes) == ((), (), writes)


class TestListing:
    def test_everybody(self, site: Site, add: Callable[..., Member]) -> None:
        last = add("summarized", tags_applied=(GOLD,), fields={"first_name": "L", "hobby": "chess"})
        site.apply([creation(f"page{n}") for n in range(105)])
        everybody = list(site.members(fields=["hobby", "first_name", "description"]))
        ids = [int(row.id) for row in everybody]
        assert len(ids) > 100
        assert ids == sorted(set(ids))
        row = next(row for row in everybody if row.id == last.id)
        assert (row.username, row.first_name, row.roles) == ("summarized", "L", ("subscriber",))
        assert row.tags == {"shop": ("gold",)}
        assert row.fields == {"hobby": "chess"}

    def test_by_email(self, site: Site, add: Callable[..., Member]) -> None:
        add("one", email="one+x@member.example")
        add("two", email="one+xx@member.example")
        assert [row.username for row in site.members(["ONE+X@member.example"])] == ["one"]


class TestCheck:
    def test_what_is_learned(self, wp: WordPress, capabilities: Mapping[str, Any]) -> None:
        assert (capabilities["transport"], capabilities["plain_permalinks"]) == ("core", False)
        assert capabilities["batch"] is (tuple(map(int, wp.version.split(".")[:2])) >= (6, 6))
        assert (
            capabilities["meta_types"].items() >= {"company": "string", "seats": "integer", "cities": "array"}.items()
        )
        roles = {role["slug"]: role["privileged"] for role in capabilities["roles"]}
        assert roles == {
            **dict.fromkeys(("subscriber", "contributor", "author", "student", "customer"), False),
            **dict.fromkeys(("editor", "administrator", "boss"), True),
        }

    def test_findings(self, site: Site) -> None:
        results = site.check().results
        assert [result.name for result in results] == [
            *("address", "certificate", "REST API", "credentials", "rights", "connector", "roles"),
        ]
        assert [result.name for result in results if not result.ok] == ["connector"]
        assert "memberhook wordpress plugin --output" in results[5].message

    def test_a_user_without_rights(self, wp: WordPress, http: HttpClient, overflow_store: MemoryOverflowStore) -> None:
        username, password = wp.user("weak", "editor")
        weak = open_site("wordpress", context(wp, http, overflow_store, username=username, password=password))
        assert weak.check().problem is not None
        problem = weak.check().problem
        assert problem is not None
        assert problem.name == "rights"
        assert "list_users, create_users, edit_users, promote_users" in problem.message

    @pytest.mark.parametrize(
        ("username", "password", "message"),
        [
            ("admin", "wrong", "has no user with this name and password"),
            ("nobody-of-that-name", "abcd EFGH ijkl MNOP qrst UVWX", "has no user with this name and password"),
            ("admin", "of the log-in", "is not an application password of WordPress"),
        ],
    )
    def test_wrong_credentials(
        self,
        wp: WordPress,
        http: HttpClient,
        overflow_store: MemoryOverflowStore,
        username: str,
        password: str,
        message: str,
    ) -> None:
        username = wp.admin_user if username == "admin" else username
        password = wp.admin_password if password == "of the log-in" else password
        problem = (
            open_site("wordpress", context(wp, http, overflow_store, username=username, password=password))
            .check()
            .problem
        )
        assert problem is not None
        assert problem.name == "credentials"
        assert message in problem.message

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                ["drops_header"],
                "Username and password are correct, but the web server does not pass the Authorization header",
            ),
            (["drops_header", "no_xmlrpc"], "Username or password is wrong, or the web server does not pass"),
            (["no_passwords"], "accepts no application passwords"),
        ],
    )
    def test_what_keeps_us_out(self, wp: WordPress, site: Site, options: list[str], message: str) -> None:
        for option in options:
            wp.php_json("return update_option($option, 1);", option=option)
        try:
            problem = site.check().problem
        finally:
            for option in options:
                wp.php_json("return delete_option($option);", option=option)
        assert problem is not None
        assert problem.name == "credentials"
        assert message in problem.message
