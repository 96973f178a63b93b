"""Rules of a hook, `TAG=ROLE`, as people write and read them."""

from __future__ import annotations

import pytest

from memberhook.core.errors import UsageError
from memberhook.core.types import Role
from memberhook.models.connections import Connection, Hook
from memberhook.models.tags import Tag
from memberhook.services.hooks import tag_rule, tag_rules

ROLES = (Role("subscriber", "Subscriber"), Role("student", "Students"), Role("vip", "VIP"))
GRANTED = {"subscriber", "student"}


@pytest.fixture
def shop(hook: Hook) -> Connection:
    for crm_id, slug, title in (("10", "course", "Course"), ("11", "a-b", "A = B"), ("12", "10", "Course")):
        Tag.objects.create(connection=hook.connection, crm_id=crm_id, slug=slug, title=title)
    return hook.connection


@pytest.mark.parametrize(
    ("text", "tag", "role"),
    [
        ("course=student", "10", "student"),
        (" COURSE = Students ", "10", "student"),
        ("10=subscriber", "10", "subscriber"),
        ("A = B = student", "11", "student"),
        ("12=student", "12", "student"),
    ],
)
def test_a_rule_is_stored_by_the_tags_id_and_the_roles_slug(shop: Connection, text: str, tag: str, role: str) -> None:
    assert tag_rule(text, shop, GRANTED, ROLES) == {"tag": tag, "role": role}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("course", "write TAG=ROLE"),
        ("=student", "write TAG=ROLE"),
        ("course= ", "write TAG=ROLE"),
        ("cuorse=student", "shop has no tag 'cuorse'. Close to that: Course. (Made it just now?"),
        ("13=student", "shop has no tag '13'. (Made it just now? Connect again to reload.)"),
        ("course=vip", "does not give the role 'vip'. Allow it too: --allow-role vip"),
        ("course=studnet", "The site has no role 'studnet'; the hook gives student, subscriber."),
    ],
)
def test_mistakes_in_a_rule_are_told(shop: Connection, text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        tag_rule(text, shop, GRANTED, ROLES)
    assert told in error.value.message


def test_a_tag_that_is_lost_may_stay(shop: Connection) -> None:
    assert tag_rule("13=student", shop, GRANTED, ROLES, lost={"13"}) == {"tag": "13", "role": "student"}


def test_rules_are_shown_so_that_they_can_be_written_again(hook: Hook, shop: Connection) -> None:
    hook.tag_roles = [{"tag": crm_id, "role": "student"} for crm_id in ("10", "11", "12", "13")]
    lines = tag_rules(hook)
    assert lines == ["Course = student", "A = B = student", "12 = student", "13 = student"]
    assert [tag_rule(line, shop, GRANTED, ROLES, lost={"13"}) for line in lines] == hook.tag_roles
