"""How a batch is processed, steps 3 to 8, with a real database and a CRM in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User

from memberhook import pipeline, signals
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.types import Contact, Tag
from memberhook.engine import claims, followups, inbox
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Connection, Hook, Link
from memberhook.models.deliveries import Attempt, Delivery, Origin
from memberhook.models.followups import FollowUp
from memberhook.models.tags import Tag as TagRow
from memberhook.services import accounts
from memberhook.services.members import members
from tests.conftest import USUAL_MAP, Clock, FakeCrm, Send, ended, set_rows

COURSE, NEWS = Tag("10", "course", "Course"), Tag("11", "news", "News")


def ada(**values: Any) -> Contact:
    fields = {"email": "ada@example.com", "first_name": "Ada", "last_name": "King"} | values.pop("fields", {})
    return Contact(**({"id": "1", "email": fields["email"], "fields": fields, "tags": (COURSE,)} | values))


def test_add_makes_a_member(send: Send, work: Callable[[], int], fake_crm: FakeCrm) -> None:
    fake_crm.add(ada())
    delivery = send(role="customer")
    work()
    assert ended(delivery).state == "applied"
    assert delivery.outcome["member"]["created"] is True
    [member] = members()
    assert member == {
        "site": "local",
        "id": delivery.outcome["member"]["id"],
        "login": "ada@example.com",
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "King",
        "display_name": "Ada King",
        "roles": ["customer"],
        "tags": ["course"],
        "fields": {},
        "contact": {"connection": "shop", "id": "1"},
    }
    assert list(Attempt.objects.values_list("number", "result")) == [(1, "applied")]


def test_the_same_again_changes_nothing(send: Send, work: Callable[[], int], fake_crm: FakeCrm) -> None:
    fake_crm.add(ada())
    send()
    work()
    again = send()
    work()
    assert ended(again).state == "unchanged"
    assert again.outcome["member"]["created"] is False
    assert FollowUp.objects.count() == 0


def test_deliveries_of_one_contact_share_one_load_and_one_plan(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm
) -> None:
    fake_crm.add(ada())
    sent = [send("update"), send("add", role="customer"), send("add"), send("update_tags")]
    work()
    assert [len(refs) for refs in fake_crm.loads] == [1]
    assert {ended(delivery).state for delivery in sent} == {"applied"}
    assert [delivery.outcome["member"]["created"] for delivery in sent] == [False, True, False, False]
    assert User.objects.count() == 1


def test_a_contact_known_by_id_here_and_by_e_mail_there_is_one(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm
) -> None:
    fake_crm.add(ada())
    by_id = send(role="customer")
    body = b'{"email": "ADA@example.com"}'
    by_email = send(body=body)
    work()
    assert [ended(d).outcome["member"]["created"] for d in (by_id, by_email)] == [True, False]
    assert {d.state for d in (by_id, by_email)} == {"applied"}
    assert [m["roles"] for m in members()] == [["customer"]]


def test_a_member_is_found_by_the_address_that_is_mapped_to_it(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm
) -> None:
    set_rows(Hook.objects.get(), field_map=[{"site": "user_email", "crm": "work_email"}])
    accounts.new_member("ada", "ada@work.example", "subscriber", "", "", None)
    fake_crm.add(ada(fields={"email": "ada@example.com", "work_email": "Ada@work.example"}))
    delivery = send()
    work()
    assert ended(delivery).state == "applied"
    assert [(m["login"], m["tags"]) for m in members()] == [("ada", ["course"])]


def test_many_contacts_are_loaded_at_once_and_one_bad_one_harms_no_other(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm
) -> None:
    people = [ada(id=str(n), fields={"email": f"ada{n}@example.com"}) for n in range(1, 51)]
    fake_crm.add(*people, ada(id="98", fields={"email": "no address"}))
    sent = {n: send(contact=str(n)) for n in [*range(1, 51), 98, 99]}
    work()
    assert [len(refs) for refs in fake_crm.loads] == [52]
    assert User.objects.count() == 50
    assert (ended(sent[98]).state, ended(sent[99]).state) == ("failed", "failed")
    assert "e-mail" in sent[98].message
    assert "not in the CRM any more" in sent[99].message


def test_a_crm_that_is_down_means_later_and_in_the_end_failed(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm, clock: Clock
) -> None:
    fake_crm.broken = TransientError("FluentCRM is down.", code="server_error")
    delivery = send()
    work()
    assert ended(delivery).state == "retrying"
    assert delivery.message == "FluentCRM is down."
    assert delivery.due_at == clock() + timedelta(seconds=2)
    assert Connection.objects.get().paused_until == clock() + timedelta(seconds=2)
    attempts = 1
    while ended(delivery).state == "retrying":
        clock.moment = max(delivery.due_at, Connection.objects.get().paused_until or delivery.due_at)
        work()
        attempts += 1
        assert attempts < 200
    assert delivery.state == "failed"
    assert clock() - delivery.received_at == timedelta(hours=72)
    assert Attempt.objects.count() == attempts
    fake_crm.broken = None
    fake_crm.add(ada())
    inbox.replay([delivery.pk], clock())
    clock.pass_(hours=1)
    work()
    assert ended(delivery).state == "applied"


def test_retry_after_is_kept_to_for_the_whole_connection(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm, clock: Clock
) -> None:
    fake_crm.broken = TransientError("Too many.", code="rate_limited", retry_after=120)
    fake_crm.add(ada())
    delivery = send()
    work()
    assert ended(delivery).due_at == clock() + timedelta(seconds=120)
    fake_crm.broken = None
    later = send(contact="2")
    clock.pass_(seconds=119)
    assert work() == 0
    assert ended(later).state == "pending"
    clock.pass_(seconds=1)
    work()
    assert ended(delivery).state == "applied"


def test_what_will_not_pass_is_not_tried_again(send: Send, work: Callable[[], int], fake_crm: FakeCrm) -> None:
    fake_crm.broken = PermanentError("This address is private.", code="private_address")
    delivery = send()
    work()
    assert (ended(delivery).state, delivery.attempts) == ("failed", 1)


def test_a_worker_whose_lease_expired_writes_nothing(
    send: Send, fake_crm: FakeCrm, clock: Clock, runtime: Runtime, hook: Hook
) -> None:
    fake_crm.add(ada())
    delivery = send()
    batch = inbox.claim(hook.pk, "slow", clock(), contacts=100, lease=timedelta(seconds=30))
    assert batch
    inbox.release_expired(clock(), workers=["slow"])
    pipeline.process(batch, runtime)
    assert User.objects.count() == 0
    assert ended(delivery).state == "retrying"


def test_a_death_between_apply_and_outcome_leaves_nothing_half_done(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm, clock: Clock, runtime: Runtime, hook: Hook,
    monkeypatch: pytest.MonkeyPatch, make_hook: Callable[..., Hook],
) -> None:  # fmt: skip
    fake_crm.add(ada())
    Hook.objects.update(welcome=True, return_password_field="wp_password")
    send()
    batch = inbox.claim(hook.pk, "w0", clock(), contacts=100, lease=timedelta(seconds=30))
    assert batch

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(inbox, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            pipeline.process(batch, runtime)
    assert (User.objects.count(), FollowUp.objects.count(), Link.objects.count()) == (0, 0, 0)
    inbox.release_expired(clock(), workers=["w0"])
    work()
    assert (User.objects.count(), FollowUp.objects.count(), Link.objects.count()) == (1, 2, 1)


def test_welcome_and_password_follow_exactly_once(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm, runtime: Runtime, mailoutbox: list[Any], clock: Clock
) -> None:
    Hook.objects.update(return_password_field="wp_password")
    fake_crm.add(ada())
    send(notify=True)
    work()
    assert FollowUp.objects.filter(finished_at=None).count() == 2
    secret = FollowUp.objects.get(kind="return_password").secret
    assert secret
    assert "generated-password-0" not in secret
    assert followups.run_due("w1", runtime) == 2
    assert followups.run_due("w1", runtime) == 0
    [mail] = mailoutbox
    assert mail.to == ["ada@example.com"]
    assert "/password/set/" in mail.body
    [write] = fake_crm.written
    assert (write.contact_id, write.email, dict(write.fields)) == (
        "1",
        "ada@example.com",
        {"wp_password": "generated-password-0"},
    )
    assert write.fresh is True
    assert set(FollowUp.objects.values_list("secret", flat=True)) == {""}, "the password is wiped"
    assert User.objects.get().check_password("generated-password-0")
    send(notify=True)
    work()
    assert followups.run_due("w1", runtime) == 0


def test_a_follow_up_whose_worker_died_is_done_by_the_next(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm, runtime: Runtime, mailoutbox: list[Any], clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    Hook.objects.update(return_password_field="wp_password")
    fake_crm.add(ada())
    send(notify=True)
    work()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(claims, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            followups.run_due("w1", runtime)
    assert followups.run_due("w2", runtime) == 0, "the lease of the dead one has not run out"
    followups.release_expired(clock(), workers=["w1"])
    assert followups.run_due("w2", runtime) == 2
    assert [w.fields["wp_password"] for w in fake_crm.written] == ["generated-password-0"] * 2, "the same value, twice"
    assert [w.fresh for w in fake_crm.written] == [True, False], "the second time not keyed by e-mail"
    assert len({mail.extra_headers["Message-ID"] for mail in mailoutbox}) == 1


def test_a_password_that_cannot_be_returned_is_tried_again_then_reported_and_wiped(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm, runtime: Runtime, clock: Clock
) -> None:
    Hook.objects.update(return_password_field="wp_password")
    fake_crm.add(ada())
    delivery = send()
    work()
    fake_crm.broken = TransientError("FluentCRM is down.", code="server_error")
    assert followups.run_due("w1", runtime) == 1
    assert followups.run_due("w1", runtime) == 0
    clock.pass_(hours=80)
    followups.run_due("w1", runtime)
    row = FollowUp.objects.get()
    assert (row.state, row.secret) == ("failed", "")
    assert ended(delivery).outcome["warnings"] == ["The password was not returned: FluentCRM is down."]


def test_a_renamed_tag_keeps_its_members(send: Send, work: Callable[[], int], fake_crm: FakeCrm) -> None:
    fake_crm.add(ada())
    send()
    work()
    fake_crm.add(ada(tags=(Tag("10", "sourdough", "Sourdough"),)))
    again = send("update_tags")
    work()
    assert ended(again).state == "unchanged"
    assert [m["tags"] for m in members()] == [["sourdough"]]
    assert TagRow.objects.count() == 1


def test_a_role_comes_and_goes_with_the_tag(send: Send, work: Callable[[], int], fake_crm: FakeCrm) -> None:
    set_rows(Hook.objects.get(), tag_roles=[{"tag": COURSE.id, "role": "customer"}])
    outcomes = []
    for tags in ((COURSE,), (COURSE,), (NEWS,), (COURSE, NEWS)):
        fake_crm.add(ada(tags=tags))
        delivery = send("add" if not outcomes else "update_tags")
        work()
        outcomes.append((next(iter(members()))["roles"], ended(delivery).message.partition("ada@example.com")[2]))
    assert outcomes == [
        (["customer", "subscriber"], " as subscriber, customer (with tag Course)."),
        (["customer", "subscriber"], " is already up to date."),
        (["subscriber"], ": role, tags (without role customer; with tag News; without tag Course)."),
        (["customer", "subscriber"], ": role, tags (with role customer; with tag Course)."),
    ]


def test_tags_of_another_connection_stay(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm, make_hook: Callable[..., Hook]
) -> None:
    other = Connection.objects.create(name="other", kind="fluentcrm", url="https://other.example")
    second = make_hook(connection=other)
    fake_crm.add(ada())
    send()
    work()
    fake_crm.add(ada(tags=(NEWS,)))
    send(hook=second)
    work()
    assert [m["tags"] for m in members()] == [["course", "news"]]


def test_protected_accounts_keep_what_makes_them_theirs(send: Send, work: Callable[[], int], fake_crm: FakeCrm) -> None:
    boss = accounts.new_member("boss", "ada@example.com", "administrator", "", "", "secret words")
    fake_crm.add(ada(fields={"email": "ada@example.com", "first_name": "Eve"}))
    delivery = send(role="customer")
    work()
    boss.refresh_from_db()
    assert (boss.username, boss.email, boss.first_name) == ("boss", "ada@example.com", "Eve")
    assert [group.name for group in boss.groups.all()] == ["administrator"]
    assert boss.check_password("secret words")
    assert "protected" in " ".join(ended(delivery).outcome["warnings"])


def test_no_hook_makes_an_administrator(send: Send, work: Callable[[], int], fake_crm: FakeCrm) -> None:
    Hook.objects.update(allowed_roles=["customer", "administrator"])
    fake_crm.add(ada())
    delivery = send(role="Administrator")
    work()
    user = get_user_model()._default_manager.get()
    assert [group.name for group in user.groups.all()] == ["subscriber"]
    assert ended(delivery).outcome["warnings"]


def test_a_hook_that_trusts_the_payload_asks_nobody(send: Send, work: Callable[[], int], fake_crm: FakeCrm) -> None:
    Hook.objects.update(trust_payload=True)
    body = b'{"id": 1, "email": "ada@example.com", "first_name": "Ada", "updated_at": "2026-11-23 11:00:00"}'
    send(body=body)
    work()
    assert fake_crm.loads == []
    assert [m["first_name"] for m in members()] == ["Ada"]
    late = send("update", body=body.replace(b"Ada", b"Old").replace(b"11:00", b"10:00"))
    work()
    assert (ended(late).state, [m["first_name"] for m in members()]) == ("ignored", ["Ada"])


def test_an_import_asks_the_crm_even_where_the_hook_trusts_webhooks(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm
) -> None:
    Hook.objects.update(trust_payload=True)
    fake_crm.add(ada())
    imported = send(origin=Origin.IMPORT)
    work()
    assert ended(imported).state == "applied"
    assert [m["first_name"] for m in members()] == ["Ada"]


def test_signals_tell_the_host_project(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm, runtime: Runtime
) -> None:
    heard: list[tuple[str, Any]] = []

    def listen(name: str) -> Callable[..., None]:
        def receiver(**values: Any) -> None:
            heard.append((name, values.get("tags") or values.get("changes") or values["member"].get_username()))

        return receiver

    receivers = {name: listen(name) for name in ("member_created", "member_changed", "tags_applied", "tags_removed")}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver)
    try:
        fake_crm.add(ada())
        send()
        work()
        assert followups.run_due("w1", runtime) == 1
        fake_crm.add(ada(tags=(NEWS,)))
        send("update_tags")
        work()
        assert followups.run_due("w1", runtime) == 1
        assert followups.run_due("w1", runtime) == 0
    finally:
        for name, receiver in receivers.items():
            getattr(signals, name).disconnect(receiver)
    assert heard == [
        ("member_created", "ada@example.com"),
        ("tags_applied", [COURSE]),
        ("member_changed", ["tags"]),
        ("tags_applied", [NEWS]),
        ("tags_removed", [COURSE]),
    ]


def test_a_generated_password_is_hashed_cheaply_at_first_and_in_full_at_log_in(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm
) -> None:
    fake_crm.add(ada())
    send()
    work()
    user = User.objects.get()
    assert user.password.startswith("pbkdf2_sha256$1$")
    assert user.check_password("generated-password-0")
    user.refresh_from_db()
    assert int(user.password.split("$")[1]) > 100_000


def test_a_mapped_password_is_set_once_and_the_members_own_choice_stays(
    send: Send, work: Callable[[], int], fake_crm: FakeCrm
) -> None:
    set_rows(Hook.objects.get(), field_map=[*USUAL_MAP[2:], {"site": "user_pass", "crm": "secret"}])
    fake_crm.add(ada(fields={"email": "ada@example.com", "secret": "s3cret-one"}))
    send()
    work()
    user = User.objects.get()
    assert user.check_password("s3cret-one")
    user.set_password("own choice")
    user.save()
    again = send("update")
    work()
    user.refresh_from_db()
    assert (ended(again).state, user.check_password("own choice")) == ("unchanged", True)
    fake_crm.add(ada(fields={"email": "ada@example.com", "secret": "s3cret-two"}))
    changed = send("update")
    work()
    user.refresh_from_db()
    assert user.check_password("s3cret-two")
    assert ended(changed).outcome["changes"] == ["user_pass"]
    assert "s3cret" not in str(Delivery.objects.values_list("outcome", "message"))
