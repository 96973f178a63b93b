"""What the local site's database rejects: a conflict with somebody who was faster, or a violated constraint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError
from django.db.models.signals import pre_save

from memberhook.core.types import ApplyStatus, Changes, Contact, Plan
from memberhook.models.connections import Hook
from memberhook.sites.contract import MemberQuery
from memberhook.sites.local.site import LocalSite

CONTACT = Contact("7", "ada@example.com")


@pytest.fixture
def site(hook: Hook) -> LocalSite:
    return LocalSite(hook.connection_id)


@pytest.fixture
def rule() -> Iterator[Callable[..., None]]:
    """A rule of the host's database that everybody breaks."""

    def refuse(**_: Any) -> None:
        raise IntegrityError("NOT NULL constraint failed")

    yield lambda: pre_save.connect(refuse, sender=get_user_model(), weak=False)
    pre_save.disconnect(refuse, sender=get_user_model())


def creation(username: str, email: str = "ada@example.com") -> Plan:
    return Plan(CONTACT, username=username, changes=Changes(email=email, password="x" * 20), generate_password=True)


def change(site: LocalSite, user: Any, **changes: Any) -> Plan:
    return Plan(CONTACT, site.find(MemberQuery([str(user.pk)])).members[str(user.pk)], changes=Changes(**changes))


def test_a_username_that_was_taken_meanwhile(site: LocalSite) -> None:
    get_user_model().objects.create_user("ada", "other@example.com")
    taken, free = site.apply([creation("ada"), creation("bob")])
    assert (taken.status, taken.message) == (ApplyStatus.CONFLICT, "")
    assert free.created


def test_a_new_member_whose_email_came_meanwhile(site: LocalSite, rule: Callable[..., None]) -> None:
    get_user_model().objects.create_user("somebody", "Ada@Example.com")
    rule()
    [applied] = site.apply([creation("ada")])
    assert applied.status is ApplyStatus.CONFLICT


def test_a_rule_that_a_new_member_breaks(site: LocalSite, rule: Callable[..., None]) -> None:
    rule()
    [applied] = site.apply([creation("ada")])
    assert applied.status is ApplyStatus.REJECTED
    assert "a unique value is taken" in applied.message
    assert not get_user_model().objects.exists()


def test_a_rule_that_a_change_breaks(site: LocalSite, rule: Callable[..., None]) -> None:
    user = get_user_model().objects.create_user("ada", "ada@example.com")
    plan = change(site, user, fields={"first_name": "Ada"})
    rule()
    [applied] = site.apply([plan])
    assert applied.status is ApplyStatus.REJECTED


def test_a_change_to_an_email_that_somebody_has_by_now(site: LocalSite, rule: Callable[..., None]) -> None:
    user = get_user_model().objects.create_user("ada", "ada@example.com")
    plan = change(site, user, email="new@example.com")
    get_user_model().objects.create_user("quicker", "NEW@example.com")
    rule()
    [applied] = site.apply([plan])
    assert applied.status is ApplyStatus.CONFLICT


def test_a_member_that_is_gone(site: LocalSite) -> None:
    user = get_user_model().objects.create_user("ada", "ada@example.com")
    plan = change(site, user, fields={"first_name": "Ada"})
    user.delete()
    [applied] = site.apply([plan])
    assert applied.status is ApplyStatus.CONFLICT


def test_only_what_differs_is_a_change(site: LocalSite) -> None:
    user = get_user_model().objects.create_user("ada", "ada@example.com", first_name="A" * 150)
    [applied] = site.apply([change(site, user, fields={"first_name": "A" * 200, "last_name": "King", "city": "Porto"})])
    assert applied.changes == ("city", "last_name")
