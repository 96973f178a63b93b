from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from memberhook.models.members import MemberField, MemberTag, RoleInfo
from memberhook.models.tags import Tag
from memberhook.sites.local.setup import add_role
from tests.console.conftest import World

USERS = "/console/auth/user/"
ROLES = "/console/memberhook/roleinfo/"


def shown(console: Client, address: str) -> str:
    return html.unescape(console.get(address).content.decode())


def summaries(console: Client, query: str) -> set[str]:
    return {user.username for user in console.get(f"{USERS}?{query}").context["cl"].result_list}


def test_members_are_found_by_tag_and_role(console: Client, world: World) -> None:
    tag, customer = Tag.objects.get(), RoleInfo.objects.get(slug="customer").group_id
    assert summaries(console, f"tag={tag.pk}") == {"ada"}
    assert summaries(console, f"role={customer}") == {"ada"}
    assert summaries(console, "role=nonsense&tag=nonsense") == {"ada", "owner"}


def test_a_member_has_tags_fields_and_contact(console: Client, world: World) -> None:
    text = shown(console, f"{USERS}{world.member.pk}/change/")
    assert "Course" in text
    assert "Engines\nPoetry" in text
    assert "shop: contact 12" in text
    assert "/console/memberhook/delivery/?q=12" in text
    assert "created by hand" in shown(console, f"{USERS}{User.objects.get(username='owner').pk}/change/")


def values(member: User, *rows: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"username": member.username, "date_joined_0": "2026-01-01", "date_joined_1": "10:00:00"}
    data |= {"memberhook_tags-TOTAL_FORMS": 0, "memberhook_tags-INITIAL_FORMS": 0}
    known = sum("id" in row for row in rows)
    data |= {"memberhook_fields-TOTAL_FORMS": len(rows), "memberhook_fields-INITIAL_FORMS": known}
    for number, row in enumerate(rows):
        data |= {f"memberhook_fields-{number}-{name}": value for name, value in row.items()}
        data[f"memberhook_fields-{number}-member"] = member.pk
    return data


@pytest.mark.parametrize(
    ("kind", "content", "value"),
    [
        ("text", "17", "17"),
        ("number", "17", 17),
        ("number", "1.5", 1.5),
        ("yes_no", "Yes", True),
        ("yes_no", "no", False),
        ("list", "a\n b \n\n", ["a", "b"]),
    ],
)
def test_a_field_is_written_with_its_type(console: Client, world: World, kind: str, content: str, value: Any) -> None:
    row = {"key": "points", "kind": kind, "content": content}
    assert console.post(f"{USERS}{world.member.pk}/change/", values(world.member, row)).status_code == 302
    stored = MemberField.objects.get(key="points").value
    assert (stored, type(stored)) == (value, type(value))
    page = shown(console, f"{USERS}{world.member.pk}/change/")
    assert f'<option value="{kind}" selected>' in page


@pytest.mark.parametrize(
    ("kind", "content"), [("number", "many"), ("number", "inf"), ("number", "nan"), ("yes_no", "x")]
)
def test_a_value_that_is_not_of_its_type(console: Client, world: World, kind: str, content: str) -> None:
    row = {"key": "points", "kind": kind, "content": content}
    answer = console.post(f"{USERS}{world.member.pk}/change/", values(world.member, row))
    assert answer.status_code == 200
    assert not MemberField.objects.filter(key="points").exists()


def test_a_hidden_value_stays_when_left_alone(console: Client, world: World) -> None:
    secret = MemberField.objects.get(key="temp_password")
    address = f"{USERS}{world.member.pk}/change/"
    row = {"id": secret.pk, "key": "user_password", "kind": "text", "content": "(hidden)"}
    assert console.post(address, values(world.member, row)).status_code == 302
    secret.refresh_from_db()
    assert (secret.key, secret.value) == ("user_password", "hidden-in-a-field")
    renamed = console.post(address, values(world.member, row | {"key": "open"}))
    assert renamed.status_code == 200
    console.post(address, values(world.member, row | {"content": "new"}))
    secret.refresh_from_db()
    assert secret.value == "new"


