"""The connector's own user: enough for all of its routes, and for nothing else, whatever is tried with its password."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.wordpress.conftest import CONNECTOR, connector_account
from tests.wordpress.runner import Account, WordPress, running
from tests.wordpress.test_connector import change, plan, user_id
from tests.wordpress.test_outbox import Shop

ROLE, CAPABILITY = "memberhook_connector", "memberhook_manage_members"
PAGE = "/wp-admin/options-general.php?page=memberhook"
USERS = "/wp-json/wp/v2/users"
TAG = {"id": "3", "slug": "course", "title": "Course"}


@pytest.fixture
def stolen(connected: WordPress) -> Account:
    """The application password of the connector's user, in the wrong hands."""
    return connector_account(connected)


def apply(site: WordPress, account: Account, *plans: dict[str, Any]) -> Any:
    body = {"connection": "shop", "plans": list(plans)}
    answer = site.post("/wp-json/memberhook/v1/members/apply", body, account)
    assert answer.status == 200, answer.data
    return json.loads(answer.data)["applied"]


def rights(site: WordPress, username: str) -> Any:
    return site.php_json("$u = get_user_by('login', $username); return [$u->roles, $u->user_email];", username=username)


# --- what it may do


def test_the_role_has_one_capability_beside_read(connected: WordPress) -> None:
    assert connected.php_json("return get_role($role)->capabilities;", role=ROLE) == {"read": True, CAPABILITY: True}


def test_all_routes_work_with_the_capability_alone(connected: WordPress, stolen: Account) -> None:
    site = json.loads(connected.get("/wp-json/memberhook/v1/site", stolen).data)
    assert site["rights"] == {
        CAPABILITY: True, "list_users": False, "create_users": False, "edit_users": False, "promote_users": False,
    }  # fmt: skip
    assert site["surplus_rights"] is False
    made = apply(connected, stolen, plan(login="by-role", email="by-role@example.com", role="customer"))[0]
    assert (made["created"], made["warnings"]) == (True, [])
    update = change(int(made["id"]), email="moved@example.com", role="subscriber", password="a new long password",
                  fields={"city": "Porto", "first_name": "Ada"})  # fmt: skip
    assert apply(connected, stolen, update)[0]["changes"] == ["user_email", "role", "user_pass", "city", "first_name"]
    body = {"connection": "shop", "emails": ["moved@example.com"], "fields": ["city"]}
    found = json.loads(connected.post("/wp-json/memberhook/v1/members/find", body, stolen).data)
    assert found["members"][0]["fields"] == {"city": "Porto"}
    answer = json.loads(connected.get("/wp-json/memberhook/v1/members?emails[]=moved@example.com", stolen).data)
    assert [member["login"] for member in answer["members"]] == ["by-role"]


def test_the_capability_works_in_any_role(connected: WordPress) -> None:
    connected.php("add_role('robot', 'Robot', [$capability => true]);", capability=CAPABILITY)
    robot = connected.user("a-robot", "robot")
    assert apply(connected, robot, plan(login="by-robot", email="by-robot@example.com"))[0]["created"]


# --- what a stolen application password does not open


def calls(me: int, admin: int, member: int) -> list[tuple[str, str, Any]]:
    new = {"username": "evil", "email": "evil@example.com", "password": "a long enough password"}
    changes: list[dict[str, Any]] = [
        {"roles": ["administrator"]}, {"password": "stolen"}, {"email": "stolen@example.com"}, {"name": "Eve"},
        {"meta": {"persisted_preferences": {"x": 1}}},
    ]  # fmt: skip
    found: list[tuple[str, str, Any]] = [
        ("GET", f"{USERS}?context=edit", None),
        ("GET", f"{USERS}?roles=administrator", None),
        ("GET", f"{USERS}/{admin}?context=edit", None),
        ("POST", USERS, new),
        ("POST", USERS, {**new, "roles": ["administrator"]}),
        ("POST", "/wp-json/wp/v2/settings", {"default_role": "administrator", "users_can_register": True}),
        ("GET", "/wp-json/wp/v2/settings", None),
        ("POST", "/wp-json/wp/v2/plugins", {"slug": "hello-dolly"}),
        ("GET", "/wp-json/wp/v2/plugins", None),
        ("POST", "/wp-json/wp/v2/posts", {"title": "x", "status": "publish"}),
        ("GET", "/wp-json/wp-site-health/v1/directory-sizes", None),
    ]
    for who in (str(me), "me", str(admin), str(member)):
        found += [("POST", f"{USERS}/{who}", body) for body in changes]
        found.append(("DELETE", f"{USERS}/{who}?force=true&reassign={me}", None))
        found.append(("POST", f"{USERS}/{who}/application-passwords", {"name": "mine"}))
        found.append(("GET", f"{USERS}/{who}/application-passwords", None))
        found.append(("DELETE", f"{USERS}/{who}/application-passwords", None))
    return found


