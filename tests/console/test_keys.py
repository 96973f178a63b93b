from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from memberhook.encryption import digest
from memberhook.models.connections import AccessKey, Connection, Hook
from memberhook.services import keys
from tests.console.test_hooks import change, form, formset


def limits(key: AccessKey, **values: Any) -> dict[str, Any]:
    cells = {"id": key.pk, "hook": key.hook_id, "expires_at_0": "", "expires_at_1": "", "networks": "", **values}
    inline = {f"keys-0-{name}": value for name, value in cells.items()}
    return form(allowed_roles=["customer"], **{"keys-TOTAL_FORMS": 1, "keys-INITIAL_FORMS": 1, **inline})


@pytest.fixture
def key(hook: Hook) -> AccessKey:
    keys.new_key(hook, timezone.now())
    return hook.keys.get()


def test_limits_of_a_key(console: Client, hook: Hook, shop: Connection, key: AccessKey) -> None:
    values = {"actions": ["add", "update"], "roles": ["customer"], "networks": "203.0.113.7, 10.1.2.3/8"}
    values |= {"expires_at_0": "2030-01-01", "expires_at_1": "12:00:00"}
    assert console.post(change(hook), limits(key, **values)).status_code == 302
    key.refresh_from_db()
    assert (key.actions, key.roles, key.networks) == (["add", "update"], ["customer"], ["203.0.113.7/32", "10.0.0.0/8"])
    assert key.expires_at is not None
    assert "203.0.113.7/32, 10.0.0.0/8" in console.get(change(hook)).content.decode()


@pytest.mark.parametrize(
    ("values", "field"),
    [({"networks": "203.0.113.300"}, "networks"), ({"actions": ["delete"]}, "actions"), ({"roles": ["boss"]}, "roles")],
)
def test_wrong_limits_are_refused(
    console: Client, hook: Hook, shop: Connection, key: AccessKey, values: dict[str, Any], field: str
) -> None:
    answer = console.post(change(hook), limits(key, **values))
    assert field in formset(answer, "keys").errors[0]


def test_a_key_is_revoked(console: Client, hook: Hook, shop: Connection, key: AccessKey) -> None:
    assert "Revoke" in console.get(change(hook)).content.decode() or "delete one to revoke it" in (
        console.get(change(hook)).content.decode()
    )
    console.post(change(hook), limits(key, DELETE="on"))
    assert not AccessKey.objects.exists()


def test_nobody_makes_a_key_by_posting_one(console: Client, hook: Hook, shop: Connection) -> None:
    inline = {"keys-0-networks": "", "keys-0-hook": hook.pk, "keys-0-actions": ["add"]}
    console.post(change(hook), form(**{"keys-TOTAL_FORMS": 1, **inline}))
    assert not AccessKey.objects.exists()


def new_key(console: Client, hook: Hook, old_keys: str, newest: object) -> Any:
    return console.post(f"/console/memberhook/hook/{hook.pk}/new-key/", {"old_keys": old_keys, "newest": newest})


def shown_key(answer: Any) -> str:
    return re.search(r'<code class="mh-address">([\w-]{43})</code>', answer.content.decode())[1]


def test_rotation_keeps_the_old_key_for_a_day(console: Client, hook: Hook, key: AccessKey) -> None:
    AccessKey.objects.update(networks=["10.0.0.0/8"])
    answer = new_key(console, hook, "keep", key.pk)
    fresh = AccessKey.objects.get(digest=digest(shown_key(answer)))
    assert fresh.networks == ["10.0.0.0/8"]
    key.refresh_from_db()
    assert key.expires_at is not None
    assert timedelta(hours=23) < key.expires_at - timezone.now() <= timedelta(hours=24)
    assert "no-store" in answer.headers["Cache-Control"]


def test_rotation_may_end_the_old_key_now(console: Client, hook: Hook, key: AccessKey) -> None:
    answer = new_key(console, hook, "drop", key.pk)
    assert AccessKey.objects.get().digest == digest(shown_key(answer))


def test_a_further_key_leaves_the_others_alone(console: Client, hook: Hook, key: AccessKey) -> None:
    new_key(console, hook, "stay", key.pk)
    key.refresh_from_db()
    assert key.expires_at is None
    assert AccessKey.objects.count() == 2


def test_a_page_sent_twice_makes_one_key(console: Client, hook: Hook, key: AccessKey) -> None:
    new_key(console, hook, "keep", key.pk)
    again = new_key(console, hook, "keep", key.pk)
    assert again.status_code == 302
    assert AccessKey.objects.count() == 2


def test_rotation_asks_first(console: Client, hook: Hook, key: AccessKey) -> None:
    page = console.get(f"/console/memberhook/hook/{hook.pk}/new-key/")
    assert "keep working for 24 hours" in page.content.decode()
    assert new_key(console, hook, "", key.pk).status_code == 200
    assert AccessKey.objects.count() == 1
    assert console.get("/console/memberhook/hook/999/new-key/").status_code == 404
