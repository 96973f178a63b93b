from __future__ import annotations

from dataclasses import replace

import pytest

from memberhook.core.roles import RequestedRoles, for_existing, for_new, is_privileged, resolve
from memberhook.core.types import HookOptions, Role, TagRole
from tests.core.world import GOLD, NEWS, OLD, OPTIONS, ROLES, member

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


def new(*requested, mapped=(), options=OPTIONS, roles=ROLES):
    return for_new(RequestedRoles(requested, mapped), options, roles)


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
def test_a_refused_role_falls_back_and_is_reported(name, reason, remedy):
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


def existing(*requested, mapped=(), held=("subscriber",)):
    return for_existing(RequestedRoles(requested, mapped), OPTIONS, ROLES, replace(MEMBER, roles=frozenset(held)))


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
    summaries = HookOptions(allowed_roles=frozenset({"editor"}))
    confirmed = replace(summaries, confirmed_privileged=frozenset({"editor"}))
    only_confirmed = HookOptions(confirmed_privileged=frozenset({"editor"}))
    assert for_new(RequestedRoles(("editor",)), summaries, roles).role == "subscriber"
    assert for_new(RequestedRoles(("editor",)), confirmed, roles).role == "editor"
    assert for_new(RequestedRoles(("editor",)), only_confirmed, roles).role == "subscriber"
    assert for_new(RequestedRoles(("editor",)), replace(only_confirmed, default_role="editor"), roles).role is None
    as_default = replace(confirmed, default_role="editor")
    assert for_new(RequestedRoles(), as_default, roles).role is None


# Rules: a tag gives a role

RULES = replace(
    OPTIONS,
    allowed_roles=frozenset({"customer", "vip"}),
    tag_roles=(TagRole("1", "vip"), TagRole("3", "vip"), TagRole("news", "customer")),
)


def ruled(*requested, tags=(), held=None, mapped=(), options=RULES):
    """Role, added and removed for a new member, or for one who holds these."""
    intent = RequestedRoles(requested, mapped, tags)
    if held is None:
        choice = for_new(intent, options, ROLES)
    else:
        choice = for_existing(intent, options, ROLES, replace(MEMBER, roles=frozenset(held)))
    return choice.role, choice.added, choice.removed


@pytest.mark.parametrize("name", ["1", "gold", " GOLD\n", "Gold"])
def test_a_tag_is_known_by_id_slug_or_title(name):
    options = replace(RULES, tag_roles=(TagRole(name, "vip"),))
    assert ruled(tags=(GOLD,), options=options) == ("subscriber", ("vip",), ())
    assert ruled(tags=(NEWS,), options=options) == ("subscriber", (), ())


def test_a_tag_without_a_name_is_no_tag():
    nameless = replace(GOLD, slug="", title="")
    assert ruled(tags=(nameless,), options=replace(RULES, tag_roles=(TagRole(" ", "vip"),))) == ("subscriber", (), ())


def test_a_new_member_gets_its_role_and_those_of_its_tags():
    assert ruled(tags=(GOLD, NEWS)) == ("subscriber", ("vip", "customer"), ())
    assert ruled("customer", tags=(GOLD, NEWS)) == ("customer", ("vip",), ())


def test_roles_come_and_go_with_the_tags():
    assert ruled(tags=(GOLD,), held=("subscriber",)) == (None, ("vip",), ())
    assert ruled(tags=(GOLD,), held=("subscriber", "vip")) == (None, (), ())
    assert ruled(tags=(), held=("subscriber", "vip")) == (None, (), ("vip",))
    assert ruled(tags=(NEWS,), held=("subscriber", "vip")) == (None, ("customer",), ("vip",))


def test_any_tag_of_several_rules_holds_a_role():
    assert ruled(tags=(OLD,), held=("subscriber", "vip")) == (None, (), ())
    assert ruled(tags=(GOLD, OLD), held=("subscriber",)) == (None, ("vip",), ())


def test_without_known_tags_rules_give_nothing_and_take_nothing_away():
    assert ruled(tags=None, held=("subscriber", "vip")) == (None, (), ())
    assert ruled(tags=None) == ("subscriber", (), ())
    assert ruled("subscriber", tags=None, held=("editor", "vip")) == ("subscriber", ("vip",), ())
    assert ruled("vip", tags=None, held=("subscriber",)) == (None, (), ())


