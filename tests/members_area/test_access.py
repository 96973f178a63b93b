from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, Group
from django.template import Context, Template
from django.test import AsyncClient, Client

from memberhook.members_area.access import has_role, has_tag, role_required, tag_required
from memberhook.models.connections import Connection
from memberhook.models.members import RoleInfo
from memberhook.models.tags import Tag
from tests.members_area import pages_of_a_project

GiveTag = Callable[..., Tag]
AddRole = Callable[..., RoleInfo]

TAG_GUARDED = ["/metal/3/", "/async/", "/shop/", "/class/", "/async-class/"]
ROLE_GUARDED = ["/customers/", "/role-class/"]


@pytest.fixture(autouse=True)
def project(settings: Any) -> None:
    settings.ROOT_URLCONF = pages_of_a_project.__name__


@pytest.mark.parametrize(
    "name", ["gold-member", "GOLD-Member", "Gold member!", "gold MEMBER!", "47", 47, " gold-member "]
)
def test_a_tag_is_known_by_slug_title_or_id(ada: Any, give_tag: GiveTag, name: str | int) -> None:
    give_tag(ada, "47", "gold-member", "Gold member!")
    assert has_tag(ada, name)


@pytest.mark.parametrize("name", ["gold", "member", "4", 4, 470, "", "gold_member", "47.0"])
def test_what_is_near_is_not_it(ada: Any, give_tag: GiveTag, name: str | int) -> None:
    give_tag(ada, "47", "gold-member", "Gold member!")
    assert not has_tag(ada, name)


def test_a_tag_without_a_slug_is_not_everybodys(ada: Any, give_tag: GiveTag) -> None:
    give_tag(ada, "47", "", "Gold")
    assert not has_tag(ada, "")
    assert not has_tag(ada, " ")
    assert has_tag(ada, "gold")


def test_tags_of_others_are_not_ones_own(ada: Any, make_user: Callable[..., Any], give_tag: GiveTag) -> None:
    give_tag(make_user("bob", "bob@example.com"), "47", "gold", "Gold")
    assert not has_tag(ada, "gold")


def test_ids_keep_their_case(ada: Any, give_tag: GiveTag) -> None:
    """Some CRMs have ids that differ in case only."""
    give_tag(ada, "aB1", "gold", "Gold")
    assert has_tag(ada, "aB1")
    assert not has_tag(ada, "AB1")


def test_a_connection_can_be_asked_for(ada: Any, give_tag: GiveTag) -> None:
    give_tag(ada, "47", "gold", "Gold", connection="shop")
    forum = Connection.objects.create(name="forum", kind="fluentcrm")
    assert has_tag(ada, "gold")
    assert has_tag(ada, "gold", connection="shop")
    assert has_tag(ada, "gold", connection=Connection.objects.get(name="shop"))
    assert not has_tag(ada, "gold", connection="forum")
    assert not has_tag(ada, "gold", connection=forum)


def test_a_role_is_known_by_slug_or_title(ada: Any, role: AddRole, plain_group: Group) -> None:
    ada.groups.add(role("customer", "Paying Customer").group, plain_group)
    assert all(
        has_role(ada, name) for name in ("customer", "CUSTOMER", "paying customer", "choir-members", "Choir Members")
    )
    assert not any(has_role(ada, name) for name in ("paying", "subscriber", "", "choir"))


def test_who_is_not_logged_in_has_nothing(db: None) -> None:
    for nobody in (AnonymousUser(), None):
        assert not has_tag(nobody, "gold")
        assert not has_role(nobody, "customer")


def test_facts_are_facts_for_superusers_too(make_user: Callable[..., Any]) -> None:
    owner = make_user("owner", is_superuser=True, is_staff=True)
    assert not has_tag(owner, "gold")
    assert not has_role(owner, "administrator")


def test_one_query_for_tags_and_one_for_roles(
    ada: Any, give_tag: GiveTag, role: AddRole, django_assert_num_queries: Any
) -> None:
    for number in range(3):
        give_tag(ada, str(number), f"tag-{number}", f"Tag {number}")
        ada.groups.add(role(f"role-{number}", f"Role {number}").group)
    with django_assert_num_queries(1):
        assert [has_tag(ada, f"tag-{n}", connection="shop") for n in range(4)] == [True, True, True, False]
    with django_assert_num_queries(1):
        assert [has_role(ada, f"Role {n}") for n in range(4)] == [True, True, True, False]


