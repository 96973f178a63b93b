from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from memberhook.core.types import TagRole
from memberhook.encryption import digest
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery
from memberhook.models.members import RoleInfo
from memberhook.models.tags import Tag
from memberhook.sites.local.setup import add_role
from tests.console.conftest import FIELDS

ADD = "/console/memberhook/hook/add/"


def change(hook: Hook) -> str:
    return f"/console/memberhook/hook/{hook.pk}/change/"


def rows(*mappings: tuple[str, str, str, bool]) -> dict[str, str]:
    data = {}
    for number, (site, crm, kind, clears) in enumerate(mappings):
        data |= {f"field_map-{number}-site": site, f"field_map-{number}-crm": crm, f"field_map-{number}-type": kind}
        data |= {f"field_map-{number}-clears": "on"} if clears else {}
    return data


def form(**values: Any) -> dict[str, Any]:
    keys_inline = {f"keys-{name}_FORMS": 0 for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")}
    return {"default_role": "subscriber", "username_format": "email", "confirm_privileged": "", **keys_inline, **values}


@pytest.fixture
def new(shop: Connection) -> dict[str, Any]:
    return form(name="fresh", connection=shop.pk, site=Site.objects.get().pk)


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


def test_a_new_hook_shows_its_key_once(console: Client, new: dict[str, Any]) -> None:
    answer = console.post(ADD, new | {"allowed_roles": ["customer"]} | rows(("birthday", "birth", "", True)))
    assert answer.status_code == 200
    hook = Hook.objects.get(name="fresh")
    assert (hook.default_role, hook.allowed_roles) == ("subscriber", ["customer"])
    assert hook.field_map == [{"site": "birthday", "crm": "birth", "type": "date", "clears": True}]
    text = html.unescape(answer.content.decode())
    key = re.search(r"access_key=([\w-]{43})", text)[1]
    assert digest(key) == hook.keys.get().digest
    for action in ("add", "update", "update_tags"):
        assert f"/?wpf_action={action}&access_key={key}" in text
        assert f"/hooks/fresh?wpf_action={action}<" in text
    assert "no-store" in answer.headers["Cache-Control"]
    for page in (change(hook), "/console/memberhook/hook/", "/console/"):
        assert key not in console.get(page).content.decode()
    assert key not in str(list(console.session.items()))


def test_the_form_of_a_new_hook_is_filled_in(console: Client, shop: Connection) -> None:
    initial = console.get(ADD).context["adminform"].form
    assert initial["default_role"].value() == "subscriber"
    assert initial["connection"].value() == shop.pk
    text = console.get(ADD).content.decode()
    assert '<option value="email" selected>E-mail (email)</option>' in text
    assert 'value="user_email"' in text


def test_several_connections_have_their_fields_in_groups(console: Client, shop: Connection) -> None:
    Connection.objects.create(name="second", kind="fluentcrm", fields=FIELDS[:1])
    text = console.get(ADD).content.decode()
    assert '<optgroup label="shop">' in text
    assert '<optgroup label="second">' in text


def test_a_connection_that_was_never_loaded_offers_the_usual_fields(console: Client, hook: Hook) -> None:
    assert '<option value="email" selected>email</option>' in console.get(change(hook)).content.decode()


def test_name_connection_and_site_stay(console: Client, hook: Hook, shop: Connection) -> None:
    other = Connection.objects.create(name="second", kind="fluentcrm")
    console.post(change(hook), form(name="renamed", connection=other.pk, welcome="on"))
    after = Hook.objects.get()
    assert (after.name, after.connection, after.welcome) == (hook.name, shop, True)


def test_an_emptied_field_map_is_empty(console: Client, hook: Hook, shop: Connection) -> None:
    console.post(change(hook), form())
    hook.refresh_from_db()
    assert hook.field_map == []
    assert hook.allowed_roles == []


def test_nothing_changed_changes_nothing(console: Client, hook: Hook, shop: Connection) -> None:
    shown = console.get(change(hook)).context["adminform"].form
    mapped = rows(*((m["site"], m["crm"], "auto", False) for m in hook.field_map))
    answer = console.post(change(hook), form(allowed_roles=["customer"], **mapped))
    assert answer.status_code == 302
    assert [m["site"] for m in Hook.objects.get().field_map] == [m["site"] for m in shown["field_map"].value()]
    assert "No fields changed" in console.get(f"/console/memberhook/hook/{hook.pk}/history/").content.decode()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (("", "birth", "date", False), "Row 1: fill in"),
        (("birthday", "", "date", False), "Row 1: fill in"),
        (("birth day", "birth", "date", False), "is no field name"),
        (("is_superuser", "birth", "text", False), "no CRM may set is_superuser"),
        (("wp_capabilities", "birth", "text", False), "no CRM may set"),
        (("birthday", "shoe_size", "text", False), "shop has no field shoe_size"),
        (("birthday", "birth", "colour", False), "choose a type"),
    ],
)
def test_mistakes_in_the_field_map_are_told(
    console: Client, new: dict[str, Any], row: tuple[str, str, str, bool], told: str
) -> None:
    answer = console.post(ADD, new | rows(row))
    assert told in " ".join(errors(answer)["field_map"])
    assert not Hook.objects.filter(name="fresh").exists()