def test_core_rest_lets_it_manage_nobody(connected: WordPress, stolen: Account) -> None:
    connected.user("victim", "subscriber")
    me, admin, victim = (user_id(connected, login) for login in (stolen[0], connected.admin_user, "victim"))
    state = """
        global $wpdb;
        return [$wpdb->get_results("SELECT * FROM $wpdb->users ORDER BY ID"),
            $wpdb->get_results("SELECT * FROM $wpdb->usermeta WHERE meta_key <> '_application_passwords'"),
            array_map('count', array_map([WP_Application_Passwords::class, 'get_user_application_passwords'], $ids)),
            get_option('default_role'), get_option('users_can_register'), wp_count_posts()];"""
    before = connected.php_json(state, ids=[me, admin, victim])
    tried = calls(me, admin, victim)
    for method, path, body in tried:
        answer = connected.send(method, path, body, stolen)
        assert answer.status in (403, 404), (method, path, body, answer.status, answer.data)
    requests = [{"method": "POST", "path": path.removeprefix("/wp-json"), "body": body} for method, path, body in tried
                if method == "POST" and "/users" in path]  # fmt: skip
    for start in range(0, len(requests), 20):
        answer = connected.post("/wp-json/batch/v1", {"requests": requests[start : start + 20]}, stolen)
        assert all(row["status"] >= 400 for row in json.loads(answer.data).get("responses", [])), answer.data
    assert connected.php_json(state, ids=[me, admin, victim]) == before


def xmlrpc(site: WordPress, method: str, *values: str) -> ElementTree.Element:
    params = "".join(f"<param><value>{value}</value></param>" for value in values)
    body = f"<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
    answer = site.http.request("POST", f"{site.url}/xmlrpc.php", body=body, headers={"Content-Type": "text/xml"})
    return ElementTree.fromstring(answer.data)


def test_xmlrpc_lets_it_manage_nobody(connected: WordPress, stolen: Account) -> None:
    admin = user_id(connected, connected.admin_user)
    who = (f"<string>{stolen[0]}</string>", f"<string>{stolen[1]}</string>")
    name = "<struct><member><name>first_name</name><value><string>Eve</string></value></member></struct>"
    option = (
        "<struct><member><name>default_comment_status</name><value><string>closed</string></value></member></struct>"
    )
    post = "<struct><member><name>post_title</name><value><string>x</string></value></member></struct>"
    one = "<int>1</int>"
    assert xmlrpc(connected, "wp.getUsersBlogs", *who).find("fault") is None, "the password is right"
    for method, more in (
        ("wp.getUsers", ()), ("wp.getUser", (f"<int>{admin}</int>",)), ("wp.getProfile", ()), ("wp.getAuthors", ()),
        ("wp.editProfile", (name,)), ("wp.setOptions", (option,)), ("wp.newPost", (post,)),
        ("wp.getOptions", ()), ("wp.deletePost", (one,)),
    ):  # fmt: skip
        answer = xmlrpc(connected, method, one, *who, *more)
        if method == "wp.getOptions":  # everybody may read some
            continue
        assert answer.find("fault") is not None, method
    assert connected.php_json("return get_userdata($id)->first_name;", id=user_id(connected, stolen[0])) == ""


