"""What only a WordPress has: its rights, its passwords, its e-mails, its hooks; and what happens when PHP dies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from memberhook import encryption as boxes
from memberhook.core.types import Tag
from memberhook.engine import followups
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Site
from memberhook.models.deliveries import Delivery
from tests.conftest import Clock, Send, ended
from tests.sites.contract import COURSE, MAP, NEWS, World
from tests.wordpress.conftest import CONNECTOR
from tests.wordpress.runner import WordPress

LOGGED_IN = "return !is_wp_error(wp_authenticate($username, $password));"


def plan(**values: Any) -> dict[str, Any]:
    """A plan as the connector takes it: by itself it would create somebody."""
    whole = {
        "key": boxes.mark("test", str(values)), "contact": "", "member": None, "login": None, "email": None,
        "password": "a long and random password", "generated": True, "role": "subscriber", "roles_added": [],
        "roles_removed": [], "fields": {}, "tags_applied": [], "tags_removed": [], "welcome": False, "is_retry": False,
    }  # fmt: skip
    return whole | values


def change(member: int, **values: Any) -> dict[str, Any]:
    nothing = {"password": None, "generated": False, "role": None}
    return plan(member=str(member), **(nothing | values))


def apply(site: WordPress, *plans: dict[str, Any], **batch: Any) -> Any:
    response = site.post("/wp-json/memberhook/v1/members/apply", {"connection": "shop", "plans": list(plans)} | batch)
    assert response.status == 200, response.data
    return json.loads(response.data)["applied"]


def user_id(site: WordPress, username: str) -> int:
    return int(site.php_json("return get_user_by('login', $username)->ID;", username=username))


# --- rights: who may call, and what nobody may do


@pytest.mark.parametrize("role", ["subscriber", "customer", "contributor", "author", "editor"])
def test_no_lower_role_gets_anything_from_any_route(connected: WordPress, role: str) -> None:
    attacker = connected.user(f"attacker-{role}", role)
    me = user_id(connected, f"attacker-{role}")
    calls = [
        ("GET", "site", None),
        ("GET", "members", None),
        ("POST", "members/find", {"connection": "shop", "emails": ["admin@example.com"]}),
        ("POST", "members/apply", {"connection": "shop", "plans": [change(me, role="administrator")]}),
        ("POST", "members/apply", {"connection": "shop", "plans": [plan(login="evil", email="evil@example.com")]}),
        ("POST", "members/apply", {"connection": "shop", "plans": []}),
    ]
    for method, route, body in calls:
        for path in (f"/wp-json/memberhook/v1/{route}", f"/?rest_route=/memberhook/v1/{route}"):
            response = connected.send(method, path, body, attacker)
            assert response.status == 403, (method, route, response.data)
            assert set(json.loads(response.data)) == {"code", "message", "data"}
    for method, route, body in calls:
        assert connected.send(method, f"/wp-json/memberhook/v1/{route}", body, ("", "")).status == 401
    assert connected.php_json("return get_userdata($me)->roles;", me=me) == [role]
    assert connected.php_json("return get_user_by('login', 'evil');") is False


def test_who_may_manage_users_but_not_give_every_role_gives_none_of_those(connected: WordPress) -> None:
    connected.php(
        "add_role('staff', 'Staff', array_fill_keys(['read', 'list_users', 'create_users', 'edit_users', "
        "'promote_users'], true));"
    )
    staff = connected.user("staff-member", "staff")
    body = {"connection": "shop", "plans": [plan(login="by-staff", email="by-staff@example.com", role="customer")]}
    allowed = json.loads(connected.post("/wp-json/memberhook/v1/members/apply", body, staff).data)["applied"][0]
    assert (allowed["created"], allowed["warnings"]) == (True, [])
    me = user_id(connected, "staff-member")
    body["plans"] = [change(me, role="administrator", email="stolen@example.com", fields={"city": "Porto"})]
    refused = json.loads(connected.post("/wp-json/memberhook/v1/members/apply", body, staff).data)["applied"][0]
    assert refused["changes"] == ["city"]
    assert "privileges" in refused["warnings"][0]


def test_a_log_in_cookie_without_a_nonce_opens_nothing(connected: WordPress) -> None:
    """Else any page that an administrator looks at could make members."""
    fields = {"log": connected.admin_user, "pwd": connected.admin_password}
    answer = connected.http.request(
        "POST", f"{connected.url}/wp-login.php", fields=fields, encode_multipart=False, redirect=False
    )
    cookies = "; ".join(cookie.split(";")[0] for cookie in answer.headers.getlist("Set-Cookie"))
    assert "wordpress_logged_in" in cookies
    body = {"connection": "shop", "plans": [plan(login="forged", email="forged@example.com")]}
    answer = connected.send("POST", "/wp-json/memberhook/v1/members/apply", body, ("", ""), Cookie=cookies)
    assert answer.status == 401
    assert connected.php_json("return get_user_by('login', 'forged');") is False


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"connection": "shop"},
        {"connection": "shop", "plans": "x"},
        {"connection": "shop", "plans": [None]},
        {"connection": "shop", "plans": [{"member": "1"}]},
        {"connection": "shop' OR 1=1 --", "plans": []},
        {"connection": "shop", "plans": [], "wp_fusion": "../_capabilities"},
        {"connection": "shop", "plans": [plan(login="x", fields={"a": {"b": "c"}})]},
        {"connection": "shop", "plans": [plan(login="x", roles_added="administrator,editor", email=["a"])]},
        {"connection": "shop", "plans": [plan(login=f"x{n}", email=f"x{n}@example.com") for n in range(501)]},
    ],
)
def test_what_is_no_plan_is_refused_whole(connected: WordPress, body: Any) -> None:
    count = "return count_users()['total_users'];"
    before = connected.php_json(count)
    answer = connected.post("/wp-json/memberhook/v1/members/apply", body)
    assert answer.status == 400, answer.data
    assert json.loads(answer.data)["code"] in ("rest_invalid_param", "rest_missing_callback_param")
    assert connected.php_json(count) == before
    assert connected.debug_log("memberhook-connector") == ""


def test_values_meant_for_sql_or_pages_are_values(connected: WordPress) -> None:
    evil = "x' OR 1=1 -- %s %d <script>alert(1)</script>"
    query = {name: [evil, "%list%", "\\"] for name in ("ids", "contacts", "emails", "logins", "fields")}
    answer = connected.post("/wp-json/memberhook/v1/members/find", {"connection": "shop", **query})
    found = json.loads(answer.data)
    assert (answer.status, found["members"], found["contacts"], found["emails"]) == (200, [], {}, {})
    made = apply(
        connected,
        plan(login="script", email="script@example.com",
             fields={"display_name": evil, "nickname": evil, "bio": evil},
             tags_applied=[{"id": evil, "slug": evil, "title": evil}]),
    )[0]  # fmt: skip
    user = connected.php_json("$u = get_userdata($id); return [$u->display_name, $u->bio];", id=int(made["id"]))
    assert "<script>" not in user[0]
    assert user[1] == evil  # as it is: whoever shows a field escapes it, as everywhere in WordPress
    assert connected.php_json("return memberhook_has_tag($tag, $id);", tag=evil, id=int(made["id"]))
    assert "WordPress database error" not in connected.debug_log("memberhook")


@pytest.mark.parametrize("role", ["administrator", "editor"])
def test_a_privileged_role_is_never_given_whatever_the_connector_is_sent(connected: WordPress, role: str) -> None:
    username = f"wants-{role}"
    made = apply(connected, plan(login=username, email=f"{username}@example.com", role=role, roles_added=[role]))[0]
    assert made["created"]
    assert connected.php_json("return get_userdata($id)->roles;", id=int(made["id"])) == []
    changed = apply(connected, change(int(made["id"]), role=role, roles_added=[role]))[0]
    assert connected.php_json("return get_userdata($id)->roles;", id=int(made["id"])) == []
    assert all("privileges" in warning for warning in made["warnings"] + changed["warnings"])


def test_a_protected_account_keeps_what_makes_it_its_own(connected: WordPress) -> None:
    connected.php(
        "$id = wp_insert_user(['user_login' => 'boss', 'user_email' => 'boss@example.com', 'role' => 'editor', "
        "'user_pass' => 'her own']); (new WP_User($id))->add_role('customer');"
    )
    boss = user_id(connected, "boss")
    attack = change(boss, email="stolen@example.com", password="stolen", role="subscriber", roles_removed=["editor"],
                  roles_added=["subscriber"], fields={"first_name": "Eve", "city": "Porto"},
                  tags_applied=[{"id": "10", "slug": "course", "title": "Course"}])  # fmt: skip
    applied = apply(connected, attack)[0]
    assert applied["changes"] == ["city", "first_name", "tags"]
    assert len(applied["warnings"]) == 1
    user = connected.php_json("$u = get_userdata($id); return [$u->user_email, $u->roles, $u->first_name];", id=boss)
    assert user == ["boss@example.com", ["editor", "customer"], "Eve"]
    assert connected.php_json(LOGGED_IN, username="boss", password="her own")


def test_a_right_given_to_one_user_alone_protects_as_well(connected: WordPress) -> None:
    connected.user("has-a-right", "subscriber")
    me = user_id(connected, "has-a-right")
    connected.php("(new WP_User($id))->add_cap('manage_options');", id=me)
    assert apply(connected, change(me, role="customer"))[0]["changes"] == []


@pytest.mark.parametrize(
    "key",
    ["wp_capabilities", "WP_Capabilities", "wp_user_level", "session_tokens", "_application_passwords", "user_login",
     "user_activation_key", "memberhook_contact_shop", "wp_2_capabilities", "wp_çapabilities", "role", "ID",
     "wp_\uff43apabilities", "wp_capab\u00adilities", "wp_capabilities "],
)  # fmt: skip
def test_no_field_is_a_way_around_the_rules(connected: WordPress, key: str) -> None:
    username = f"key{abs(hash(key))}"
    value = ["administrator"] if "capabilities" in key.lower() else "10"
    made = apply(connected, plan(login=username, email=f"{username}@example.com", fields={key: value}))[0]
    me = int(made["id"])
    before = connected.php_json("return get_user_meta($id);", id=me)
    assert apply(connected, change(me, fields={key: value}))[0]["changes"] == []
    assert connected.php_json("return get_user_meta($id);", id=me) == before
    assert connected.php_json("return get_userdata($id)->roles;", id=me) == ["subscriber"]
    assert before.get(key) is None or "administrator" not in str(before[key])


def test_a_locale_is_one_that_the_site_has(connected: WordPress) -> None:
    """WordPress makes a path of it, of files that it runs."""
    made = apply(connected, plan(login="path", email="path@example.com", fields={"locale": "../../uploads/evil"}))[0]
    assert connected.php_json("return get_userdata($id)->locale;", id=int(made["id"])) == ""
    assert "no such language" in made["warnings"][0]
    assert apply(connected, change(int(made["id"]), fields={"locale": "en_US"}))[0]["changes"] == ["locale"]


def test_rights_that_other_code_gives_as_they_are_asked_for_protect(connected: WordPress) -> None:
    connected.user("by-filter", "subscriber")
    connected.php("update_option('filtered_user', $id);", id=user_id(connected, "by-filter"))
    try:
        attack = change(user_id(connected, "by-filter"), email="stolen@example.com", role="customer")
        assert apply(connected, attack)[0]["changes"] == []
    finally:
        connected.php("delete_option('filtered_user');")


# --- each answers for itself


def test_one_that_fails_leaves_the_others_applied_and_itself_untouched(world: World, connected: WordPress) -> None:
    world.set(username_format="first-last")
    good, throws, other = (
        world.contact(fields={"first_name": name, "last_name": "Item"}) for name in ("Goes", "Throws", "Runs")
    )
    states = world.send_all("add", [good, throws, other])
    assert [d.state for d in states] == ["applied", "retrying", "applied"]
    assert "RuntimeException in mu-plugins/sites-own.php" in states[1].message
    assert "secret" not in states[1].message
    assert "secret of throws-item" in connected.debug_log("Memberhook")
    assert world.member(throws.email) is None
    left = 'global $wpdb; return (int) $wpdb->get_var("SELECT COUNT(*) FROM $wpdb->usermeta m LEFT JOIN $wpdb->users u ON u.ID = m.user_id WHERE u.ID IS NULL");'  # noqa: E501
    assert connected.php_json(left) == 0


def test_a_member_that_kills_php_is_found_and_harms_no_other(world: World) -> None:
    world.set(username_format="first-last")
    people = [
        world.contact(fields={"first_name": "Exits" if n == 5 else f"Lives{n}", "last_name": "On"}) for n in range(9)
    ]
    states = [delivery.state for delivery in world.send_all("add", people)]
    assert states == ["applied"] * 5 + ["retrying"] + ["applied"] * 3
    assert world.row.paused_until is None


def test_an_address_that_wordpress_would_change_is_refused_in_words(world: World) -> None:
    umlaut, plain = world.contact(fields={"email": "jürgen@example.com"}), world.contact()
    refused, made = world.send_all("add", [umlaut, plain])
    assert (refused.state, made.state) == ("failed", "applied")
    assert "does not take this e-mail address" in refused.message


def test_addresses_that_differ_in_accents_are_two_people(connected: WordPress) -> None:
    connected.php(
        "global $wpdb; $wpdb->insert($wpdb->users, ['user_login' => 'jose', 'user_email' => 'josé@example.com', "
        "'user_nicename' => 'jose']);"
    )
    answer = connected.post(
        "/wp-json/memberhook/v1/members/find", {"connection": "shop", "emails": ["jose@example.com"]}
    )
    assert json.loads(answer.data)["members"] == []
    refused = apply(connected, plan(login="other", email="jose@example.com"))[0]
    assert "differs in accents" in refused["error"]


def test_two_batches_at_once_never_make_one_member_twice(connected: WordPress) -> None:
    people = [plan(login=f"twin{n}@example.com", email=f"twin{n}@example.com") for n in range(12)]
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda order=order: answers.append(apply(connected, *order)))  # type: ignore[misc]
        for order in (people, people[::-1], people)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    created = [item["login"] for answer in answers for item in answer if item.get("created")]
    assert sorted(created) == sorted(p["login"] for p in people)
    assert all(item.get("created") or item.get("stale") for answer in answers for item in answer)
    count = "global $wpdb; return (int) $wpdb->get_var(\"SELECT COUNT(*) FROM $wpdb->users WHERE user_email LIKE 'twin%'\");"  # noqa: E501
    assert connected.php_json(count) == 12


def test_what_the_time_does_not_suffice_for_is_postponed(connected: WordPress) -> None:
    people = [plan(login=f"late{n}", email=f"late{n}@example.com") for n in range(3)]
    first, *rest = apply(connected, *people, seconds=0)
    assert first["created"]
    assert rest == [{"postponed": True}] * 2


# --- usernames, texts, values


def test_username_rules(world: World) -> None:
    long = world.contact(fields={"email": f"{'x' * 60}@example.com"})
    plus = world.contact(fields={"email": f"ada+course{world.contact().id}@example.com"})
    first, second = world.send_all("add", [long, plus])
    assert len(first.outcome["member"]["login"]) == 60
    assert second.outcome["member"]["login"] == plus.email.replace("+", "")
    assert all("username" in d.outcome["warnings"][0] for d in (first, second))


def test_a_username_that_the_site_forbids_is_replaced(world: World, connected: WordPress) -> None:
    world.set(username_format="first-last")
    made = world.send("add", world.contact(fields={"first_name": "Forbidden", "last_name": "Name"}))
    assert made.outcome["member"]["login"] == "forbidden-name-2"


def test_names_with_markup_signs_and_four_byte_characters_come_back_as_they_were(world: World) -> None:
    ada = world.contact(fields={"first_name": "Ada 🎓 & Söhne", "last_name": "O'Brien \\ <3"})
    made = world.send("add", ada)
    assert made.state == "applied", made.message
    member = world.member(ada.email)
    assert member
    assert member["first_name"] == "Ada 🎓 & Söhne"
    assert world.send("update", ada).state == "unchanged"


def test_what_looks_serialized_stays_text(connected: WordPress) -> None:
    evil = 'O:8:"stdClass":0:{}'
    made = apply(connected, plan(login="php", email="php@example.com", fields={"note": evil, "list": ["a", evil]}))[0]
    assert connected.php_json("return get_user_meta($id, 'note', true);", id=int(made["id"])) == evil
    assert connected.php_json("return get_user_meta($id, 'list', true);", id=int(made["id"])) == ["a", evil]


def test_meta_of_another_plugin_is_read_where_it_is_text_or_a_list_of_texts(connected: WordPress) -> None:
    connected.user("meta", "subscriber")
    me = user_id(connected, "meta")
    connected.php(
        "update_user_meta($id, 'plain', 7); update_user_meta($id, 'list', ['x' => 1, 'y' => 'b']); "
        "update_user_meta($id, 'deep', ['a' => ['b']]); update_user_meta($id, 'object', new stdClass());",
        id=me,
    )
    body = {"connection": "shop", "ids": [str(me)], "fields": ["plain", "list", "deep", "object", "none"]}
    [member] = json.loads(connected.post("/wp-json/memberhook/v1/members/find", body).data)["members"]
    assert member["fields"] == {"plain": "7", "list": ["1", "b"]}


def test_values_that_a_column_cannot_hold_stay_out_and_are_reported(connected: WordPress) -> None:
    long = {"display_name": "x" * 300, "user_url": "https://example.com/" + "y" * 100, "city": "Porto"}
    made = apply(connected, plan(login="long", email="long@example.com", fields=long))[0]
    assert made["created"]
    assert len(made["warnings"]) == 2


# --- passwords and welcome


def test_a_generated_password_is_hashed_cheaply_at_first_where_wordpress_hashes_again(connected: WordPress) -> None:
    rehashes = connected.php_json("return version_compare(get_bloginfo('version'), '6.8', '>=');")
    read = "return get_user_by('login', $username)->user_pass;"
    apply(connected, plan(login="cheap", email="cheap@example.com"))
    apply(connected, plan(login="mapped", email="mapped@example.com", generated=False))
    apply(connected, plan(login="full", email="full@example.com"), full_cost_hash=True)
    cheap, mapped, full = (connected.php_json(read, username=username) for username in ("cheap", "mapped", "full"))
    assert cheap.startswith("$wp$2y$04$") is rehashes
    assert not mapped.startswith("$wp$2y$04$")
    assert not full.startswith("$wp$2y$04$")
    for username in ("cheap", "mapped", "full"):
        assert connected.php_json(LOGGED_IN, username=username, password="a long and random password")
    assert not connected.php_json(read, username="cheap").startswith("$wp$2y$04$")


def test_a_password_with_quotes_and_backslashes_logs_in_through_the_form(connected: WordPress) -> None:
    password = 'it\'s "s3cret" \\ 🎓'
    apply(connected, plan(login="quotes", email="quotes@example.com", password=password, generated=False))
    fields = {"log": "quotes", "pwd": password, "wp-submit": "Log In"}
    answer = connected.http.request(
        "POST", f"{connected.url}/wp-login.php", fields=fields, encode_multipart=False, redirect=False
    )
    assert answer.status == 302, answer.data


def test_a_mapped_password_is_set_when_it_changes_and_nobody_is_mailed(world: World, connected: WordPress) -> None:
    world.set(field_map=[*MAP, {"site": "user_pass", "crm": "secret"}])
    ada = world.contact(fields={"secret": "first-secret"})
    world.send("add", ada)
    assert connected.php_json(LOGGED_IN, username=ada.email, password="first-secret")
    world.contact(id=ada.id, fields={"secret": "second-secret", "email": f"x{ada.email}"})
    changed = world.send("update", ada)
    assert changed.outcome["changes"] == ["user_email", "user_pass"]
    assert connected.php_json(LOGGED_IN, username=ada.email, password="second-secret")
    assert connected.mails(ada.email) == []


def test_the_welcome_e_mail_is_wordpress_own_and_comes_once(world: World, connected: WordPress) -> None:
    ada, bob = world.contact(), world.contact()
    made = world.send("add", ada, notify=True)
    assert made.message.endswith("a welcome e-mail follows.")
    world.send("add", ada, notify=True)
    world.send("add", bob)
    [mail] = connected.mails(ada.email)
    assert "Login Details" in mail["Subject"]
    assert "action=rp" in mail.get_content()
    assert mail["Message-ID"].startswith("<welcome.")
    assert connected.mails(bob.email) == []


def test_a_welcome_e_mail_that_cannot_be_sent_is_reported(world: World, connected: WordPress) -> None:
    world.set(username_format="first-last")
    made = world.send("add", world.contact(fields={"first_name": "No", "last_name": "Mail"}), notify=True)
    assert made.state == "applied"
    assert any("could not send the welcome e-mail" in warning for warning in made.outcome["warnings"])


# --- hooks of the site's own code, WP Fusion's keys


def test_hooks_of_other_plugins_and_ours_fire(world: World, connected: WordPress) -> None:
    connected.php("update_option('listens', 1);")
    heard = (
        'global $wpdb; $rows = $wpdb->get_col("SELECT option_value FROM $wpdb->options WHERE option_name LIKE '
        "'heard\\_%' ORDER BY option_id\"); return array_map('json_decode', $rows);"
    )
    try:
        ada = world.contact()
        made = world.send("add", ada, role="customer")
        me = int(made.outcome["member"]["id"])
        world.contact(id=ada.id, fields={"first_name": "Augusta"}, tags=(NEWS,))
        world.send("update", ada)
        world.send("update", ada)
        fired = [item for item in connected.php_json(heard) if item[1] == me]
    finally:
        connected.php("delete_option('listens');")
    names = [name for name, _, _ in fired]
    assert names == [
        "set_user_role",
        "user_register",
        "memberhook_member_created",
        "memberhook_tags_applied",
        "profile_update",
        "memberhook_member_updated",
        "memberhook_tags_applied",
        "memberhook_tags_removed",
    ]
    tags = {name: detail for name, _, detail in fired if name.startswith("memberhook_tags")}
    assert tags["memberhook_tags_applied"] == [{"id": "11", "slug": "news", "title": "News"}]
    assert tags["memberhook_tags_removed"] == [{"id": "10", "slug": "course", "title": "Course"}]
    assert connected.php_json("return memberhook_has_tag('news', $id);", id=me)
    assert not connected.php_json("return memberhook_has_tag('course', $id);", id=me)


def test_tags_and_links_under_the_keys_that_wp_fusion_reads(world: World, connected: WordPress) -> None:
    Site.objects.filter(pk=world.row.pk).update(options={"wp_fusion": "fluentcrm-rest"})
    ada = world.contact(tags=(COURSE, NEWS))
    made = world.send("add", ada)
    read = (
        "return [get_user_meta($id, 'fluentcrm-rest_tags', true), "
        "get_user_meta($id, 'fluentcrm-rest_contact_id', true)];"
    )
    me = int(made.outcome["member"]["id"])
    assert connected.php_json(read, id=me) == [["10", "11"], ada.id]
    world.contact(id=ada.id, tags=(NEWS,))
    world.send("update_tags", ada)
    assert connected.php_json(read, id=me) == [["11"], ada.id]
    Site.objects.filter(pk=world.row.pk).update(options={"wp_fusion": "my_crm"})  # wanted later, under another name
    assert world.send("update_tags", ada).state == "unchanged"
    assert connected.php_json("return get_user_meta($id, 'my_crm_tags', true);", id=me) == ["11"]


# --- death


def test_killing_php_in_the_middle_of_a_batch_loses_nothing_and_doubles_nothing(
    world: World, connected: WordPress, send: Send, work: Callable[[], int], clock: Clock, runtime: Runtime
) -> None:
    """Also the passwords that go back to the CRM are those that open the accounts, and each gets one welcome."""
    world.set(username_format="first-last", return_password_field="wp_password")
    people = [
        world.contact(fields={"first_name": f"Sleeps{n}" if n == 4 else f"Wakes{n}", "last_name": "Killed"})
        for n in range(8)
    ]
    sent = [send("add", person.id or "", hook=world.hook, notify=True) for person in people]
    killer = threading.Timer(1.5, connected.kill_php)
    killer.start()
    work()
    killer.join()
    assert {ended(d).state for d in sent} <= {"retrying", "applied"}
    for _ in range(6):
        clock.pass_(minutes=10)
        work()
    assert [ended(d).state for d in sent] == ["applied"] * 8, [d.message for d in sent]
    assert all(d.outcome["member"]["created"] for d in sent)
    assert Delivery.objects.exclude(secret="").count() == 0
    while followups.run_due("w1", runtime):
        pass
    passwords = {write.contact_id: write.fields["wp_password"] for write in world.crm.written}
    for person, delivery in zip(people, sent, strict=True):
        username = delivery.outcome["member"]["login"]
        assert connected.php_json(LOGGED_IN, username=username, password=passwords[person.id or ""])
        assert len({mail["Message-ID"] for mail in connected.mails(person.email)}) == 1


def test_a_site_that_is_down_is_left_alone_and_the_members_come_later(
    world: World, clock: Clock, work: Callable[[], int]
) -> None:
    url = world.row.url
    Site.objects.filter(pk=world.row.pk).update(url="http://127.0.0.1:9")
    ada = world.contact()
    delivery = world.send("add", ada)
    assert delivery.state == "retrying"
    assert "Could not connect" in delivery.message
    assert Site.objects.get(pk=world.row.pk).paused_until
    Site.objects.filter(pk=world.row.pk).update(url=url)
    clock.pass_(minutes=10)
    work()
    assert ended(delivery).state == "applied"


def test_a_deactivated_connector_is_reported_and_nothing_is_lost(
    world: World, connected: WordPress, clock: Clock, work: Callable[[], int]
) -> None:
    folder = connected.folder / "site" / "wp-content" / "plugins" / CONNECTOR.name
    away = folder.with_suffix(".away")
    folder.rename(away)
    try:
        delivery = world.send("add", world.contact())
    finally:
        away.rename(folder)
        connected.php(
            "require_once ABSPATH . 'wp-admin/includes/plugin.php'; "
            "activate_plugin('memberhook-connector/memberhook-connector.php');"
        )
    assert delivery.state == "retrying"
    assert "connector is not active" in delivery.message
    clock.pass_(minutes=10)
    work()
    assert ended(delivery).state == "applied"


def test_a_tag_rule_of_the_hook_gives_and_takes_a_role(world: World, connected: WordPress) -> None:
    world.set(tag_roles=[{"tag": COURSE.id, "role": "customer"}])
    ada = world.contact()
    made = world.send("add", ada)
    me = int(made.outcome["member"]["id"])
    roles = "return array_values(get_userdata($id)->roles);"
    assert connected.php_json(roles, id=me) == ["subscriber", "customer"]
    world.contact(id=ada.id, tags=(Tag("12", "other", "Other"),))
    assert world.send("update_tags", ada).outcome["changes"] == ["role", "tags"]
    assert connected.php_json(roles, id=me) == ["subscriber"]


def test_a_member_matched_by_e_mail_is_linked_on_the_site_too(world: World, connected: WordPress) -> None:
    ada = world.contact(fields={"first_name": "", "last_name": ""}, tags=())
    connected.php("wp_insert_user(['user_login' => $username, 'user_email' => $email, 'user_pass' => 'x']);",
                  username=f"known{ada.id}", email=ada.email)  # fmt: skip
    found = world.send("update_tags", ada)
    assert found.state == "unchanged", found.message
    read = "return get_user_meta(get_user_by('email', $email)->ID, 'memberhook_contact_shop', true);"
    assert connected.php_json(read, email=ada.email) == ada.id
    world.hook.connection.links.all().delete()
    world.contact(id=ada.id, fields={"email": f"moved-{ada.email}"})
    moved = world.send("update", ada)
    assert moved.outcome["member"]["id"] == found.outcome["member"]["id"]


def test_a_change_that_the_database_took_back_is_done_again(connected: WordPress) -> None:
    """As a deadlock does it: the transaction is gone, wpdb says nothing, what follows would be kept."""
    connected.php("update_option('takes_back', 1);")
    try:
        answer = apply(connected, plan(login="deadlock", email="deadlock@example.com", fields={"city": "Porto"}))[0]
    finally:
        connected.php("delete_option('takes_back');")
    assert answer == {"stale": True}
    assert connected.php_json("return get_user_by('login', 'deadlock');") is False
    orphans = 'global $wpdb; return (int) $wpdb->get_var("SELECT COUNT(*) FROM $wpdb->usermeta m LEFT JOIN $wpdb->users u ON u.ID = m.user_id WHERE u.ID IS NULL");'  # noqa: E501
    assert connected.php_json(orphans) == 0
    assert apply(connected, plan(login="deadlock", email="deadlock@example.com"))[0]["created"]


CACHED = """
    wp_using_ext_object_cache(true);
    wp_cache_set('page', 'expensive', 'other-plugin');
    $batch = ['connection' => 'shop', 'tags' => [], 'wp_fusion' => '', 'full_cost_hash' => false, 'seconds' => 8];
    $apply = fn ($plan) => memberhook_apply($batch + ['plans' => [$plan]])[0];
    $seen = fn () => array_map(fn ($user) => $user ? (int) $user->ID : 0, [
        get_user_by('login', 'cached'), get_user_by('email', 'cached@example.com'), get_user_by('slug', 'cached'),
        get_user_by('email', 'new@example.com'), get_user_by('slug', 'new-slug'),
    ]);
    $cleaned = [];
    add_action('clean_user_cache', function ($id) use (&$cleaned) {
        $cleaned[$id] = true;
    });
    $throw = function ($id) use ($seen) {
        $seen(); // other code reads, and so fills the cache
        get_users(['search' => 'cached*']);
        get_user_meta($id);
        throw new Exception('no');
    };