def test_a_site_field_is_there_once(console: Client, new: dict[str, Any]) -> None:
    answer = console.post(
        ADD, new | rows(("a", "email", "", False), ("b", "email", "", False), ("a", "birth", "", False))
    )
    assert errors(answer)["field_map"] == ["Row 3: a is there twice."]


def test_a_field_that_the_crm_lost_may_stay(console: Client, hook: Hook, shop: Connection) -> None:
    hook.field_map = [{"site": "size", "crm": "shoe_size", "type": "text", "clears": False}]
    hook.return_password_field = "old_password"
    hook.save()
    text = console.get(change(hook)).content.decode()
    assert "shoe_size (not known)" in text
    assert "old_password (not known)" in text
    values = form(return_password_field="old_password", **rows(("size", "shoe_size", "text", True)))
    assert console.post(change(hook), values).status_code == 302
    hook.refresh_from_db()
    assert hook.field_map == [{"site": "size", "crm": "shoe_size", "type": "text", "clears": True}]


def test_the_return_field_is_one_of_the_connections(console: Client, new: dict[str, Any]) -> None:
    Connection.objects.create(name="second", kind="fluentcrm", fields=[{**FIELDS[0], "name": "theirs"}])
    assert "theirs" in errors(console.post(ADD, new | {"return_password_field": "theirs"}))["return_password_field"][0]
    console.post(ADD, new | {"return_password_field": "wp_password"})
    assert Hook.objects.get(name="fresh").return_password_field == "wp_password"


def test_a_privileged_role_is_never_the_default(console: Client, new: dict[str, Any]) -> None:
    answer = console.post(ADD, new | {"default_role": "administrator", "confirm_privileged": "administrator"})
    assert "default_role" in errors(answer)


def test_a_default_role_that_became_privileged_must_be_chosen_anew(console: Client, hook: Hook) -> None:
    add_role("boss", "Boss", privileged=True)
    Hook.objects.update(default_role="boss")
    text = console.get(change(hook)).content.decode()
    assert "(boss cannot be granted)" in text
    assert "default_role" in errors(console.post(change(hook), form(default_role="")))


@pytest.mark.parametrize("typed", ["", "yes", "administrato", "customer"])
def test_a_privileged_role_needs_its_name_typed(console: Client, new: dict[str, Any], typed: str) -> None:
    asked = {"allowed_roles": ["customer", "administrator"], "confirm_privileged": typed}
    answer = console.post(ADD, new | asked)
    assert "type here: administrator" in errors(answer)["confirm_privileged"][0]
    assert not Hook.objects.filter(name="fresh").exists()


def test_a_privileged_role_is_allowed_by_typing_its_name(console: Client, new: dict[str, Any]) -> None:
    asked = {"allowed_roles": ["customer", "administrator"], "confirm_privileged": " Administrator "}
    console.post(ADD, new | asked)
    hook = Hook.objects.get(name="fresh")
    assert sorted(hook.allowed_roles) == ["administrator", "customer"]
    assert hook.confirmed_privileged == ["administrator"]
    assert "privileged, confirmed" in console.get(change(hook)).content.decode()
    again = console.post(change(hook), form(allowed_roles=["customer", "administrator"], welcome="on"))
    assert again.status_code == 302
    hook.refresh_from_db()
    assert hook.options().confirmed_privileged == {"administrator"}
    console.post(change(hook), form(allowed_roles=["customer"]))
    hook.refresh_from_db()
    assert (hook.allowed_roles, hook.confirmed_privileged) == (["customer"], [])


def test_a_role_that_became_privileged_must_be_confirmed(console: Client, hook: Hook, shop: Connection) -> None:
    RoleInfo.objects.filter(slug="customer").update(privileged=True)
    assert (
        "type here: customer"
        in errors(console.post(change(hook), form(allowed_roles=["customer"])))["confirm_privileged"][0]
    )
    console.post(change(hook), form(allowed_roles=["customer"], confirm_privileged="customer"))
    hook.refresh_from_db()
    assert hook.confirmed_privileged == ["customer"]