def test_many_members_can_be_loaded_with_their_tags(
    make_user: Callable[..., Any], give_tag: GiveTag, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        give_tag(make_user(f"user-{number}", f"user-{number}@example.com"), "1", "gold", "Gold")
    with django_assert_num_queries(3):
        users = get_user_model().objects.prefetch_related("memberhook_tags__tag")
        assert all(has_tag(user, "gold") for user in users)


def test_a_refreshed_user_sees_what_is_new(ada: Any, give_tag: GiveTag) -> None:
    assert not has_tag(ada, "gold")
    give_tag(ada, "1", "gold", "Gold")
    assert not has_tag(ada, "gold")
    ada.refresh_from_db()
    assert has_tag(ada, "gold")


@pytest.mark.parametrize("address", TAG_GUARDED + ROLE_GUARDED)
def test_who_is_not_logged_in_is_sent_to_the_login_page(client: Client, db: None, address: str) -> None:
    response = client.get(address, {"x": "1"})
    assert (response.status_code, response["Location"]) == (302, f"/login/?next={address}%3Fx%3D1")


@pytest.mark.parametrize("address", TAG_GUARDED)
def test_a_tag_opens(ada_logged_in: Client, ada: Any, give_tag: GiveTag, address: str) -> None:
    assert ada_logged_in.get(address).status_code == 403
    give_tag(ada, "1", "gold", "Gold")
    assert ada_logged_in.get(address).status_code == 200


@pytest.mark.parametrize("address", ROLE_GUARDED)
def test_a_role_opens(ada_logged_in: Client, ada: Any, role: AddRole, address: str) -> None:
    customer = role("customer", "Paying Customer")
    assert ada_logged_in.get(address).status_code == 403
    ada.groups.add(customer.group)
    assert ada_logged_in.get(address).status_code == 200


@pytest.mark.parametrize("address", ["/async/", "/async-class/", "/class/", "/shop/"])
def test_views_open_under_asgi(async_client: AsyncClient, ada: Any, give_tag: GiveTag, address: str) -> None:
    async_client.force_login(ada)
    get = async_to_sync(async_client.get)
    assert get(address).status_code == 403
    give_tag(ada, "1", "gold", "Gold")
    assert get(address).status_code == 200


def test_any_of_the_names_will_do_and_arguments_reach_the_view(
    ada_logged_in: Client, ada: Any, give_tag: GiveTag
) -> None:
    give_tag(ada, "2", "silver", "Silver")
    assert ada_logged_in.get("/metal/3/").content == b"metal 3"


def test_the_id_is_of_any_connection_unless_one_is_named(ada_logged_in: Client, ada: Any, give_tag: GiveTag) -> None:
    give_tag(ada, "7", "gold", "Gold", connection="forum")
    assert ada_logged_in.get("/class/").status_code == 200
    assert ada_logged_in.get("/shop/").status_code == 403


def test_several_guards_are_all_needed(ada_logged_in: Client, ada: Any, give_tag: GiveTag, role: AddRole) -> None:
    give_tag(ada, "1", "gold", "Gold")
    assert ada_logged_in.get("/all/").status_code == 403
    give_tag(ada, "2", "silver", "Silver")
    assert ada_logged_in.get("/all/").status_code == 403
    ada.groups.add(role("customer", "Customer").group)
    assert ada_logged_in.get("/all/").status_code == 200


def test_both_mixins_are_both_needed(ada_logged_in: Client, ada: Any, give_tag: GiveTag, role: AddRole) -> None:
    give_tag(ada, "1", "gold", "Gold")
    assert "role <strong>customer" in ada_logged_in.get("/both/").content.decode()
    ada.groups.add(role("customer", "Customer").group)
    assert ada_logged_in.get("/both/").status_code == 200
    ada.memberhook_tags.all().delete()
    assert "tag <strong>gold" in ada_logged_in.get("/both/").content.decode()


@pytest.mark.parametrize("address", TAG_GUARDED + ROLE_GUARDED)
@pytest.mark.parametrize(("column", "status"), [("is_superuser", 200), ("is_staff", 403)])
def test_superusers_pass_guards_and_staff_does_not(
    client: Client, make_user: Callable[..., Any], address: str, column: str, status: int
) -> None:
    client.force_login(make_user(**{column: True}))
    assert client.get(address).status_code == status


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/async/", "This page is for members with the tag <strong>gold</strong>."),
        ("/metal/1/", "one of these tags: <strong>gold</strong>, <strong>silver</strong>."),
        ("/customers/", "This page is for members with the role <strong>Paying Customer</strong>."),
    ],
)
def test_the_page_says_what_is_missing(ada_logged_in: Client, address: str, sentence: str) -> None:
    page = " ".join(ada_logged_in.get(address).content.decode().split())
    assert sentence in page
    assert "logged in as ada" in page
    assert "The Club</title>" in page
    assert 'href="/account/"' in page


def test_the_page_needs_none_of_our_addresses(ada_logged_in: Client, settings: Any) -> None:
    """A host may use the guards and have pages of its own."""
    settings.ROOT_URLCONF = "tests.members_area.guards_alone"
    response = ada_logged_in.get("/")
    assert response.status_code == 403
    assert b"gold" in response.content


def test_what_other_decorators_say_is_kept() -> None:
    assert pages_of_a_project.for_customers.csrf_exempt is True  # type: ignore[attr-defined]
    assert pages_of_a_project.for_customers.__name__ == "for_customers"


@pytest.mark.parametrize("guard", [tag_required, role_required])
def test_a_guard_without_names_is_a_mistake(guard: Any) -> None:
    with pytest.raises(TypeError, match="Name the"):
        guard()
    with pytest.raises(TypeError, match="Name the"):
        guard(lambda request: None)


def test_a_mixin_without_names_opens_nothing(ada_logged_in: Client) -> None:
    with pytest.raises(TypeError, match="Name the tags"):
        ada_logged_in.get("/nobody/")


def test_filters_for_templates(ada: Any, give_tag: GiveTag, role: AddRole) -> None:
    give_tag(ada, "1", "gold", "Gold")
    ada.groups.add(role("customer", "Customer").group)
    template = Template(
        "{% load memberhook %}"
        '{% if user|has_tag:"gold" %}tag {% endif %}{% if user|has_tag:"lead" %}lead {% endif %}'
        '{% if user|has_role:"customer" %}role{% endif %}'
    )
    assert template.render(Context({"user": ada})) == "tag role"
    assert template.render(Context({"user": AnonymousUser()})) == ""
