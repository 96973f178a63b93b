"""Signed requests to the running service, with keys that the command line made."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from memberhook.testing.fluentcrm import Running
from tests.intake import signing
from tests.server.conftest import Answer, Service


@pytest.fixture
def made(service: Service) -> dict[str, str]:
    """What `key add --signing` prints."""
    found: dict[str, str] = service.json("key", "add", "shop", "--signing", "--action", "add", "--action", "update")
    return found


def send(service: Service, key: str, data: Any, path: str = "/hooks/shop/events", **headers: str) -> Answer:
    body = json.dumps(data).encode()
    return service.post(path, body, **signing.headers(key, body, time.time()), **headers)


def test_the_key_is_shown_once_with_its_address(service: Service, made: dict[str, str]) -> None:
    assert set(made) == {"hook", "signing_key", "url"}
    assert made["url"].endswith("/hooks/shop/events")
    [summaries] = [key for key in service.json("key", "list", "shop") if key["key"] == f"…{made['signing_key'][-4:]}"]
    assert (summaries["signs"], summaries["actions"]) == (True, ["add", "update"])
    assert made["signing_key"] not in service.cli("key", "list", "shop")
    said = service.cli("key", "add", "shop", "--signing")
    assert "Signing key (shown this once): whsec_" in said
    assert "access_key" not in said
    assert service.cli("key", "revoke", "shop", said.strip()[-4:])


def test_contacts_become_members(service: Service, crm: Running, made: dict[str, str]) -> None:
    people = [crm.crm.add_contact(f"signed{n}@example.com", f"Signed{n}", tags=("Course",)) for n in range(3)]
    changed = [{"action": "add", "contact": {"id": person}} for person in people]
    started = time.perf_counter()
    answer = send(service, made["signing_key"], {"type": "contacts", "contacts": [*changed, {"action": "add"}]})
    assert time.perf_counter() - started < 2, "no outcome is waited for"
    assert (answer.status, answer.data["accepted"], len(answer.data["deliveries"])) == (202, 3, 3)
    assert [refused["index"] for refused in answer.data["refused"]] == [3]
    done = {d["id"]: d for d in service.settle(answer.data["deliveries"][-1])}
    assert [done[pk]["status"] for pk in answer.data["deliveries"]] == ["applied"] * 3
    assert [m["tags"] for m in service.json("members", "signed1@example.com")] == [["course"]]


def test_a_test_and_what_is_refused(service: Service, made: dict[str, str]) -> None:
    key, test = made["signing_key"], {"type": "test"}
    assert send(service, key, test, "/hooks/shop/events/").data["status"] == "ok"
    page = send(service, key, test, Accept="text/html")
    assert page.headers["Content-Type"].startswith("application/json")
    for answer in (
        send(service, key, test, "/hooks/other/events"),
        send(service, key[:-4] + "AAAA", test),
        service.post("/hooks/shop/events", test, X_Access_Key=service.key),
    ):
        assert (answer.status, answer.data["error"]["code"]) == (401, "invalid_signature")
    assert service.get("/hooks/shop/events").status == 405
    assert service.get(f"/hooks/shop/elsewhere?wpf_action=test&access_key={service.key}").status == 403
    large = send(service, key, {"type": "contacts", "contacts": ["x" * 1024] * 1025})
    assert large.status == 413


def test_rotation(service: Service, made: dict[str, str]) -> None:
    service.key = service.json("key", "rotate", "shop")["access_key"]
    assert send(service, made["signing_key"], {"type": "test"}).status == 200
    new = service.json("key", "rotate", "shop", "--signing", "--keep-old", "1h")
    for key in (made["signing_key"], new["signing_key"]):
        assert send(service, key, {"type": "test"}).status == 200
    [summaries] = [key for key in service.json("key", "list", "shop") if key["key"][-4:] == new["signing_key"][-4:]]
    assert summaries["actions"] == ["add", "update"]
    newest = service.json("key", "rotate", "shop", "--signing")
    assert send(service, new["signing_key"], {"type": "test"}).status == 401
    assert send(service, newest["signing_key"], {"type": "test"}).status == 200
    assert service.get(f"/?wpf_action=test&access_key={service.key}").status == 200
