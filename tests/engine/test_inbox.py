from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from memberhook.core.states import FINISHED, MOVES, WAITING, State, before, status
from memberhook.crms.contract import ContactEvent, ContactRef
from memberhook.engine import claims, inbox
from memberhook.engine.claims import Claim, Result
from memberhook.models.connections import Connection, Hook
from memberhook.models.deliveries import Attempt, Delivery
from tests.conftest import Clock

LEASE = timedelta(seconds=30)


@pytest.fixture
def arrive(hook: Hook, clock: Clock) -> Callable[..., Delivery]:
    def arrive(contact: str, hook: Hook = hook) -> Delivery:
        delivery = inbox.new_delivery(hook, "add", ContactEvent(ContactRef(contact)), clock())
        inbox.append([delivery])
        return delivery

    return arrive


def claim(hook: Hook, clock: Clock, worker: str = "w1", contacts: int = 100) -> Claim[Delivery] | None:
    return inbox.claim(hook.pk, worker, clock(), contacts=contacts, lease=LEASE)


def ids(batch: Claim[Delivery] | None) -> list[int]:
    return [d.pk for d in batch.rows] if batch else []


def test_a_claim_takes_what_is_due_oldest_first_and_only_once(
    hook: Hook, arrive: Callable[..., Delivery], clock: Clock
) -> None:
    first, second = arrive("1"), arrive("2")
    assert ids(claim(hook, clock)) == [first.pk, second.pk]
    assert claim(hook, clock, "w2") is None


def test_a_claimed_contact_is_left_alone_by_all_hooks_of_its_connection(
    hook: Hook, make_hook: Callable[..., Hook], arrive: Callable[..., Delivery], clock: Clock
) -> None:
    other = make_hook()
    arrive("1")
    assert claim(hook, clock)
    arrive("1")
    network_user = arrive("1", hook=other)
    free = arrive("2")
    assert ids(claim(hook, clock, "w2")) == [free.pk]
    assert claim(other, clock, "w2") is None
    batch = Delivery.objects.filter(contact_id="1").order_by("pk").first()
    assert batch is not None
    assert network_user.pk in Delivery.objects.filter(state=State.PENDING).values_list("pk", flat=True)


def test_a_new_webhook_takes_the_waiting_ones_of_its_contact_along_in_order(
    hook: Hook, arrive: Callable[..., Delivery], clock: Clock
) -> None:
    old = arrive("1")
    batch = claim(hook, clock)
    assert batch
    later = clock() + timedelta(hours=1)
    inbox.finish(batch, [Result(batch.rows[0], State.RETRYING, "down", later)], clock())
    assert claim(hook, clock) is None
    new = arrive("1")
    assert ids(claim(hook, clock)) == [old.pk, new.pk]


def test_a_batch_has_at_most_so_many_contacts(hook: Hook, arrive: Callable[..., Delivery], clock: Clock) -> None:
    for number in range(5):
        arrive(str(number))
    assert len(ids(claim(hook, clock, contacts=2))) == 2


def test_a_paused_connection_is_left_alone(hook: Hook, arrive: Callable[..., Delivery], clock: Clock) -> None:
    arrive("1")
    Connection.objects.update(paused_until=clock() + timedelta(seconds=10))
    assert claim(hook, clock) is None
    assert inbox.waiting_hooks(clock()) == []
    clock.pass_(seconds=11)
    assert inbox.waiting_hooks(clock()) == [hook.pk]
    assert claim(hook, clock)


def test_a_dead_workers_batch_goes_back_and_the_attempt_is_noted(
    hook: Hook, arrive: Callable[..., Delivery], clock: Clock
) -> None:
    delivery = arrive("1")
    batch = claim(hook, clock)
    assert batch
    assert inbox.release_expired(clock()) == 0
    clock.pass_(seconds=31)
    assert inbox.release_expired(clock()) == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.claimed_by) == (State.RETRYING, None)
    assert Attempt.objects.get().result == "abandoned"
    again = claim(hook, clock, "w2")
    assert ids(again) == [delivery.pk]
    assert claims.lock_claimed(batch, batch.rows) == set(), "the worker whose lease expired has lost it"
    inbox.finish(batch, [Result(delivery, State.APPLIED, "late")], clock())
    delivery.refresh_from_db()
    assert delivery.state == State.WORKING, "and can't end it any more"


