"""Tag rules, `TAG=ROLE`, as people write and read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from memberhook.core.types import Action
from memberhook.engine import inbox
from memberhook.models.connections import Connection, Hook
from memberhook.models.hook_rows import TagRule
from memberhook.models.tags import Tag
from memberhook.services.hooks import parse_tag_rule, rules_in_words
from memberhook.sites.local.group_roles import group_roles
from memberhook.sites.local.setup import add_role
from tests.conftest import Clock, Send, set_rows


@pytest.fixture
def shop(hook: Hook) -> Connection:
    add_role("student", "Students")
    Hook.objects.update(allowed_roles=["student"])
    hook.refresh_from_db()
    for crm_id, slug, title in (("10", "course", "Course"), ("11", "a-b", "A = B"), ("12", "10", "Course")):
        Tag.objects.create(connection=hook.connection, crm_id=crm_id, slug=slug, title=title)
    return hook.connection


def rule(text: str, hook: Hook) -> TagRule:
    row = parse_tag_rule(text, [entry.role for entry in group_roles()])
    row.hook = hook
    row.full_clean()
    return row


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
def test_a_rule_is_stored_by_the_tags_id_and_the_roles_slug(
    hook: Hook, shop: Connection, text: str, tag: str, role: str
) -> None:
    row = rule(text, hook)
    assert (row.tag, row.role) == (tag, role)


def test_rules_are_shown_so_that_they_can_be_written_again(hook: Hook, shop: Connection) -> None:
    set_rows(hook, tag_roles=[{"tag": crm_id, "role": "student"} for crm_id in ("10", "11", "12", "13")])
    lines = rules_in_words(hook)
    assert lines == ["Course = student", "A = B = student", "12 = student", "13 = student"]
    assert [rule(line, hook).tag for line in lines] == ["10", "11", "12", "13"]


def test_the_options_of_a_claimed_hook_cost_no_query(
    hook: Hook, send: Send, clock: Clock, django_assert_num_queries: Callable[[int], Any]
) -> None:
    set_rows(hook, tag_roles=[{"tag": str(n), "role": "customer"} for n in range(5)])
    send(Action.ADD)
    claim = inbox.claim(hook.pk, "w1", clock(), contacts=10, lease=timedelta(seconds=30))
    assert claim is not None
    with django_assert_num_queries(0):
        options = claim.rows[0].hook.options()
    assert (len(options.field_map), len(options.tag_roles)) == (3, 5)
