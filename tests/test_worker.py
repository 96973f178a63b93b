"""What a worker does when something goes wrong that the steps did not expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from memberhook import signals
from memberhook.core.errors import RequestRejected
from memberhook.core.types import Contact
from memberhook.engine import claims, followups, inbox
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Connection, Hook
from memberhook.models.deliveries import Delivery
from memberhook.models.followups import FollowUp, FollowUpState, Kind
from memberhook.worker import Worker
from tests.conftest import Clock, FakeCrm, Send, ended

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run(runtime: Runtime, hook: Hook) -> Callable[[], None]:
    return lambda: Worker("w1", runtime).work(hook.pk)


def person(number: int) -> Contact:
    email = f"p{number}@example.com"
    return Contact(str(number), email, {"email": email, "first_name": f"P{number}"}, ())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("payload", "{"),
        ("payload", '{"problem": "The webhook ha'),
        ("payload", '{"id":"1"}'),
        ("payload", '{"id":"1","email":"a@x.co","fields":[],"tags":null,"version":null}'),
        ("payload", '{"id":"1","email":5,"fields":{},"tags":null,"version":null}'),
        ("action", "explode"),
    ],
)
def test_what_cannot_be_read_fails_at_once_with_the_reason_and_alone(
    send: Send, run: Callable[[], None], column: str, value: str
) -> None:
    Hook.objects.update(trust_payload=True)
    bad, good = send(contact="1"), send(contact="2", body=b'{"id": 2, "email": "p2@example.com"}')
    later = send(contact="1", body=b'{"id": 1, "email": "p1@example.com"}')
    Delivery.objects.filter(pk=bad.pk).update(**{column: value})
    run()
    assert (ended(bad).state, bad.attempts, bad.outcome) == ("failed", 1, {"code": "unreadable_delivery"})
    assert "Have the CRM send it again." in bad.message
    assert ended(good).state == "applied"
    assert (ended(later).state, later.attempts) == ("applied", 1), "it is about the same contact, but can be read"


def test_a_crm_that_rejects_in_the_worker_fails_at_once(send: Send, run: Callable[[], None], fake_crm: FakeCrm) -> None:
    fake_crm.broken = RequestRejected("The contact's id is no number.", code="bad_contact_id")  # type: ignore[assignment]
    delivery = send()
    run()
    assert (ended(delivery).state, delivery.message) == ("failed", "The contact's id is no number.")


def test_a_changed_secret_key_is_retried_with_what_to_do(send: Send, run: Callable[[], None], settings: Any) -> None:
    connection = Connection.objects.get()
    connection.password = "application password"
    connection.save()
    settings.SECRET_KEY = "another one"
    delivery = send()
    run()
    assert (ended(delivery).state, delivery.attempts) == ("retrying", 1)
    assert delivery.message.startswith("A stored secret cannot be decrypted: the secret key has changed.")
    assert delivery.outcome == {"code": "secret_key_changed"}
    assert Connection.objects.get().paused_until is None, "the CRM has done nothing wrong"


def test_a_bug_is_retried_and_harms_no_other_contact(
    send: Send, run: Callable[[], None], fake_crm: FakeCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_crm.add(*map(person, range(1, 4)))
    sent = [send(contact=str(number)) for number in range(1, 4)]
    load = fake_crm.load

    def buggy(refs: Any) -> Any:
        if any(ref.id == "2" for ref in refs):
            raise ZeroDivisionError
        return load(refs)

    monkeypatch.setattr(fake_crm, "load", buggy)
    run()
    assert [ended(delivery).state for delivery in sent] == ["applied", "retrying", "applied"]
    assert sent[1].message.startswith("An error inside Memberhook (ZeroDivisionError)")
    assert sent[1].attempts == 1


def test_nothing_is_read_again_for_what_the_crm_is_asked(
    send: Send, run: Callable[[], None], fake_crm: FakeCrm
) -> None:
    """The body may even be gone: id or e-mail were read when it came in."""
    fake_crm.add(person(1))
    delivery = send()
    assert delivery.payload == ""
    Delivery.objects.update(body=b"\xff not readable", method="")
    run()
    assert ended(delivery).state == "applied"


def test_a_hook_that_trusts_payloads_since_then_asks_the_crm_for_older_ones(
    send: Send, run: Callable[[], None], fake_crm: FakeCrm
) -> None:
    fake_crm.add(person(1))
    before = send()
    Hook.objects.update(trust_payload=True)
    run()
    assert (ended(before).state, len(fake_crm.loads)) == ("applied", 1)


def test_a_hook_that_trusts_payloads_no_more_asks_the_crm(
    send: Send, run: Callable[[], None], fake_crm: FakeCrm, clock: Clock
) -> None:
    Hook.objects.update(trust_payload=True)
    delivery = send(body=b'{"id": 1}')
    run()
    assert ended(delivery).state == "failed", "there is no e-mail in it"
    Hook.objects.update(trust_payload=False)
    fake_crm.add(person(1))
    inbox.replay([delivery.pk], clock())
    run()
    assert (ended(delivery).state, len(fake_crm.loads)) == ("applied", 1)


# Follow-ups go by the same engine


@pytest.fixture
def followup(send: Send, fake_crm: FakeCrm, work: Callable[[], int]) -> FollowUp:
    Hook.objects.update(welcome=True)
    fake_crm.add(person(1))
    send()
    work()
    return FollowUp.objects.get()


def test_a_living_worker_keeps_its_follow_ups_and_a_dead_one_returns_them(
    followup: FollowUp, runtime: Runtime, clock: Clock
) -> None:
    def claim() -> int:
        with claims.claiming():
            due = list(claims.due(FollowUp.objects.all(), clock()))
            return len(claims.claim(due, "w1", clock(), followups.conf.LEASE()).rows)

    assert claim() == 1
    clock.pass_(seconds=25)
    inbox.heartbeat("w1", clock(), followups.conf.LEASE())
    clock.pass_(seconds=25)
    followups.release_expired(clock())
    assert claim() == 0
    clock.pass_(seconds=10)
    followups.release_expired(clock())
    followup.refresh_from_db()
    assert (followup.state, followup.attempts, followup.claimed_by) == ("retrying", 1, None)


def test_a_follow_up_that_kills_its_workers_fails_and_becomes_a_warning(followup: FollowUp, clock: Clock) -> None:
    for _ in range(claims.MAX_ABANDONED):
        with claims.claiming():
            assert claims.claim(
                list(claims.due(FollowUp.objects.all(), clock())), "w1", clock(), followups.conf.LEASE()
            ).rows
        followups.release_expired(clock(), workers=["w1"])
    followup.refresh_from_db()
    assert followup.progress == FollowUpState.FAILED
    [warning] = Delivery.objects.get().outcome["warnings"]
    assert warning.startswith("The welcome e-mail was not sent: The worker died while it was working on this.")


def test_a_welcome_e_mail_that_cannot_be_built_is_retried(
    followup: FollowUp, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, mailoutbox: list[Any], clock: Clock
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("no such template")

    with monkeypatch.context() as patch:
        patch.setattr("memberhook.engine.welcome.render_to_string", broken)
        followups.run_due("w1", runtime)
    followup.refresh_from_db()
    assert (followup.state, followup.progress) == ("retrying", FollowUpState.WAITING)
    assert followup.message.startswith("An error inside Memberhook (LookupError)")
    clock.pass_(hours=1)
    followups.run_due("w1", runtime)
    followup.refresh_from_db()
    assert (followup.progress, len(mailoutbox)) == (FollowUpState.DONE, 1)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_that_fails_is_a_warning_in_plain_words(
    followup: FollowUp, runtime: Runtime, clock: Clock, kind: Kind, monkeypatch: pytest.MonkeyPatch, fake_crm: FakeCrm
) -> None:
    def broken(*_: object) -> None:
        raise LookupError("broken")

    monkeypatch.setattr(fake_crm, "write_fields", broken)
    monkeypatch.setattr("memberhook.engine.welcome.welcome_mail", broken)
    monkeypatch.setattr(signals, "announce", broken)
    FollowUp.objects.update(kind=kind, contact_id="1")
    for _ in range(2):
        followups.run_due("w1", runtime)
        clock.pass_(hours=73)
    followup.refresh_from_db()
    assert followup.progress == FollowUpState.FAILED
    [warning] = Delivery.objects.get().outcome["warnings"]
    assert warning.partition(":")[0].endswith((" not sent", " not returned"))
    assert User.objects.count() == 1
    assert followup.get_kind_display() != kind.value, "a label in words"
