"""A network of sites: users and their meta are shared, roles are not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from memberhook.models.connections import Hook, Site
from tests.sites.contract import COURSE, MAP, NEWS, World
from tests.wordpress.conftest import CONNECTOR, connector_account, site_row
from tests.wordpress.runner import WordPress, running

ROLES = "switch_to_blog($blog); return array_values((new WP_User($id))->roles);"


@pytest.fixture(scope="module")
def network() -> Iterator[tuple[WordPress, str]]:
    with running(multisite=True, plugin=[CONNECTOR]) as wordpress:
        yield wordpress, wordpress.add_site("/club/")


@pytest.fixture
def row(network: tuple[WordPress, str], db: None) -> Site:
    wordpress, url = network
    return site_row(wordpress, connector_account(wordpress, blog=2), url=url)


def test_a_new_member_is_one_of_the_site_alone(world: World, network: tuple[WordPress, str]) -> None:
    wordpress, _ = network
    ada = world.contact()
    made = world.send("add", ada)
    assert made.state == "applied", made.message
    me = int(made.outcome["member"]["id"])
    assert wordpress.php_json(ROLES, id=me, blog=2) == ["subscriber"]
    assert wordpress.php_json(ROLES, id=me, blog=1) == []
    assert wordpress.php_json("return (int) get_user_meta($id, 'primary_blog', true);", id=me) == 2
    world.contact(id=ada.id, tags=(NEWS,), fields={"first_name": "Augusta"})
    assert world.send("update", ada).outcome["changes"] == ["first_name", "tags"]
    assert (world.member(ada.email) or {})["tags"] == ["news"]


def test_somebody_of_the_network_joins_by_add_and_is_left_alone_by_update(
    world: World, network: tuple[WordPress, str]
) -> None:
    wordpress, _ = network
    ada = world.contact()
    wordpress.php(
        "wp_insert_user(['user_login' => 'network-user', 'user_email' => $email, 'user_pass' => 'x', "
        "'role' => 'author']);",
        email=ada.email,
    )
    me = wordpress.php_json("return get_user_by('login', 'network-user')->ID;")
    assert world.send("update", ada).state == "ignored"
    assert world.send("update_tags", ada).state == "ignored"
    joined = world.send("add", ada)
    assert (joined.outcome["member"]["id"], joined.outcome["member"]["created"]) == (str(me), False)
    assert wordpress.php_json(ROLES, id=me, blog=2) == ["subscriber"]
    assert wordpress.php_json(ROLES, id=me, blog=1) == ["author"]
    assert world.send("add", ada).state == "unchanged"


@pytest.mark.parametrize("right", ["editor", "super admin"])
def test_privileges_anywhere_in_the_network_protect(world: World, network: tuple[WordPress, str], right: str) -> None:
    wordpress, _ = network
    username = f"has-{right.replace(' ', '-')}"
    ada = world.contact()
    role = "editor" if right == "editor" else "subscriber"
    me = wordpress.php_json(
        "return wp_insert_user(['user_login' => $username, 'user_email' => $email, 'user_pass' => 'her own', "
        "'role' => $role]);",
        username=username, email=ada.email, role=role,
    )  # fmt: skip
    if right == "super admin":
        wordpress.php("require_once ABSPATH . 'wp-admin/includes/ms.php'; grant_super_admin($id);", id=me)
    world.set(field_map=[*MAP, {"site": "user_pass", "crm": "secret"}])
    world.send("add", ada)
    world.contact(id=ada.id, fields={"email": f"x{ada.email}", "secret": "stolen"})
    changed = world.send("add", ada, role="customer")
    assert wordpress.php_json("return get_userdata($id)->user_email;", id=me) == ada.email
    assert wordpress.php_json("return wp_check_password('her own', get_userdata($id)->user_pass, $id);", id=me)
    assert wordpress.php_json(ROLES, id=me, blog=2) == []
    assert any("protected" in warning for warning in changed.outcome["warnings"])


def test_an_administrator_of_one_site_is_none_of_the_network(network: tuple[WordPress, str], row: Site) -> None:
    """Editing users of a network is for super admins, and the connector asks WordPress."""
    wordpress, url = network
    account = wordpress.user("site-admin", "subscriber")
    wordpress.php("add_user_to_blog(2, get_user_by('login', 'site-admin')->ID, 'administrator');")
    body: dict[str, Any] = {"connection": "shop", "emails": ["x@example.com"]}
    answer = wordpress.send("POST", f"{url}/wp-json/memberhook/v1/members/find", body, account)
    assert answer.status == 403, answer.data
    assert "edit_users" in json.loads(answer.data)["message"] or "create_users" in json.loads(answer.data)["message"]


def test_two_sites_of_a_network_keep_their_tags_apart(
    world: World, network: tuple[WordPress, str], make_hook: Callable[..., Hook]
) -> None:
    wordpress, _ = network
    ada = world.contact()
    world.send("add", ada)
    main = site_row(wordpress, connector_account(wordpress), name="main")
    other = World(
        main, make_hook(site=main, field_map=list(MAP)), world.crm, world.runtime, world.clock, world._send, world._work
    )
    world.contact(id=ada.id, tags=(NEWS,))
    other.send("add", ada)
    assert (other.member(ada.email) or {})["tags"] == ["news"]
    assert (world.member(ada.email) or {})["tags"] == [COURSE.slug]