"""


def test_a_member_that_fails_is_cleared_from_the_cache_and_nothing_else_is(connected: WordPress) -> None:
    """As with Redis or Memcached, where one cache serves all visitors of the site."""
    apply(connected, plan(login="cached", email="cached@example.com", fields={"city": "Porto"}))
    me = user_id(connected, "cached")
    fields = {"user_nicename": "new-slug", "first_name": "Ada", "city": "Faro"}
    code = """
        wp_set_current_user(1);
        $before = $seen();
        add_action('memberhook_member_updated', $throw);
        $answer = $apply($plan);
        return [isset($answer['later']), $before === $seen(), get_user_meta($id, 'city', true),
            get_userdata($id)->first_name, isset($cleaned[$id]), wp_cache_get('page', 'other-plugin')];"""
    changed = connected.php_json(CACHED + code, plan=change(me, email="new@example.com", fields=fields), id=me)
    assert changed == [True, True, "Porto", "", True, "expensive"]
    code = """
        $new = 0;
        add_action('user_register', function ($id) use (&$new, $throw) {
            $new = $id;
            $throw($id);
        });
        $answer = $apply($plan);
        return [isset($answer['later']), get_user_by('login', 'never'), get_user_by('email', 'never@example.com'),
            get_userdata($new), get_user_meta($new), isset($cleaned[$new]), wp_cache_get('page', 'other-plugin')];"""
    made = connected.php_json(CACHED + code, plan=plan(login="never", email="never@example.com"))
    assert made == [True, False, False, False, [], True, "expensive"]


def test_a_new_member_takes_few_queries(connected: WordPress) -> None:
    """With field, tags and link, and nothing of the site's own code that listens to single rows of meta."""
    code = """
        global $wpdb;
        $apply = function ($plans) {
            global $wpdb;
            $before = $wpdb->num_queries;
            memberhook_apply(['connection' => 'shop', 'plans' => $plans, 'tags' => [], 'wp_fusion' => '',
                'full_cost_hash' => false, 'seconds' => 20]);
            return $wpdb->num_queries - $before;
        };
        $apply([$plans[0]]);
        $one = $apply([$plans[1]]);
        return ($apply(array_slice($plans, 2)) - $one) / (count($plans) - 3);"""
    tags = [{"id": "10", "slug": "course", "title": "Course"}]
    people = [
        plan(login=f"quick{n}@example.com", email=f"quick{n}@example.com", fields={"city": "Porto", "first_name": "A"},
             contact=str(n), tags_applied=tags)
        for n in range(12)
    ]  # fmt: skip
    assert connected.php_json(code, plans=people) <= 14