def test_only_who_may_change_users_lets_a_hook_give_a_privileged_role(
    client: Client, hook: Hook, shop: Connection
) -> None:
    helper = User.objects.create(username="helper", is_staff=True)
    wanted = ("view_hook", "change_hook", "view_accesskey", "change_accesskey")
    helper.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client.force_login(helper)
    asked = form(allowed_roles=["administrator"], confirm_privileged="administrator")
    assert "may change users" in errors(client.post(change(hook), asked))["allowed_roles"][0]
    assert client.post(change(hook), form(allowed_roles=["customer"])).status_code == 302


def test_a_role_that_is_gone_stays_on_the_list_until_it_is_unticked(console: Client, hook: Hook) -> None:
    Hook.objects.update(allowed_roles=["vanished"])
    assert "vanished, not on the site" in console.get(change(hook)).content.decode()
    console.post(change(hook), form(allowed_roles=["vanished", "customer"]))
    assert sorted(Hook.objects.get().allowed_roles) == ["customer", "vanished"]


@pytest.fixture
def course(shop: Connection) -> Tag:
    add_role("student", "Student")
    return Tag.objects.create(connection=shop, crm_id="7", slug="course", title="Course")


def test_roles_that_follow_tags(console: Client, new: dict[str, Any], course: Tag) -> None:
    rules = "course = Student\r\n\r\n  7=subscriber "
    console.post(ADD, new | {"allowed_roles": ["student"], "tag_roles": rules})
    hook = Hook.objects.get(name="fresh")
    assert hook.tag_roles == [{"tag": "7", "role": "student"}, {"tag": "7", "role": "subscriber"}]
    assert hook.options().tag_roles == (TagRole("7", "student"), TagRole("7", "subscriber"))
    Tag.objects.update(title="The course")
    shown = console.get(change(hook)).context["adminform"].form["tag_roles"].value()
    assert shown == "The course = student\nThe course = subscriber"
    same = form(allowed_roles=["student"], tag_roles=shown.replace("\n", "\r\n"))
    assert console.post(change(hook), same).status_code == 302
    assert "No fields changed" in console.get(f"/console/memberhook/hook/{hook.pk}/history/").content.decode()
    console.post(change(hook), form(tag_roles=""))
    hook.refresh_from_db()
    assert hook.tag_roles == []


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("course", "Line 2: 'course' is no rule; write TAG=ROLE"),
        ("cuorse = customer", "Line 2: shop has no tag 'cuorse'. Close to that: Course."),
        ("course = student", "Line 2: The hook does not give the role 'student'. Allow it too"),
        ("course = nobody", "Line 2: The site has no role 'nobody'; the hook gives customer, subscriber."),
    ],
)
def test_mistakes_in_rules_are_told(console: Client, new: dict[str, Any], course: Tag, rule: str, told: str) -> None:
    answer = console.post(ADD, new | {"allowed_roles": ["customer"], "tag_roles": f"course = customer\n{rule}"})
    assert told in errors(answer)["tag_roles"][0]
    assert answer.context["adminform"].form["tag_roles"].value().endswith(rule)
    assert not Hook.objects.filter(name="fresh").exists()


def test_a_rule_ends_with_its_role_on_the_list(console: Client, hook: Hook, course: Tag) -> None:
    Hook.objects.update(tag_roles=[{"tag": "7", "role": "customer"}])
    answer = console.post(change(hook), form(tag_roles="Course = customer"))
    assert "does not give the role 'customer'" in errors(answer)["tag_roles"][0]


def test_a_rule_whose_tag_the_crm_lost_may_stay(console: Client, hook: Hook, course: Tag) -> None:
    Hook.objects.update(tag_roles=[{"tag": "8", "role": "customer"}])
    assert "8 = customer" in console.get(change(hook)).content.decode()
    kept = form(allowed_roles=["customer"], tag_roles="8 = customer\nCourse = customer")
    assert console.post(change(hook), kept).status_code == 302
    assert Hook.objects.get().tag_roles == [{"tag": "8", "role": "customer"}, {"tag": "7", "role": "customer"}]


def test_a_hook_with_deliveries_is_kept(console: Client, hook: Hook, deliver: Callable[..., Delivery]) -> None:
    delete = f"/console/memberhook/hook/{hook.pk}/delete/"
    assert console.get(delete).status_code == 200
    deliver()
    assert console.post(delete, {"post": "yes"}).status_code == 403
    answer = console.post("/console/memberhook/hook/", {"action": "delete_selected", "_selected_action": hook.pk})
    assert Hook.objects.exists()
    assert answer.status_code in (200, 302)
