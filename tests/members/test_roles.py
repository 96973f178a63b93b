from __future__ import annotations

from dataclasses import replace

import pytest

from memberhook.members.roles import for_existing, for_new, is_privileged, resolve
from memberhook.members.types import HookOptions, Role
from tests.members.world import OPTIONS, ROLES, member

MEMBER = member()


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("customer", "customer"),
        (" CUSTOMER\n", "customer"),
        ("vip Members", "vip"),
        ("Administrator", "administrator"),
        ("nobody", None),
        ("", None),
        ("  ", None),
        ("Eve&role=administrator", None),
    ],
)
def test_resolve(text, slug):
    role = resolve(text, ROLES)
    assert (role and role.slug) == slug


def test_a_slug_comes_before_a_title_and_an_unprivileged_title_before_a_privileged_one():
    roles = (Role("boss", "Gold", privileged=True), Role("gold-club", "gold"), Role("gold", "Cheap"))
    assert resolve("GOLD", roles) == roles[2]
    assert resolve("Gold", roles[:2]) == roles[1]


def new(*asked, mapped=(), options=OPTIONS, roles=ROLES):
    return for_new(asked, mapped, options, roles)


def test_a_new_member_gets_the_urls_role_else_the_mapped_else_the_default():
    assert new("Customer", mapped=("subscriber",)).role == "customer"
    assert new(mapped=("customer",)).role == "customer"
    assert new().role == "subscriber"
    assert new("customer", "subscriber").role == "subscriber"
    assert new("customer", "subscriber").warnings == ()


@pytest.mark.parametrize(
    ("name", "reason", "remedy"),
    [
        ("nobody", 'no role "nobody"', "correct the name"),
        ("VIP members", 'may not give the role "VIP members"', "add it to the hook's allowed roles"),
        ("administrator", 'The role "administrator" is privileged', "give it by hand"),
    ],
)
def test_a_refused_role_falls_back_and_is_told(name, reason, remedy):
    choice = new(name)
    assert choice.role == "subscriber"
    (warning,) = choice.warnings
    assert reason in warning
    assert remedy in warning
    assert 'the role "subscriber" is given' in warning
    assert new(name, "customer").role == "customer"
    assert new("customer", name).role == "customer"
    assert new(name, mapped=("customer",)).role == "customer"


def test_a_privileged_role_is_not_given_even_if_the_hook_allows_it():
    options = replace(OPTIONS, allowed_roles=frozenset({"administrator"}))
    assert new("administrator", options=options).role == "subscriber"


def test_a_namesake_of_a_privileged_role_is_not_given():
    roles = (*ROLES, Role("Customer", "Managers", privileged=True))
    assert new("customer", roles=roles).role == "subscriber"


@pytest.mark.parametrize(
    ("default", "problem"), [("gone", "does not exist on the site"), ("administrator", "is a privileged one")]
)
def test_without_a_usable_default_no_role_is_given(default, problem):
    choice = new(options=replace(OPTIONS, default_role=default))
    assert choice.role is None
    (warning,) = choice.warnings
    assert problem in warning
    assert f'"{default}"' in warning


def existing(*asked, mapped=(), held=("subscriber",)):
    return for_existing(asked, mapped, OPTIONS, ROLES, replace(MEMBER, roles=frozenset(held)))


def test_an_existing_members_role_changes_only_to_one_that_is_asked_for():
    assert existing().role is None
    assert existing("customer").role == "customer"
    assert existing(mapped=("Customer",)).role == "customer"
    assert existing("customer", held=("customer",)).role is None
    assert existing("customer", held=("customer", "vip")).role == "customer"


def test_a_refused_role_leaves_an_existing_member_as_it_is():
    choice = existing("nobody")
    assert choice.role is None
    assert "the member's role stays as it is" in choice.warnings[0]


def test_a_refused_role_that_the_member_has_is_no_news():
    assert existing("vip", held=("vip",)).warnings == ()
    assert existing(mapped=("administrator",), held=("administrator",)).warnings == ()


def test_privileged_members():
    assert is_privileged(member(roles=frozenset({"Administrator"})), ROLES)
    assert not is_privileged(member(roles=frozenset({"vip", "gone"})), ROLES)


def test_a_privileged_role_needs_the_owners_confirmation_besides_the_allow_list() -> None:
    roles = (Role("subscriber", "Subscriber"), Role("editor", "Editor", privileged=True))
    listed = HookOptions(allowed_roles=frozenset({"editor"}))
    confirmed = replace(listed, confirmed_privileged=frozenset({"editor"}))
    only_confirmed = HookOptions(confirmed_privileged=frozenset({"editor"}))
    assert for_new(("editor",), (), listed, roles).role == "subscriber"
    assert for_new(("editor",), (), confirmed, roles).role == "editor"
    assert for_new(("editor",), (), only_confirmed, roles).role == "subscriber"
    assert for_new(("editor",), (), replace(only_confirmed, default_role="editor"), roles).role is None
    as_default = replace(confirmed, default_role="editor")
    assert for_new((), (), as_default, roles).role is None
