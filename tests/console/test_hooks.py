from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from memberhook.core.types import TagRole
from memberhook.encryption import digest
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery
from memberhook.models.hook_rows import MappedField, TagRule
from memberhook.models.members import RoleInfo
from memberhook.models.tags import Tag
from memberhook.sites.local.setup import add_role
from tests.conftest import set_rows, stored_map
from tests.console.conftest import FIELDS

ADD = "/console/memberhook/hook/add/"


def change(hook: Hook) -> str:
    return f"/console/memberhook/hook/{hook.pk}/change/"


def inline(prefix: str, rows: Sequence[Mapping[str, Any]], stored: int = 0) -> dict[str, Any]:
    """Rows of an inline; the first `stored` of them are there already and have their `id`."""
    sizes = {"TOTAL_FORMS": len(rows), "INITIAL_FORMS": stored, "MIN_NUM_FORMS": 0, "MAX_NUM_FORMS": 1000}
    cells = {f"{prefix}-{n}-{name}": value for n, row in enumerate(rows) for name, value in row.items()}
    return {f"{prefix}-{name}": value for name, value in sizes.items()} | cells


def rows(*mappings: tuple[str, str, str, bool], stored: Sequence[MappedField] = ()) -> dict[str, Any]:
    names = ("site_field", "crm_field", "type", "clears")
    cells_of_rows = [dict(zip(names, mapping, strict=True)) for mapping in mappings]
    cells = [{name: value for name, value in row.items() if value is not False} for row in cells_of_rows]
    for row, cell in zip(stored, cells, strict=False):
        cell["id"] = row.pk
    return inline("mapped_fields", cells, len(stored))


def rules(*pairs: tuple[str, str], stored: Sequence[TagRule] = ()) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [{"tag": tag, "role": role} for tag, role in pairs]
    for row, cell in zip(stored, cells, strict=False):
        cell["id"] = row.pk
    return inline("tag_rules", cells, len(stored))


def form(**values: Any) -> dict[str, Any]:
    empty = inline("keys", []) | rows() | rules()
    return {"default_role": "subscriber", "username_format": "email", "confirm_privileged": "", **empty, **values}


@pytest.fixture
def new(shop: Connection) -> dict[str, Any]:
    return form(name="fresh", connection=shop.pk, site=Site.objects.get().pk)


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


def formset(answer: Any, prefix: str) -> Any:
    assert answer.status_code == 200
    [found] = [inline.formset for inline in answer.context["inline_admin_formsets"] if inline.formset.prefix == prefix]
    return found


def row_errors(answer: Any, prefix: str) -> str:
    shown = formset(answer, prefix)
    of_rows = [text for row in shown.errors for texts in row.values() for text in texts]
    return " ".join([*shown.non_form_errors(), *of_rows])


def test_a_new_hook_shows_its_key_once(console: Client, new: dict[str, Any]) -> None:
    answer = console.post(ADD, new | {"allowed_roles": ["customer"]} | rows(("birthday", "birth", "", True)))
    assert answer.status_code == 200
    hook = Hook.objects.get(name="fresh")
    assert (hook.default_role, hook.allowed_roles) == ("subscriber", ["customer"])
    assert stored_map(hook) == [("birthday", "birth", "date", True)]
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


def test_rows_of_the_field_map_are_changed_added_and_deleted(console: Client, hook: Hook, shop: Connection) -> None:
    first, last, email = hook.mapped_fields.all()
    changed = rows(
        ("first_name", "last_name", "text", False),
        ("last_name", "last_name", "auto", False),
        ("user_email", "email", "auto", False),
        ("birthday", "birth", "", True),
        stored=(first, last, email),
    )
    assert console.post(change(hook), form(**changed, **{"mapped_fields-1-DELETE": "on"})).status_code == 302
    assert stored_map(hook) == [
        ("first_name", "last_name", "text", False),
        ("user_email", "email", "auto", False),
        ("birthday", "birth", "date", True),
    ]
    assert not Hook.objects.get().allowed_roles


def test_two_rows_may_swap_their_names(console: Client, hook: Hook, shop: Connection) -> None:
    first, last, _ = hook.mapped_fields.all()
    swapped = (("last_name", "first_name", "text", False), ("first_name", "last_name", "text", False))
    assert console.post(change(hook), form(**rows(*swapped, stored=(first, last)))).status_code == 302
    assert stored_map(hook)[:2] == list(swapped)