def test_its_own_routes_make_no_administrator(connected: WordPress, stolen: Account) -> None:
    connected.user("pawn", "subscriber")
    connected.user("chief", "editor")
    me, pawn, chief = (user_id(connected, login) for login in (stolen[0], "pawn", "chief"))
    before = connected.php_json("return get_userdata($id)->user_pass;", id=chief)
    for role in ("administrator", "editor", ROLE):
        new = plan(login=f"new-{role}", email=f"new-{role}@example.com", role=role, roles_added=[role])
        answer = apply(connected, stolen, change(pawn, role=role, roles_added=[role]), new)
        assert all("has privileges; the connector gives it to nobody" in entry["warnings"][0] for entry in answer)
        assert rights(connected, f"new-{role}")[0] == []
    assert rights(connected, "pawn")[0] == ["subscriber"]
    stays = apply(connected, stolen, change(chief, email="s@example.com", password="stolen", role="subscriber"))[0]
    assert (stays["changes"], len(stays["warnings"])) == ([], 1)
    assert connected.php_json("return get_userdata($id)->user_pass;", id=chief) == before
    own = change(me, email="mine@example.com", password="mine", fields={"city": "Porto", "first_name": "Eve"})
    assert "account that Memberhook itself logs in with" in apply(connected, stolen, own)[0]["error"]
    assert connected.php_json("return get_user_meta($id, 'city', true);", id=me) == ""
    assert rights(connected, stolen[0]) == [[ROLE], ""]


def test_the_role_is_offered_to_none_who_may_not_manage_users(connected: WordPress) -> None:
    connected.php("add_role('promoter', 'Promoter', array_fill_keys(['read', 'list_users', 'promote_users'], true));")
    promoter = connected.user("a-promoter", "promoter")
    me = user_id(connected, "a-promoter")
    connected.send("POST", f"{USERS}/{me}", {"roles": [ROLE]}, promoter)
    assert rights(connected, "a-promoter")[0] == ["promoter"]
    offered = "wp_set_current_user($id); require_once ABSPATH . 'wp-admin/includes/user.php'; return array_keys(get_editable_roles());"  # noqa: E501
    assert ROLE not in connected.php_json(offered, id=me)
    assert ROLE in connected.php_json(offered, id=user_id(connected, connected.admin_user))


def test_other_people_edit_themselves_as_usual(connected: WordPress) -> None:
    member = connected.user("herself", "subscriber")
    assert connected.post(f"{USERS}/me", {"first_name": "Her"}, member).status == 200
    connected.php("get_user_by('login', $username)->add_role($role);", username=connected.admin_user, role=ROLE)
    try:
        assert connected.post(f"{USERS}/me", {"description": "still me"}).status == 200
    finally:
        connected.php("get_user_by('login', $username)->remove_role($role);", username=connected.admin_user, role=ROLE)


# --- the page that makes it


@pytest.fixture(scope="module")
def fresh() -> Iterator[WordPress]:
    """Nobody has pressed the button; a member has taken the name that the user would have."""
    with running(plugin=[CONNECTOR]) as site:
        site.user("memberhook", "subscriber")
        yield site


def press(site: WordPress, login: str, **fields: str) -> tuple[int, str]:
    browser = Shop(site).page(login)
    nonce = Shop(site).nonce(browser, login, "memberhook_connect")
    form = "&".join(f"{name}={value}" for name, value in ({"_wpnonce": nonce} | fields).items())
    headers = {"Cookie": browser.cookie, "Content-Type": "application/x-www-form-urlencoded"}
    answer = site.http.request("POST", site.url + PAGE, body=form, headers=headers, redirect=False)
    return answer.status, answer.data.decode()


def read(page: str) -> Account:
    username = re.search(r"<code>(memberhook[\w-]*)</code>", page)
    password = re.search(r'<code id="memberhook-password">([\w ]+)</code>', page)
    assert username
    assert password
    return username[1], password[1]


