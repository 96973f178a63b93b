"""The local site gives and takes roles: groups, and all of them by their slugs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group, User

from memberhook.core.types import Changes, Contact, Plan
from memberhook.models.connections import Hook
from memberhook.sites.contract import MemberQuery
from memberhook.sites.local.setup import add_role
from memberhook.sites.local.site import LocalSite

CONTACT = Contact("7", "ada@example.com")


@pytest.fixture
def site(hook: Hook) -> LocalSite:
    add_role("student", "Student")
    return LocalSite(hook.connection_id)


@pytest.fixture
def ada(site: LocalSite) -> User:
    user = User.objects.create_user("ada", "ada@example.com")
    user.groups.add(Group.objects.get(memberhook_role__slug="subscriber"))
    return user


def roles(site: LocalSite, user: User) -> set[str]:
    return set(site.find(MemberQuery([str(user.pk)])).members[str(user.pk)].roles)


def change(site: LocalSite, user: User, **changes: Any) -> Plan:
    return Plan(CONTACT, site.find(MemberQuery([str(user.pk)])).members[str(user.pk)], changes=Changes(**changes))


def test_roles_come_and_go_beside_the_others_and_again_is_no_matter(site: LocalSite, ada: User) -> None:
    for _ in range(2):
        [applied] = site.apply([change(site, ada, roles_added=("student", "customer"))])
        assert applied.changes == ("role",)
        assert roles(site, ada) == {"subscriber", "student", "customer"}
    for _ in range(2):
        site.apply([change(site, ada, roles_removed=("student", "subscriber"))])
        assert roles(site, ada) == {"customer"}


def test_an_only_role_comes_before_those_that_are_added(site: LocalSite, ada: User) -> None:
    site.apply([change(site, ada, role="customer", roles_added=("student",))])
    assert roles(site, ada) == {"customer", "student"}


def test_new_members_get_all_their_roles(site: LocalSite) -> None:
    changes = Changes(email="ada@example.com", password="x" * 20, role="subscriber", roles_added=("student",))
    new = Plan(CONTACT, username="ada", changes=changes, generate_password=True)
    bob = replace(new, username="bob", changes=replace(changes, email="bob@example.com", role=None, roles_added=()))
    applied = site.apply([new, bob])
    users = [User.objects.get(pk=one.member_id) for one in applied]
    assert [roles(site, user) for user in users] == [{"subscriber", "student"}, set()]


def test_of_two_groups_with_one_slug_both_are_left(site: LocalSite, ada: User) -> None:
    ada.groups.add(Group.objects.create(name="Night School"), Group.objects.create(name="night-school"))
    assert "night-school" in roles(site, ada)
    site.apply([change(site, ada, roles_removed=("night-school",))])
    assert roles(site, ada) == {"subscriber"}
