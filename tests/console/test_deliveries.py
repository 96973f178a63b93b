from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from memberhook.console.markup import badge, short
from memberhook.console.raw_request import hide, readable_request
from memberhook.core.states import STATUSES
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery, with_status
from memberhook.models.followups import FollowUp, Kind
from tests.console.conftest import World

LIST = "/console/memberhook/delivery/"

Deliver = Callable[..., Delivery]


def summaries(console: Client, query: str) -> set[int]:
    return {delivery.pk for delivery in console.get(f"{LIST}?{query}").context["cl"].result_list}


def page(console: Client, delivery: Delivery) -> str:
    return html.unescape(console.get(f"{LIST}{delivery.pk}/change/").content.decode())


def test_the_list_tells_what_happened(console: Client, deliver: Deliver) -> None:
    deliver("failed", email="eve@example.com", message="The contact has no usable e-mail address. " * 5)
    text = html.unescape(console.get(LIST).content.decode())
    assert '<span class="mh-badge mh-bad">Failed</span>' in text
    assert "#1 · eve@example.com" in text
    assert "…</span>" in text
    assert "1 failed" in text
    assert f"{LIST}replay/?status=failed" in text


def test_without_failed_ones_there_is_nothing_to_replay(console: Client, deliver: Deliver) -> None:
    deliver("applied")
    assert "Replay all failed" not in console.get(LIST).content.decode()


def test_filters(console: Client, deliver: Deliver, make_hook: Callable[..., Hook]) -> None:
    other = make_hook(name="other")
    first = deliver("applied")
    second = deliver("failed", action="update", origin="resync", hook=other)
    assert summaries(console, "status=applied") == {first.pk}
    assert summaries(console, "status=failed") == {second.pk}
    assert summaries(console, "action=update") == {second.pk}
    assert summaries(console, "origin=webhook") == {first.pk}
    assert summaries(console, f"hook={other.pk}") == {second.pk}
    assert summaries(console, "received_at__gte=2000-01-01T00:00:00%2B00:00") == {first.pk, second.pk}
    assert summaries(console, "status=nonsense&action=nonsense&hook=nonsense") == {first.pk, second.pk}


def test_search_by_contact_email_and_number(console: Client, deliver: Deliver) -> None:
    first = deliver("applied", contact_id="4711", email="ada@example.com")
    deliver("applied", contact_id="4712", email="bob@example.com")
    for query in ("q=4711", "q=ADA@example", f"q={first.pk}"):
        assert summaries(console, query) == {first.pk}


@pytest.mark.parametrize("state", ["pending", "working", "retrying", "applied", "unchanged", "ignored", "failed"])
@pytest.mark.parametrize("attempts", [0, 1, 2])
def test_the_query_agrees_with_the_status(deliver: Deliver, state: str, attempts: int) -> None:
    delivery = deliver(state, attempts=attempts)
    assert [s for s in STATUSES if with_status(Delivery.objects.all(), s).exists()] == [delivery.status]


def test_a_delivery_in_full(console: Client, world: World) -> None:
    text = page(console, world.delivery)
    for shown in (
        "It is applied.",
        "The site has no role platinum.",
        f'<a href="/console/auth/user/{world.member.pk}/change/">ada</a>',
        "<td>2026-11-20 10:00:00</td>",
        "<th>wp_password</th><td>(hidden)</td>",
        "<li>set first_name to Ada</li>",
        "<li>set temp_password to (hidden)</li>",
        "worker@here:1",
        "Return password to the CRM",
        "The CRM does not answer.",
        '"city": "London"',
        '"wp_password": "(hidden)"',
        '"start_code": "(hidden)"',
    ):
        assert shown in text, shown


def test_a_damaged_action_is_shown_as_it_is(console: Client, deliver: Deliver) -> None:
    delivery = deliver("failed", action="exp<lode")
    assert "exp<lode" in page(console, delivery)
    response = console.get(LIST)
    assert (response.status_code, "exp&lt;lode" in response.content.decode()) == (200, True)


def test_a_delivery_that_has_not_been_tried(console: Client, deliver: Deliver) -> None:
    delivery = deliver("pending", method="", body=b"", origin="import", message="")
    text = page(console, delivery)
    assert "Waiting for a worker." in text
    assert "loaded from the CRM (Import)" in text
    assert "No attempts yet." in text
    assert "replay/?id=" not in text


def test_a_follow_up_that_is_done_or_failed(console: Client, world: World) -> None:
    FollowUp.objects.create(
        delivery=world.delivery,
        kind=Kind.WELCOME,
        member_id="1",
        email="a@example.com",
        state="failed",
        finished_at=timezone.now(),
    )
    assert '<span class="mh-badge mh-bad">Failed</span>' in page(console, world.delivery)


def test_a_delivery_that_is_not_there(console: Client, db: None) -> None:
    assert console.get(f"{LIST}999/change/").status_code == 302