def test_nothing_changed_changes_nothing(console: Client, hook: Hook, shop: Connection) -> None:
    set_rows(hook, field_map=[{"site": "city", "crm": "birth", "type": "date"}])
    stored = rows(("city", "birth", "date", False), ("", "", "", False), stored=hook.mapped_fields.all())
    answer = console.post(change(hook), form(allowed_roles=["customer"], **stored))
    assert answer.status_code == 302
    assert stored_map(hook) == [("city", "birth", "date", False)]
    assert "No fields changed" in console.get(f"/console/memberhook/hook/{hook.pk}/history/").content.decode()


@pytest.mark.parametrize("row", [("", "birth", "date", False), ("birthday", "", "date", False)])
def test_half_a_row_is_refused(console: Client, new: dict[str, Any], row: tuple[str, str, str, bool]) -> None:
    assert "This field is required" in row_errors(console.post(ADD, new | rows(row)), "mapped_fields")
    assert not Hook.objects.filter(name="fresh").exists()


def test_a_field_that_the_crm_lost_may_stay(console: Client, hook: Hook, shop: Connection) -> None:
    set_rows(hook, field_map=[{"site": "size", "crm": "shoe_size", "type": "text"}])
    Hook.objects.update(return_password_field="old_password")
    text = console.get(change(hook)).content.decode()
    assert "shoe_size (not known)" in text
    assert "old_password (not known)" in text
    kept = rows(("size", "shoe_size", "text", True), stored=hook.mapped_fields.all())
    assert console.post(change(hook), form(return_password_field="old_password", **kept)).status_code == 302
    assert stored_map(hook) == [("size", "shoe_size", "text", True)]


def test_who_may_change_hooks_may_change_their_rows(client: Client, hook: Hook, shop: Connection) -> None:
    helper = User.objects.create(username="helper", is_staff=True)
    client.force_login(helper)
    helper.user_permissions.set(Permission.objects.filter(codename="view_hook"))
    assert b"user_email" in client.get(change(hook)).content
    assert client.post(change(hook), form(**rows(("city", "email", "text", False)))).status_code == 403
    helper.user_permissions.set(Permission.objects.filter(codename="change_hook"))
    assert client.post(change(hook), form(**rows(("city", "email", "text", False)))).status_code == 302
    assert ("city", "email", "text", False) in stored_map(hook)


def test_the_return_field_is_one_of_the_connections(console: Client, new: dict[str, Any]) -> None:
    Connection.objects.create(name="second", kind="fluentcrm", fields=[{**FIELDS[0], "name": "theirs"}])
    assert "theirs" in errors(console.post(ADD, new | {"return_password_field": "theirs"}))["return_password_field"][0]
    console.post(ADD, new | {"return_password_field": "wp_password"})
    assert Hook.objects.get(name="fresh").return_password_field == "wp_password"


def test_a_privileged_role_is_never_the_default(console: Client, new: dict[str, Any]) -> None:
    answer = console.post(ADD, new | {"default_role": "administrator", "confirm_privileged": "administrator"})
    assert "default_role" in errors(answer)


def test_a_default_role_that_became_privileged_must_be_chosen_again(console: Client, hook: Hook) -> None:
    add_role("boss", "Boss", privileged=True)
    Hook.objects.update(default_role="boss")
    text = console.get(change(hook)).content.decode()
    assert "(boss cannot be granted)" in text
    assert "default_role" in errors(console.post(change(hook), form(default_role="")))


@pytest.mark.parametrize("typed", ["", "yes", "administrato", "customer"])
def test_a_privileged_role_needs_its_name_typed(console: Client, new: dict[str, Any], typed: str) -> None:
    values = {"allowed_roles": ["customer", "administrator"], "confirm_privileged": typed}
    answer = console.post(ADD, new | values)
    assert "type: administrator" in errors(answer)["confirm_privileged"][0]
    assert not Hook.objects.filter(name="fresh").exists()


