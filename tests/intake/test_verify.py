from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from memberhook.core.errors import RequestRejected
from memberhook.core.types import Action
from memberhook.intake import query
from memberhook.intake.inbound import InboundRequest
from memberhook.intake.keys import candidates
from memberhook.intake.verify import VerifiedRequest, verify
from memberhook.models.connections import AccessKey, Hook
from memberhook.services import keys
from tests.conftest import Clock

Try = Callable[..., VerifiedRequest]


@pytest.fixture
def key(hook: Hook, clock: Clock) -> str:
    return keys.new_key(hook, clock())


@pytest.fixture
def attempt(clock: Clock) -> Try:
    def attempt(address: str, **values: Any) -> VerifiedRequest:
        values = {
            "method": "POST",
            "hook_name": None,
            "body": b'{"id": 7}',
            "content_type": "application/json",
        } | values
        inbound = InboundRequest(query=query.read(address), **values)
        return verify(inbound, candidates([inbound])[0], clock())

    return attempt


def refusal(attempt: Try, address: str, **values: Any) -> tuple[int, str]:
    with pytest.raises(RequestRejected) as caught:
        attempt(address, **values)
    return caught.value.status, caught.value.code


def test_a_good_request(attempt: Try, key: str, hook: Hook) -> None:
    request = attempt(f"wpf_action=ADD&access_key={key}&role=customer&send_notification=1&async=true")
    assert (request.hook, request.events[0].action, request.role) == (hook, Action.ADD, "customer")
    assert (request.notify, request.in_background, request.dry_run) == (True, True, False)
    assert request.events[0].contact.ref.id == "7"


@pytest.mark.parametrize(
    ("address", "header"),
    [
        ("", None),
        ("access_key=", None),
        ("access_key=wrong", None),
        ("", "wrong"),
        ("", "é\udcff"),
        ("access_key=%00", None),
    ],
)
def test_without_a_right_key_nothing_else_is_reported(attempt: Try, key: str, address: str, header: str | None) -> None:
    assert refusal(attempt, f"{address}&wpf_action=nonsense&role=a&role=b", key=header) == (403, "invalid_access_key")


def test_the_key_may_come_in_a_header(attempt: Try, key: str) -> None:
    assert attempt("wpf_action=update", key=key).events[0].action is Action.UPDATE


def test_the_key_of_the_address_counts_before_one_meant_for_a_gateway(attempt: Try, key: str) -> None:
    """Recorded from FluentCRM: an Authorization header passes through as the automation's author typed it."""
    assert attempt(f"wpf_action=add&access_key={key}", key="somebody else's").events[0].action is Action.ADD


def test_a_hooks_own_address_takes_only_its_own_key(
    attempt: Try, key: str, hook: Hook, make_hook: Callable[..., Hook], clock: Clock
) -> None:
    other = make_hook(name="other")
    assert attempt(f"wpf_action=add&access_key={key}", hook_name=hook.name)
    assert refusal(attempt, f"wpf_action=add&access_key={key}", hook_name=other.name) == (403, "invalid_access_key")
    assert refusal(attempt, f"wpf_action=add&access_key={key}", hook_name="nowhere") == (403, "invalid_access_key")


def test_a_key_ends_when_it_expires(attempt: Try, hook: Hook, clock: Clock) -> None:
    key = keys.new_key(hook, clock(), expires_at=clock() + timedelta(hours=1))
    assert attempt(f"wpf_action=test&access_key={key}").is_test
    clock.pass_(hours=1)
    assert refusal(attempt, f"wpf_action=test&access_key={key}") == (403, "invalid_access_key")


def test_rotation_ends_the_old_key_now_or_later(attempt: Try, key: str, hook: Hook, clock: Clock) -> None:
    second = keys.rotate(hook, clock(), clock() + timedelta(hours=24))
    assert attempt(f"wpf_action=test&access_key={key}")
    clock.pass_(hours=25)
    assert refusal(attempt, f"wpf_action=test&access_key={key}")[0] == 403
    third = keys.rotate(hook, clock(), None)
    assert refusal(attempt, f"wpf_action=test&access_key={second}")[0] == 403
    assert attempt(f"wpf_action=test&access_key={third}")


def test_keys_have_enough_random_bits_and_only_their_hash_is_kept(hook: Hook, clock: Clock) -> None:
    made = {keys.new_key(hook, clock()) for _ in range(50)}
    assert len(made) == 50
    assert all(len(key) >= 43 for key in made), "43 characters of 64 kinds: 256 bits"
    stored = " ".join(str(row) for row in AccessKey.objects.values_list())
    assert not any(key in stored for key in made)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", "missing_action"),
        ("&wpf_action=", "missing_action"),
        ("&wpf_action=delete", "unknown_action"),
        ("&wpf_action=add&wpf_action=update", "doubled_control_parameter"),
        ("&wpf_action=add&x=1&role=administrator", "doubled_control_parameter"),
        ("&wpf_action=add&async=perhaps", "bad_parameter"),
        ("&wpf_action=add&role=" + "r" * 101, "bad_parameter"),
    ],
)
def test_bad_addresses(attempt: Try, key: str, address: str, code: str) -> None:
    assert refusal(attempt, f"access_key={key}{address}") == (400, code)


def test_limits_of_a_key(attempt: Try, hook: Hook, clock: Clock) -> None:
    limits: dict[str, object] = {"actions": ["update"], "roles": ["Customer"], "networks": ["203.0.113.0/24"]}
    address = f"access_key={keys.new_key(hook, clock(), **limits)}&wpf_action="
    assert attempt(f"{address}update&role=customer", remote="203.0.113.9")
    assert attempt(f"{address}update", remote="::ffff:203.0.113.9")
    assert refusal(attempt, f"{address}update", remote="203.0.114.9") == (403, "address_not_allowed")
    assert refusal(attempt, f"{address}update", remote="") == (403, "address_not_allowed")
    assert refusal(attempt, f"{address}add", remote="203.0.113.9") == (403, "action_not_allowed")
    assert refusal(attempt, f"{address}update&role=vip", remote="203.0.113.9") == (403, "role_not_allowed")


def test_control_parameters_in_the_body_are_contact_data(attempt: Try, key: str) -> None:
    body = b"id=7&role=administrator&wpf_action=update&send_notification=true"
    request = attempt(f"wpf_action=add&access_key={key}", body=body, content_type="application/x-www-form-urlencoded")
    assert (request.events[0].action, request.role, request.notify) == (Action.ADD, None, False)


def test_the_delivery_keeps_no_key(attempt: Try, key: str, clock: Clock) -> None:
    [delivery] = attempt(f"wpf_action=add&access_key={key}&contact_id=9").deliveries(clock())
    delivery.save()
    stored = str(list(type(delivery).objects.values()))
    assert key not in stored
    assert (delivery.contact_id, delivery.ordering_key.partition(" ")[2]) == ("9", "id 9")
