"""Signed requests: the intake, and the plain Django view. The view of the service is tested in tests/server."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from memberhook.core.errors import RequestRejected
from memberhook.encryption import digest
from memberhook.engine import inbox, wakeup
from memberhook.engine.runtime import system_runtime
from memberhook.intake import query, signatures
from memberhook.intake.batching import Accepted, Intake
from memberhook.intake.inbound import InboundRequest
from memberhook.intake.keys import signing_secret
from memberhook.intake.rate_limit import RateLimit
from memberhook.models.connections import AccessKey, Hook
from memberhook.models.deliveries import Delivery
from memberhook.services import keys
from memberhook.worker import Worker
from tests.conftest import Clock
from tests.intake import project_urls, signing

Accept = Callable[..., Any]


def contact(number: int, action: str = "add", **fields: object) -> dict[str, object]:
    return {"action": action, "contact": {"id": number, "email": f"c{number}@example.com", **fields}}


def contacts(*items: object) -> bytes:
    return json.dumps({"type": "contacts", "contacts": items}).encode()


# Intake


@pytest.fixture
def key(hook: Hook, clock: Clock) -> str:
    return keys.new_signing_key(hook, clock())


@pytest.fixture
def intake(clock: Clock) -> Intake:
    return Intake(clock, RateLimit(0))


@pytest.fixture
def inbound(hook: Hook, key: str, clock: Clock) -> Callable[..., InboundRequest]:
    def inbound(body: bytes, *, by: str = key, **values: Any) -> InboundRequest:
        signature = signatures.read(signing.headers(by, body, clock().timestamp()))
        arguments: dict[str, Any] = {
            "hook_name": hook.name,
            "signature": signature,
            "user_agent": "WordPress",
            "body": body,
        } | values
        return InboundRequest("POST", query.read(""), **arguments)

    return inbound


@pytest.fixture
def accept_batch(intake: Intake, inbound: Callable[..., InboundRequest]) -> Accept:
    return lambda body, **values: intake.accept_batch([inbound(body, **values)])[0]


def refusal(answer: object) -> tuple[int, str]:
    assert isinstance(answer, RequestRejected), answer
    return answer.status, answer.code


def test_each_contact_is_a_delivery(accept_batch: Accept, hook: Hook, key: str) -> None:
    accepted = accept_batch(contacts(contact(7, role="administrator"), contact(8, "update")), remote="203.0.113.9")
    assert isinstance(accepted, Accepted)
    first, second = Delivery.objects.order_by("pk")
    assert [delivery.pk for delivery in accepted.deliveries] == [first.pk, second.pk]
    assert (first.hook, first.action, first.role, first.notify) == (hook, "add", None, False)
    assert (first.contact_id, first.email, first.ordering_key.partition(" ")[2]) == ("7", None, "id 7")
    assert (first.key_hint, first.remote, first.user_agent) == (key[-4:], "203.0.113.9", "WordPress")
    assert json.loads(bytes(first.body)) == {"id": 7, "email": "c7@example.com", "role": "administrator"}
    assert (second.action, second.contact_id) == ("update", "8")
    assert key not in str(list(Delivery.objects.values()))


def test_many_requests_share_one_transaction(
    intake: Intake, inbound: Callable[..., InboundRequest], hook: Hook, clock: Clock, django_assert_max_num_queries: Any
) -> None:
    ordinary = InboundRequest("POST", query.read(f"wpf_action=add&access_key={keys.new_key(hook, clock())}"), None)
    many = [inbound(contacts(*[contact(n) for n in range(1, 401)])) for _ in range(3)]
    with django_assert_max_num_queries(8):  # two kinds of keys, begin, three inserts of 500 at the most, commit
        answers = intake.accept_batch([*many, ordinary])
    assert [type(answer).__name__ for answer in answers] == ["Accepted"] * 3 + ["RequestRejected"]
    ids = [delivery.pk for answer in answers[:3] for delivery in answer.deliveries]  # type: ignore[union-attr]
    assert len(set(ids)) == Delivery.objects.count() == 1200
    assert Delivery.objects.get(pk=ids[1100]).contact_id == "301"


def test_one_that_cannot_be_read_is_refused_alone(accept_batch: Accept) -> None:
    accepted = accept_batch(contacts(contact(7), {"action": "add", "contact": {"first_name": "Nobody"}}, 5, contact(9)))
    assert [(one.index, one.error.code) for one in accepted.request.rejected] == [(1, "no_contact"), (2, "no_contact")]
    assert [delivery.contact_id for delivery in accepted.deliveries] == ["7", "9"]


def test_a_test_stores_nothing(accept_batch: Accept) -> None:
    accepted = accept_batch(b'{"type":"test"}')
    assert (accepted.request.is_test, accepted.deliveries) == (True, [])
    assert not Delivery.objects.exists()


def test_an_unknown_hook_is_answered_like_a_wrong_key(accept_batch: Accept, hook: Hook) -> None:
    unknown = accept_batch(b'{"type":"test"}', hook_name="unknown")
    wrong = accept_batch(b'{"type":"test"}', by="whsec_" + "A" * 44)
    assert refusal(unknown) == refusal(wrong) == (401, "invalid_signature")
    assert unknown.message == wrong.message


def test_the_key_of_another_hook(accept_batch: Accept, make_hook: Callable[..., Hook], clock: Clock) -> None:
    other = keys.new_signing_key(make_hook(name="other"), clock())
    assert refusal(accept_batch(b'{"type":"test"}', by=other)) == (401, "invalid_signature")
    assert isinstance(accept_batch(b'{"type":"test"}', by=other, hook_name="other"), Accepted)


def test_a_key_ends(accept_batch: Accept, hook: Hook, clock: Clock) -> None:
    key = keys.new_signing_key(hook, clock(), expires_at=clock() + timedelta(days=1))
    assert isinstance(accept_batch(b'{"type":"test"}', by=key), Accepted)
    clock.pass_(days=1)
    assert refusal(accept_batch(b'{"type":"test"}', by=key)) == (401, "invalid_signature")


def test_limits_of_a_key(accept_batch: Accept, hook: Hook, clock: Clock) -> None:
    key = keys.new_signing_key(hook, clock(), networks=["203.0.113.0/24"], actions=["update"], roles=["customer"])
    body = contacts(contact(7, "update"), contact(8, "add"))
    assert refusal(accept_batch(body, by=key, remote="198.51.100.1")) == (403, "address_not_allowed")
    accepted = accept_batch(body, by=key, remote="203.0.113.1")
    assert [delivery.contact_id for delivery in accepted.deliveries] == ["7"]
    assert accepted.request.rejected[0].error.code == "action_not_allowed"


def test_a_signing_key_opens_nothing_and_an_opening_one_signs_nothing(
    intake: Intake, accept_batch: Accept, hook: Hook, key: str, clock: Clock
) -> None:
    [answer] = intake.accept_batch([InboundRequest("POST", query.read(f"wpf_action=test&access_key={key}"), None)])
    assert refusal(answer) == (403, "invalid_access_key")
    opening = keys.new_key(hook, clock())
    assert isinstance(
        intake.accept_batch([InboundRequest("POST", query.read(f"wpf_action=test&access_key={opening}"), None)])[0],
        Accepted,
    )
    as_secret = f"whsec_{base64.b64encode(opening.encode()).decode()}"
    assert refusal(accept_batch(b'{"type":"test"}', by=as_secret)) == (401, "invalid_signature")


def test_a_request_counts_once(inbound: Callable[..., InboundRequest], clock: Clock) -> None:
    intake = Intake(clock, RateLimit(2))
    many = contacts(*[contact(n) for n in range(1, 11)])
    answers = intake.accept_batch([inbound(many) for _ in range(3)])
    assert [type(answer).__name__ for answer in answers] == ["Accepted"] * 2 + ["RequestRejected"]
    assert refusal(answers[2]) == (429, "too_many_requests")


def test_without_storage_nothing_is_accepted(accept_batch: Accept, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(inbox, "append", full)
    assert refusal(accept_batch(contacts(contact(7)))) == (503, "storage_unavailable")


def test_another_secret_key_of_the_machine_is_our_fault_and_passes(accept_batch: Accept, settings: Any) -> None:
    settings.SECRET_KEY = "another one, and the stored secrets cannot be read"
    assert refusal(accept_batch(contacts(contact(7))))[0] == 500, "not 401: the sender would give up for nothing"


def test_kinds_of_keys_are_rotated_alone(hook: Hook, key: str, clock: Clock) -> None:
    opening = keys.new_key(hook, clock())
    keys.rotate(hook, clock(), None)
    assert hook.keys.filter(digest=digest(key)).exists(), "those that sign stay"
    assert not hook.keys.filter(digest=digest(opening)).exists()
    new = keys.rotate(hook, clock(), clock() + timedelta(hours=1), signing=True)
    assert new.startswith("whsec_")
    assert hook.keys.get(digest=digest(key)).expires_at == clock() + timedelta(hours=1)
    assert hook.keys.filter(signing_secret="").get().expires_at is None


def test_a_signing_key_has_enough_random_bits_and_is_kept_encrypted(hook: Hook, clock: Clock) -> None:
    key = keys.new_signing_key(hook, clock())
    assert len(signatures.secret_bytes(key)) == 33
    stored = hook.keys.get(digest=digest(key))
    assert key not in str(list(AccessKey.objects.values()))
    assert key.removeprefix("whsec_") not in stored.signing_secret
    assert signing_secret(stored) == key
    assert key != keys.new_signing_key(hook, clock())


# The plain Django view


@pytest.fixture
def shop(
    settings: Any, make_hook: Callable[..., Hook], monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> Hook:
    settings.ROOT_URLCONF = project_urls.__name__
    monkeypatch.setattr(wakeup, "notify_workers", lambda ids: None)
    return make_hook(name="shop", trust_payload=True)


@pytest.fixture
def send(client: Client, shop: Hook) -> Callable[..., Any]:
    key = keys.new_signing_key(shop, system_runtime().now())

    def send(body: bytes, path: str = "/hooks/shop/events", **more: str) -> Any:
        sent = signing.headers(key, body, time.time()) | {"Accept": "text/html"} | more
        return client.post(path, body, content_type="application/json", headers=sent)

    return send


def test_the_view_answers_at_once(send: Callable[..., Any], shop: Hook) -> None:
    response = send(contacts(contact(7, first_name="Ada"), {}, contact(8, "update")))
    assert (response.status_code, response["Content-Type"]) == (202, "application/json; charset=utf-8")
    answer = response.json()
    assert (answer["accepted"], len(answer["deliveries"])) == (2, 2)
    [refused] = answer["refused"]
    assert (refused["index"], refused["error"]["code"]) == (1, "unknown_action")
    Worker("test", system_runtime()).work(shop.pk)
    done = Delivery.objects.in_bulk(answer["deliveries"])
    assert [done[pk].status for pk in answer["deliveries"]] == ["applied", "ignored"]


def test_sent_again_within_five_minutes_nothing_changes(send: Callable[..., Any], shop: Hook) -> None:
    for _ in range(2):
        assert send(contacts(contact(7))).status_code == 202
        Worker("test", system_runtime()).work(shop.pk)
    assert list(Delivery.objects.order_by("pk").values_list("state", flat=True)) == ["applied", "unchanged"]


def test_the_view_tests(send: Callable[..., Any]) -> None:
    response = send(b'{"type":"test"}', "/hooks/shop/events/")
    assert (response.status_code, response.json()["status"]) == (200, "ok")


def test_the_view_refuses(send: Callable[..., Any], client: Client, settings: Any) -> None:
    unsigned = client.post("/hooks/shop/events?access_key=x&wpf_action=add", b"{}", content_type="application/json")
    assert (unsigned.status_code, unsigned.json()["error"]["code"]) == (401, "invalid_signature")
    assert send(b'{"type":"test"}', "/hooks/other/events").status_code == 401
    got = client.get("/hooks/shop/events")
    assert (got.status_code, got["Allow"]) == (405, "POST")
    settings.MEMBERHOOK_MAX_BODY = 20
    assert send(contacts(contact(7))).status_code == 413
    assert not Delivery.objects.exists()


def test_what_is_in_the_address_means_nothing(send: Callable[..., Any]) -> None:
    response = send(contacts(contact(7)), "/hooks/shop/events?wpf_action=update&role=administrator&contact_id=9")
    delivery = Delivery.objects.get(pk=response.json()["deliveries"][0])
    assert (delivery.action, delivery.role, delivery.contact_id, delivery.query) == ("add", None, "7", "")