def test_a_privileged_role_is_allowed_by_typing_its_name(console: Client, new: dict[str, Any]) -> None:
    values = {"allowed_roles": ["customer", "administrator"], "confirm_privileged": " Administrator "}
    console.post(ADD, new | values)
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
        "type: customer"
        in errors(console.post(change(hook), form(allowed_roles=["customer"])))["confirm_privileged"][0]
    )
    console.post(change(hook), form(allowed_roles=["customer"], confirm_privileged="customer"))
    hook.refresh_from_db()
    assert hook.confirmed_privileged == ["customer"]


def test_only_who_may_change_users_lets_a_hook_give_a_privileged_role(
    client: Client, hook: Hook, shop: Connection
) -> None:
    helper = User.objects.create(username="helper", is_staff=True)
    codenames = ("view_hook", "change_hook", "view_accesskey", "change_accesskey")
    helper.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(helper)
    values = form(allowed_roles=["administrator"], confirm_privileged="administrator")
    assert "may change users" in errors(client.post(change(hook), values))["allowed_roles"][0]
    assert client.post(change(hook), form(allowed_roles=["customer"])).status_code == 302


def test_a_role_that_is_gone_stays_on_the_list_until_it_is_unticked(console: Client, hook: Hook) -> None:
    Hook.objects.update(allowed_roles=["vanished"])
    assert "vanished (not on the site)" in console.get(change(hook)).content.decode()
    console.post(change(hook), form(allowed_roles=["vanished", "customer"]))
    assert sorted(Hook.objects.get().allowed_roles) == ["customer", "vanished"]


@pytest.fixture
def course(shop: Connection) -> Tag:
    add_role("student", "Student")
    return Tag.objects.create(connection=shop, crm_id="7", slug="course", title="Course")


def test_roles_that_follow_tags(console: Client, new: dict[str, Any], course: Tag) -> None:
    cells_of_rows = rules(("course", "student"), ("7", "subscriber"), ("", ""))
    console.post(ADD, new | {"allowed_roles": ["student"]} | cells_of_rows)
    hook = Hook.objects.get(name="fresh")
    assert hook.options().tag_roles == (TagRole("7", "student"), TagRole("7", "subscriber"))
    Tag.objects.update(title="The course")
    page = console.get(change(hook))
    assert [row["tag"].value() for row in formset(page, "tag_rules").initial_forms] == ["The course", "The course"]
    assert '<option value="The course">' in page.content.decode()
    same = rules(("The course", "student"), ("The course", "subscriber"), stored=hook.tag_rules.all())
    mapped = rows(*stored_map(hook), stored=hook.mapped_fields.all())
    assert console.post(change(hook), form(allowed_roles=["student"], **same, **mapped)).status_code == 302
    assert "No fields changed" in console.get(f"/console/memberhook/hook/{hook.pk}/history/").content.decode()
    gone = {"tag_rules-0-DELETE": "on", "tag_rules-1-DELETE": "on"}
    console.post(change(hook), form(**same, **gone))
    assert not hook.tag_rules.exists()


def test_a_rule_ends_with_its_role_on_the_list(console: Client, hook: Hook, course: Tag) -> None:
    set_rows(hook, tag_roles=[{"tag": "7", "role": "customer"}])
    answer = console.post(change(hook), form(**rules(("Course", "customer"), stored=hook.tag_rules.all())))
    assert "does not allow the role 'customer'" in row_errors(answer, "tag_rules")


def test_a_rule_whose_tag_the_crm_lost_may_stay(console: Client, hook: Hook, course: Tag) -> None:
    set_rows(hook, tag_roles=[{"tag": "8", "role": "customer"}])
    assert 'value="8"' in console.get(change(hook)).content.decode()
    kept = rules(("8", "customer"), ("Course", "customer"), stored=hook.tag_rules.all())
    assert console.post(change(hook), form(allowed_roles=["customer"], **kept)).status_code == 302
    assert list(hook.tag_rules.values_list("tag", "role")) == [("8", "customer"), ("7", "customer")]


def test_a_hook_with_deliveries_is_kept(console: Client, hook: Hook, deliver: Callable[..., Delivery]) -> None:
    delete = f"/console/memberhook/hook/{hook.pk}/delete/"
    assert console.get(delete).status_code == 200
    deliver()
    assert console.post(delete, {"post": "yes"}).status_code == 403
    answer = console.post("/console/memberhook/hook/", {"action": "delete_selected", "_selected_action": hook.pk})
    assert Hook.objects.exists()
    assert answer.status_code in (200, 302)