def test_one_press_makes_user_and_password(fresh: WordPress) -> None:
    fresh.php("Memberhook_Account::delete();")
    before = Shop(fresh).page(fresh.admin_user).get(PAGE)[1]
    assert "Create user and password" in before
    status, page = press(fresh, fresh.admin_user)
    assert status == 200
    account = read(page)
    assert re.fullmatch(r"memberhook-\d", account[0]), "the other one is a member's"
    assert rights(fresh, "memberhook")[0] == ["subscriber"]
    assert rights(fresh, account[0]) == [[ROLE], ""]
    command = re.search(r'<code id="memberhook-command">(.*?)</code>', page)
    assert command
    assert re.fullmatch(
        rf"memberhook site add wordpress --name \S+ --url {fresh.url} --username {account[0]} --password-stdin",
        unescape(command[1]),
    )
    assert fresh.get("/wp-json/memberhook/v1/site", account).status == 200
    again = Shop(fresh).page(fresh.admin_user).get(PAGE)[1]
    assert account[1] not in again, "shown once"
    assert f"Memberhook logs in as the user {account[0]}." in again
    assert account[1].replace(" ", "") not in fresh.php(
        "global $wpdb; echo json_encode($wpdb->get_col('SELECT option_value FROM ' . $wpdb->options));"
    )


def test_the_next_press_revokes_the_earlier_password(fresh: WordPress) -> None:
    first = read(press(fresh, fresh.admin_user)[1])
    other = fresh.php_json(
        "return WP_Application_Passwords::create_new_application_password(get_user_by('login', $l)->ID, "
        "['name' => 'Other'])[0];", l=first[0],
    )  # fmt: skip
    _, page = press(fresh, fresh.admin_user)
    second = read(page)
    assert second[0] == first[0]
    assert "The earlier password called Memberhook was revoked." in page
    route = "/wp-json/memberhook/v1/site"
    assert [fresh.get(route, who).status for who in (first, second, (first[0], other))] == [401, 200, 200]


def test_nobody_else_presses_it(fresh: WordPress) -> None:
    fresh.user("an-editor", "editor")
    fresh.php("add_role('settings', 'Settings', ['read' => true, 'manage_options' => true]);")
    fresh.user("a-settler", "settings")
    count = "return count_users()['total_users'];"
    total = fresh.php_json(count)
    assert press(fresh, "an-editor")[0] == 403
    status, page = press(fresh, "a-settler")
    assert (status, "You may not manage users" in page) == (200, True)
    assert press(fresh, fresh.admin_user, _wpnonce="wrong")[0] == 403
    assert fresh.php_json(count) == total
    assert "memberhook-password" not in page


def test_an_account_that_was_given_another_role_is_left_alone(fresh: WordPress) -> None:
    first = read(press(fresh, fresh.admin_user)[1])
    fresh.php("get_user_by('login', $username)->set_role('author');", username=first[0])
    second = read(press(fresh, fresh.admin_user)[1])
    assert second[0] != first[0]
    assert rights(fresh, first[0])[0] == ["author"]


# --- coming and going


@pytest.mark.parametrize("multisite", [False, True])
def test_uninstalling_leaves_nothing_but_what_is_the_members(multisite: bool) -> None:
    with running(multisite=multisite, plugin=[CONNECTOR]) as site:
        if multisite:
            site.add_site("/club/")
        account = connector_account(site, blog=2 if multisite else 1)
        stays = plan(login="stays", email="stays@example.com", contact="7", tags_applied=[TAG])
        made = site.php_json(
            """set_transient('memberhook_outbox_slow', 1);
            update_option('memberhook_outbox', ['enabled' => true]);
            $batch = ['connection' => 'shop', 'wp_fusion' => '', 'full_cost_hash' => false, 'seconds' => 8];
            return memberhook_apply($batch + ['plans' => [$plan], 'tags' => $plan['tags_applied']])[0]['id'];""",
            plan=stays,
        )
        left = """
            global $wpdb;
            $left = [];
            foreach ($sites as $blog) {
                is_multisite() && switch_to_blog($blog);
                $like = "SELECT option_name FROM $wpdb->options WHERE option_name LIKE '%memberhook%'";
                $left[] = $wpdb->get_col($like);
                $left[] = $wpdb->get_col("SHOW TABLES LIKE '%memberhook%'");
                $roles = get_option($wpdb->get_blog_prefix() . 'user_roles');
                $left[] = array_keys(array_intersect_key($roles, ['memberhook_connector' => 1]));
            }
            return array_merge(...$left);"""
        sites = [1, 2] if multisite else [1]
        assert site.get("/wp-json/memberhook/v1/site", account).status in (200, 401, 403)
        assert {ROLE, "memberhook_outbox", "memberhook_tags_shop"} <= set(site.php_json(left, sites=sites))
        remove = """
            require_once ABSPATH . 'wp-admin/includes/plugin.php';
            require_once ABSPATH . 'wp-admin/includes/file.php';
            deactivate_plugins($plugin, false, is_multisite());
            return delete_plugins([$plugin]);"""
        assert site.php_json(remove, plugin="memberhook-connector/memberhook-connector.php") is True
        assert site.php_json(left, sites=sites) == ["memberhook_tags_shop"]
        assert site.php_json("return get_user_by('login', $username);", username=account[0]) is False
        kept = site.php_json("return get_user_meta($id, 'memberhook_tags_shop', true);", id=int(made))
        assert kept == ["3"]
        assert "memberhook" not in site.debug_log("memberhook").lower()