def test_a_living_worker_keeps_its_batch(hook: Hook, arrive: Callable[..., Delivery], clock: Clock) -> None:
    arrive("1")
    batch = claim(hook, clock)
    assert batch
    clock.pass_(seconds=29)
    inbox.heartbeat("w1", clock(), LEASE)
    clock.pass_(seconds=29)
    assert inbox.release_expired(clock()) == 0
    assert claims.lock_claimed(batch, batch.rows) == {batch.rows[0].pk}


def test_the_claims_of_a_worker_known_to_be_dead_are_released_at_once(
    hook: Hook, arrive: Callable[..., Delivery], clock: Clock
) -> None:
    arrive("1")
    claim(hook, clock)
    assert inbox.release_expired(clock(), workers=["somebody else"]) == 0
    assert inbox.release_expired(clock(), workers=["w1"]) == 1


def test_a_delivery_that_kills_its_workers_is_given_up(
    hook: Hook, arrive: Callable[..., Delivery], clock: Clock
) -> None:
    delivery = arrive("1")
    for _ in range(claims.MAX_ABANDONED):
        assert claim(hook, clock)
        inbox.release_expired(clock(), workers=["w1"])
    delivery.refresh_from_db()
    assert delivery.state == State.FAILED
    assert claim(hook, clock) is None


def test_every_attempt_is_noted_and_replay_starts_again(
    hook: Hook, arrive: Callable[..., Delivery], clock: Clock
) -> None:
    delivery = arrive("1")
    batch = claim(hook, clock)
    assert batch
    inbox.finish(batch, [Result(batch.rows[0], State.RETRYING, "down", clock())], clock())
    batch = claim(hook, clock)
    assert batch
    inbox.finish(batch, [Result(batch.rows[0], State.FAILED, "gone")], clock())
    assert list(Attempt.objects.values_list("number", "result", "message")) == [
        (1, "retrying", "down"),
        (2, "failed", "gone"),
    ]
    clock.pass_(days=10)
    assert inbox.replay([delivery.pk], clock()) == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.finished_at) == (State.PENDING, 0, None)
    assert delivery.first_due_at == clock(), "the time to give up starts again"
    assert inbox.replay([delivery.pk], clock()) == 0, "what is on its way is not put back again"


def test_old_deliveries_are_deleted_when_nothing_is_left_to_do(
    hook: Hook, arrive: Callable[..., Delivery], clock: Clock
) -> None:
    arrive("1")
    batch = claim(hook, clock)
    assert batch
    inbox.finish(batch, [Result(batch.rows[0], State.APPLIED, "done")], clock())
    waiting = arrive("2")
    assert inbox.purge(clock() - timedelta(days=1)) == 0
    assert inbox.purge(clock() + timedelta(days=1)) == 1
    assert list(Delivery.objects.values_list("pk", flat=True)) == [waiting.pk]


def test_the_moves_lead_from_waiting_to_an_end_and_back_only_by_replay() -> None:
    assert set(before(State.WORKING)) == set(WAITING)
    assert all(before(end) == (State.WORKING,) for end in FINISHED)
    assert set(before(State.PENDING)) == set(FINISHED)
    assert set(MOVES) == set(State)


@pytest.mark.parametrize(
    ("state", "attempts", "expected"),
    [("working", 1, "pending"), ("working", 2, "retrying"), ("applied", 3, "applied"), ("retrying", 1, "retrying")],
)
def test_the_outside_sees_no_inner_state(state: str, attempts: int, expected: str) -> None:
    assert status(state, attempts) == expected