def test_tags_are_not_changed_here(console: Client, world: World) -> None:
    row = MemberTag.objects.get()
    data = values(world.member) | {"memberhook_tags-TOTAL_FORMS": 1, "memberhook_tags-INITIAL_FORMS": 1}
    data |= {"memberhook_tags-0-id": row.pk, "memberhook_tags-0-DELETE": "on"}
    console.post(f"{USERS}{world.member.pk}/change/", data)
    assert MemberTag.objects.filter(pk=row.pk).exists()


def test_a_user_is_added_as_in_django(console: Client, world: World) -> None:
    values = {
        "username": "bob",
        "password1": "correct-horse-7",
        "password2": "correct-horse-7",
        "usable_password": "true",
    }
    assert console.post(f"{USERS}add/", values).status_code == 302
    assert User.objects.get(username="bob").check_password("correct-horse-7")


def test_roles_tell_why_they_are_privileged(console: Client, world: World) -> None:
    editor = add_role("editor", "Editor")
    editor.group.permissions.add(Permission.objects.get(codename="change_user"))
    marked = add_role("marked", "Marked", privileged=True)
    text = shown(console, ROLES)
    assert '<span class="mh-badge mh-warn">privileged</span> may auth.change_user' in text
    assert '<span class="mh-badge mh-warn">privileged</span> marked as privileged<' in text
    assert "more" in shown(console, f"{ROLES}{RoleInfo.objects.get(slug='administrator').pk}/change/")
    assert "marked as privileged" in shown(console, f"{ROLES}{marked.pk}/change/")


def test_a_new_role_gets_a_group(console: Client, world: World) -> None:
    assert console.post(f"{ROLES}add/", {"slug": "Gold", "title": "Gold member"}).status_code == 302
    role = RoleInfo.objects.get(slug="gold")
    assert (role.group.name, role.title, role.privileged) == ("gold", "Gold member", False)


def test_a_group_becomes_a_role_with_a_title(console: Client, world: World) -> None:
    group = Group.objects.create(name="Evening Choir")
    assert "Evening Choir (evening-choir)" in shown(console, ROLES)
    console.post(f"{ROLES}add/", {"slug": "evening-choir", "title": "Choir"})
    assert RoleInfo.objects.get(slug="evening-choir").group == group


def test_a_group_has_one_role(console: Client, world: World) -> None:
    RoleInfo.objects.filter(slug="customer").update(slug="buyer")
    console.post(f"{ROLES}add/", {"slug": "customer", "title": "Customer"})
    assert RoleInfo.objects.get(slug="buyer").group.name == "customer"
    assert RoleInfo.objects.get(slug="customer").group.name == "customer (Memberhook)"


def test_the_slug_of_a_role_stays(console: Client, world: World) -> None:
    role = RoleInfo.objects.get(slug="customer")
    console.post(f"{ROLES}{role.pk}/change/", {"slug": "other", "title": "Buyer", "privileged": "on"})
    role.refresh_from_db()
    assert (role.slug, role.title, role.privileged) == ("customer", "Buyer", True)


def test_a_role_goes_with_its_group(console: Client, world: World) -> None:
    one, two = add_role("one", "One"), add_role("two", "Two")
    assert console.post(f"{ROLES}{one.pk}/delete/", {"post": "yes"}).status_code == 302
    console.post(ROLES, {"action": "delete_selected", "_selected_action": two.pk, "post": "yes"})
    assert not Group.objects.filter(name__in=("one", "two")).exists()
    assert Group.objects.filter(name="customer").exists()


def test_a_group_that_was_there_before_its_role_stays(console: Client, world: World) -> None:
    group = Group.objects.create(name="Evening Choir")
    console.post(f"{ROLES}add/", {"slug": "evening-choir", "title": "Choir"})
    role = RoleInfo.objects.get(slug="evening-choir")
    chosen = [role.pk, add_role("one", "One").pk]
    page = console.post(ROLES, {"action": "delete_selected", "_selected_action": chosen}).context["deletable_objects"]
    assert re.findall(r"(?:Role|Group): (?:<a[^>]*>)?([\w ]+)", str(page)) == ["one", "One", "Choir"]
    console.post(ROLES, {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})
    assert list(Group.objects.filter(name__in=["one", "Evening Choir"])) == [group]
    assert not RoleInfo.objects.filter(pk__in=chosen).exists()