@pytest.mark.parametrize(
    ("content_type", "query", "body"),
    [
        ("application/json", "", b'{"custom_field":{"user_secret":"hush","city":"Bonn"}}'),
        ("application/x-www-form-urlencoded", "", b"custom_field[user_secret]=hush&custom_field[city]=Bonn"),
        ("", "custom_field[user_secret]=hush&custom_field[city]=Bonn", b""),
    ],
)
def test_requests_of_every_kind_are_read(deliver: Deliver, content_type: str, query: str, body: bytes) -> None:
    delivery = deliver(content_type=content_type, query=query, body=body, method="POST" if body else "GET")
    shown = readable_request(delivery, ())
    assert shown is not None
    assert json.loads(shown.data) == {"custom_field": {"user_secret": "(hidden)", "city": "Bonn"}}


def test_what_cannot_be_read_is_not_shown(deliver: Deliver) -> None:
    shown = readable_request(deliver(body=b'{"my_password": "hush"'), ())
    assert shown is not None
    assert shown.data == ""
    assert "not shown" in shown.problem
    assert "hush" not in shown.problem


def test_a_huge_request_is_cut(deliver: Deliver) -> None:
    shown = readable_request(deliver(body=json.dumps({"note": "x" * 200_000}).encode()), ())
    assert shown is not None
    assert len(shown.data) < 101_000
    assert "more characters" in shown.data


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"start": "x"}, {"start": "(hidden)"}),
        ({"start": ["x"]}, {"start": "(hidden)"}),
        ({"start": ""}, {"start": ""}),
        ([{"api_token": 1, "n": 2}], [{"api_token": "(hidden)", "n": 2}]),
    ],
)
def test_hiding(value: Any, shown: Any) -> None:
    assert hide(value, {"start"}) == shown


def test_pieces_are_escaped() -> None:
    assert badge("<b>") == '<span class="mh-badge mh-calm">&lt;b&gt;</span>'
    assert "<i>" not in short("<i>" + "x" * 200)


def replayed(delivery: Delivery) -> bool:
    delivery.refresh_from_db()
    return (delivery.state, delivery.attempts, delivery.finished_at, delivery.message) == ("pending", 0, None, "")


def test_replay_of_one_asks_first(console: Client, deliver: Deliver, hook: Hook, notified: list[int]) -> None:
    delivery = deliver("failed")
    address = f"{LIST}replay/?id={delivery.pk}"
    assert address in page(console, delivery)
    question = console.get(address)
    assert "1 delivery will be processed again" in question.content.decode()
    assert not replayed(delivery)
    answer = console.post(address, follow=True)
    assert answer.redirect_chain == [(f"{LIST}{delivery.pk}/change/", 302)]
    assert "1 delivery will be replayed" in answer.content.decode()
    assert replayed(delivery)
    assert notified == [hook.pk]


def test_replay_of_the_chosen(console: Client, deliver: Deliver, hook: Hook, notified: list[int]) -> None:
    chosen, under_way, other = deliver("ignored"), deliver("retrying"), deliver("failed")
    ticked = {"action": "replay", "_selected_action": [chosen.pk, under_way.pk]}
    question = console.post(LIST, ticked)
    text = question.content.decode()
    assert "1 delivery will be processed again" in text
    assert "1 more is not finished" in text
    assert f'name="_selected_action" value="{chosen.pk}"' in text
    console.post(LIST, {**ticked, "confirmed": "yes"})
    assert replayed(chosen)
    assert not replayed(other)
    assert Delivery.objects.get(pk=under_way.pk).state == "retrying"
    assert notified == [hook.pk]


def test_replay_of_all_that_a_filter_finds(console: Client, deliver: Deliver, notified: list[int]) -> None:
    failed, fine = [deliver("failed") for _ in range(3)], deliver("applied")
    form = {"action": "replay", "_selected_action": [failed[0].pk], "select_across": "1"}
    text = console.post(f"{LIST}?status=failed", form).content.decode()
    assert "3 deliveries will be processed again" in text
    assert 'name="select_across" value="1"' in text
    console.post(f"{LIST}?status=failed", {**form, "confirmed": "yes"})
    assert all(replayed(delivery) for delivery in failed)
    assert not replayed(fine)


def test_replay_of_all_failed(
    console: Client, deliver: Deliver, notified: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memberhook.services.deliveries.AT_ONCE", 2)
    failed, fine = [deliver("failed") for _ in range(5)], deliver("applied")
    address = f"{LIST}replay/?status=failed"
    assert "5 deliveries will be processed again" in console.get(address).content.decode()
    answer = console.post(address, follow=True)
    assert "5 deliveries will be replayed" in answer.content.decode()
    assert all(replayed(delivery) for delivery in failed)
    assert not replayed(fine)


def test_replay_of_nothing(console: Client, deliver: Deliver, notified: list[int]) -> None:
    delivery = deliver("retrying")
    assert "nothing to replay" in console.get(f"{LIST}replay/?id={delivery.pk}").content.decode()
    answer = console.post(f"{LIST}replay/?id={delivery.pk}", follow=True)
    assert "No delivery was replayed" in answer.content.decode()
    assert notified == []


@pytest.mark.parametrize("query", ["", "id=abc", "status=applied", "id="])
def test_replay_of_what(console: Client, db: None, query: str) -> None:
    assert console.get(f"{LIST}replay/?{query}").status_code == 404