def test_an_asked_role_stays_beside_those_of_the_tags():
    assert ruled("subscriber", tags=(GOLD,), held=("subscriber", "vip")) == (None, (), ())
    assert ruled("subscriber", tags=(GOLD,), held=("subscriber",)) == (None, ("vip",), ())
    assert ruled("subscriber", tags=(GOLD,), held=("editor", "vip")) == ("subscriber", ("vip",), ())
    assert ruled("subscriber", tags=(), held=("subscriber", "vip")) == (None, (), ("vip",))
    assert ruled("vip", tags=(GOLD,), held=("subscriber", "vip")) == ("vip", (), ())


def test_a_rule_prevails_over_who_asks_for_its_role():
    assert ruled("vip", tags=()) == ("subscriber", (), ())
    assert ruled("vip", tags=(), held=("subscriber", "vip")) == (None, (), ("vip",))
    assert ruled(mapped=("vip",), tags=(NEWS,)) == ("subscriber", ("customer",), ())
    (warning,) = for_existing(RequestedRoles(("VIP members",), (), ()), RULES, ROLES, MEMBER).warnings
    assert 'gives the role "vip" by tag alone' in warning
    assert "give it the tag in the CRM" in warning
    assert "the member's role stays as it is" in warning
    assert for_existing(RequestedRoles(("vip",), (), (GOLD,)), RULES, ROLES, MEMBER).warnings == ()


def test_who_would_lose_the_last_role_gets_the_default():
    assert ruled(tags=(), held=("vip",)) == (None, ("subscriber",), ("vip",))
    assert ruled(tags=(), held=()) == (None, (), ())
    gone = replace(RULES, default_role="gone")
    assert ruled(tags=(), held=("vip",), options=gone) == (None, (), ("vip",))
    (warning,) = for_existing(RequestedRoles(tags=()), gone, ROLES, replace(MEMBER, roles=frozenset({"vip"}))).warnings
    assert "Choose another one for the hook" in warning


def test_a_default_role_with_a_rule_is_for_who_would_have_none():
    options = replace(RULES, tag_roles=(TagRole("1", "vip"), TagRole("2", "subscriber")))
    assert ruled(tags=(), options=options) == ("subscriber", (), ())
    assert ruled(tags=(GOLD,), options=options) == ("vip", (), ())
    assert ruled(tags=(NEWS,), options=options) == ("subscriber", (), ())
    assert ruled(tags=(), held=("subscriber",), options=options) == (None, (), ())
    assert ruled(tags=(GOLD,), held=("subscriber",), options=options) == (None, ("vip",), ("subscriber",))
    assert ruled(tags=(), held=("vip",), options=options) == (None, ("subscriber",), ("vip",))
    assert for_new(RequestedRoles(("subscriber",), (), ()), options, ROLES).warnings == ()


@pytest.mark.parametrize(
    ("role", "remedy"),
    [
        ("nobody", 'no role "nobody"'),
        ("vip", "add it to the hook's allowed roles"),
        ("administrator", "give it by hand"),
    ],
)
def test_a_rule_whose_role_may_not_be_granted_does_nothing(role, remedy):
    options = replace(OPTIONS, tag_roles=(TagRole("1", role),))
    assert ruled(tags=(GOLD,), options=options) == ("subscriber", (), ())
    assert ruled(tags=(), held=("subscriber", role), options=options) == (None, (), ())
    (warning,) = for_new(RequestedRoles(tags=(GOLD,)), options, ROLES).warnings
    assert remedy in warning
    assert "the hook's rule for it does nothing" in warning
    assert for_new(RequestedRoles(tags=()), options, ROLES).warnings == ()
    assert for_new(RequestedRoles(), options, ROLES).warnings == ()


def test_a_privileged_role_is_given_by_tag_once_it_is_confirmed():
    options = HookOptions(
        allowed_roles=frozenset({"administrator"}),
        confirmed_privileged=frozenset({"administrator"}),
        tag_roles=(TagRole("1", "administrator"),),
    )
    assert ruled(tags=(GOLD,), options=options) == ("subscriber", ("administrator",), ())
