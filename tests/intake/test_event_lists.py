"""A CRM whose webhooks bring none, one or several events: what is stored, and how it is answered."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from django.test import Client

from memberhook.core.errors import RequestRejected
from memberhook.core.types import Contact
from memberhook.crms import registry
from memberhook.crms.contract import ContactEvent, ContactRef, CrmInfo, Skipped, WebhookRequest
from memberhook.engine import wakeup
from memberhook.engine.runtime import system_runtime
from memberhook.intake import signed_events
from memberhook.models.connections import Connection, Hook
from memberhook.models.deliveries import Delivery
from memberhook.services import keys
from memberhook.worker import Worker
from tests.intake import project_urls, signing

pytestmark = pytest.mark.django_db(transaction=True)


def read(request: WebhookRequest) -> list[ContactEvent | Skipped]:
    """`{"events": [{"person": 1} | {"deal": 2}]}`, or one such event alone."""
    data = json.loads(request.body)
    events: list[ContactEvent | Skipped] = []
    for event in data.get("events", [data]):
        if "deal" in event:
            events.append(Skipped("deal.changed", "It is about a deal, not about a contact."))
        elif "person" not in event:
            raise RequestRejected("There is no person in it.", code="no_contact")
        else:
            email = f"p{event['person']}@example.com"
            contact = Contact(str(event["person"]), email, {"first_name": event.get("name", "")})
            events.append(ContactEvent(ContactRef(contact.id), contact, body=json.dumps(event).encode()))
    return events


@pytest.fixture
def hook(make_hook: Callable[..., Hook], monkeypatch: pytest.MonkeyPatch, settings: Any) -> Hook:
    module = ModuleType("tests.many_events")
    module.CRM = CrmInfo("many", "Many", read, lambda account, http: None)  # type: ignore[attr-defined,arg-type,return-value]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(registry.CRMS, "many", module.__name__)
    monkeypatch.setattr(wakeup, "notify_workers", lambda ids: None)
    settings.ROOT_URLCONF = project_urls.__name__
    settings.MEMBERHOOK_WAIT = 0.0
    connection = Connection.objects.create(name="many", kind="many", url="https://many.example")
    return make_hook(name="many", connection=connection, trust_payload=True)


@pytest.fixture
def send(client: Client, hook: Hook) -> Callable[..., Any]:
    key = keys.new_key(hook, system_runtime().now())

    def send(data: object, query: str = "wpf_action=add", **headers: str) -> Any:
        sent = {"X-Access-Key": key, **headers}
        return client.post(f"/hooks/many?{query}", json.dumps(data), content_type="application/json", headers=sent)

    return send


TWO_AND_A_DEAL = {"events": [{"person": 1, "name": "Ada"}, {"deal": 9}, {"person": 2, "name": "Eve"}]}
DEAL = {"event": "deal.changed", "reason": "It is about a deal, not about a contact."}


def test_each_event_is_a_delivery_with_its_own_part_of_the_request(send: Callable[..., Any], hook: Hook) -> None:
    response = send(TWO_AND_A_DEAL)
    data = response.json()
    assert (response.status_code, set(data)) == (202, {"deliveries", "skipped"})
    assert data["skipped"] == [DEAL]
    assert [set(one) for one in data["deliveries"]] == [
        {"delivery", "action", "status", "message", "member", "changes", "warnings", "location"}
    ] * 2
    first, second = Delivery.objects.order_by("pk")
    assert [one["delivery"] for one in data["deliveries"]] == [first.pk, second.pk]
    assert [json.loads(bytes(d.body)) for d in (first, second)] == [
        {"person": 1, "name": "Ada"},
        {"person": 2, "name": "Eve"},
    ]
    Worker("test", system_runtime()).work(hook.pk)
    done = Delivery.objects.in_bulk([first.pk, second.pk])
    assert [one.outcome["member"]["login"] for one in done.values()] == ["p1@example.com", "p2@example.com"]


def test_all_outcomes_are_waited_for(
    send: Callable[..., Any], hook: Hook, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MEMBERHOOK_WAIT = 3.0
    monkeypatch.setattr("memberhook.intake.views.time.sleep", lambda _: Worker("t", system_runtime()).work(hook.pk))
    response = send(TWO_AND_A_DEAL)
    assert response.status_code == 200
    assert [one["status"] for one in response.json()["deliveries"]] == ["applied", "applied"]
    assert "location" not in response.json()["deliveries"][0]


def test_without_an_event_for_a_member_nothing_is_stored(send: Callable[..., Any]) -> None:
    for data, skipped in (({"events": []}, []), ({"deal": 9}, [DEAL])):
        response = send(data)
        assert (response.status_code, response.json()) == (200, {"deliveries": [], "skipped": skipped})
    assert not Delivery.objects.exists()


def test_one_event_alone_is_answered_flat(send: Callable[..., Any]) -> None:
    response = send({"person": 1})
    assert (response.status_code, response.json()["status"]) == (202, "pending")
    assert response["Location"] == response.json()["location"]


def test_a_dry_run_plans_each(send: Callable[..., Any]) -> None:
    data = send(TWO_AND_A_DEAL, "wpf_action=add&dry_run=true").json()
    assert [one["message"].partition(" as ")[0] for one in data["deliveries"]] == [
        "Would have created member p1@example.com",
        "Would have created member p2@example.com",
    ]
    assert data["skipped"] == [DEAL]
    assert not Delivery.objects.exists()


def test_a_browser_gets_json_for_a_list(send: Callable[..., Any]) -> None:
    assert send(TWO_AND_A_DEAL, Accept="text/html")["Content-Type"] == "application/json; charset=utf-8"
    assert send({"person": 1}, Accept="text/html")["Content-Type"] == "text/html; charset=utf-8"


def test_one_that_is_rejected_rejects_the_request(send: Callable[..., Any]) -> None:
    response = send({"events": [{"person": 1}, {}]})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "no_contact")
    assert not Delivery.objects.exists()


def test_signed_events_reject_and_skip_one_by_one(client: Client, hook: Hook) -> None:
    now = system_runtime().now()
    contacts = [{"action": "add", "contact": {"person": n}} for n in (1, 2)]
    contacts[1:1] = [{"action": "add", "contact": {}}, {"action": "add", "contact": {"deal": 9}}]
    body = json.dumps({"type": "contacts", "contacts": contacts}).encode()
    headers = signing.headers(keys.new_signing_key(hook, now), body, now.timestamp())
    response = client.post("/hooks/many/events", body, content_type=signed_events.JSON_TYPE, headers=headers)
    data = response.json()
    assert (response.status_code, data["accepted"], len(data["deliveries"])) == (202, 2, 2)
    assert data["refused"] == [{"index": 1, "error": {"code": "no_contact", "message": "There is no person in it."}}]