# --- a network


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[WordPress, str]]:
    with running(multisite=True, plugin=[CONNECTOR]) as site:
        yield site, site.add_site("/club/")


def find(site: WordPress, url: str, account: Account) -> int:
    body = {"connection": "shop", "emails": ["x@example.com"]}
    return site.send("POST", f"{url}/wp-json/memberhook/v1/members/find", body, account).status


def test_in_a_network_the_role_counts_only_for_the_account_that_a_super_admin_made(
    network: tuple[WordPress, str],
) -> None:
    site, url = network
    account = connector_account(site, blog=2)
    assert find(site, url, account) == 200
    assert find(site, site.url, account) == 403, "another site of the network"
    pawn = site.user("pawn", "subscriber")
    site.php("add_user_to_blog(2, get_user_by('login', 'pawn')->ID, $role);", role=ROLE)
    assert find(site, url, pawn) == 403, "an administrator of a site can give roles"


def test_in_a_network_its_password_opens_nothing_else(network: tuple[WordPress, str]) -> None:
    site, url = network
    account = connector_account(site, blog=2)
    for base in (url, site.url):
        for method, path, body in (
            ("GET", f"{USERS}?context=edit", None), ("POST", f"{USERS}/me", {"password": "mine"}),
            ("POST", f"{USERS}/me/application-passwords", {"name": "mine"}),
            ("POST", USERS, {"username": "evil", "email": "evil@example.com", "password": "x"}),
            ("POST", f"{USERS}/1", {"password": "stolen"}),
        ):  # fmt: skip
            answer = site.send(method, base.rstrip("/") + path, body, account)
            assert answer.status in (401, 403, 404), (method, base, path, answer.status, answer.data)


def test_in_a_network_only_a_super_admin_presses_the_button(network: tuple[WordPress, str]) -> None:
    site, _ = network
    site.user("boss-of-one", "administrator")
    status, page = press(site, "boss-of-one")
    assert (status, "a super admin creates the user" in page) == (200, True)
    assert "memberhook-password" not in page
    assert "memberhook-password" in press(site, site.admin_user)[1]


# --- the file for must-use plugins


def test_the_single_file_is_the_whole_plugin(tmp_path: Any) -> None:
    """Nobody activates it, so it makes the role by itself; beside the folder it is the one that counts."""
    from memberhook.sites.wordpress import plugin_file

    single = tmp_path / "memberhook-connector.php"
    single.write_bytes(plugin_file.source())
    with running(plugin=[CONNECTOR], mu_plugin=[single]) as site:
        assert "mu-plugins" in site.php("echo MEMBERHOOK_FILE;")
        functions = """
            $ours = fn ($names) => array_values(array_filter($names, fn ($n) => 0 === stripos($n, 'memberhook')));
            return [count($ours(get_defined_functions()['user'])), count($ours(get_declared_classes()))];"""
        both = site.php_json(functions)
        account = connector_account(site)
        assert apply(site, account, plan(login="single", email="single@example.com"))[0]["created"]
        assert read(press(site, site.admin_user)[1])[0] == account[0]
        (site.folder / "site/wp-content/mu-plugins/memberhook-connector.php").unlink()
        assert "plugins/memberhook-connector/" in site.php("echo MEMBERHOOK_FILE;")
        assert site.php_json(functions) == both
        assert "memberhook" not in site.debug_log("memberhook").lower()
