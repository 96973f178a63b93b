"""The plain Django views keep the contract of the hook addresses."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection
from django.test import Client

from memberhook.core.errors import PermanentError
from memberhook.engine import inbox, wakeup
from memberhook.engine.runtime import system_runtime
from memberhook.intake import endpoint, views
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery
from memberhook.services import keys
from memberhook.worker import Worker
from tests.intake import project_urls

pytestmark = pytest.mark.django_db(transaction=True)  # a worker drops connections that are inside a transaction

CONTACT = {"id": 7, "email": "ada@example.com", "first_name": "Ada", "updated_at": "2026-11-23 12:00:00"}


@pytest.fixture(autouse=True)
def project(settings: Any) -> None:
    settings.ROOT_URLCONF = project_urls.__name__
    settings.MEMBERHOOK_PUBLIC_URL = "https://club.example"
    settings.MEMBERHOOK_WAIT = 0.0


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The hooks whose workers were notified."""
    ids: list[int] = []
    monkeypatch.setattr(wakeup, "notify_workers", ids.extend)
    return ids


@pytest.fixture
def shop(make_hook: Callable[..., Hook], notified: list[int]) -> Hook:
    return make_hook(name="shop", trust_payload=True)


@pytest.fixture
def key(shop: Hook) -> str:
    return keys.new_key(shop, system_runtime().now())


@pytest.fixture
def send(client: Client, key: str) -> Callable[..., Any]:
    """A webhook as FluentCRM sends it, with this query and these headers over it."""

    def send(query: str = "wpf_action=add", *, path: str = "/hooks/shop", data: Any = None, **headers: str) -> Any:
        more = {name.replace("_", "-"): text for name, text in headers.items()}
        sent = {"X-Access-Key": key, "Accept": "*/*", **more}
        body = json.dumps(CONTACT if data is None else data)
        return client.post(f"{path}?{query}", body, content_type="application/json; charset=utf-8", headers=sent)

    return send


@pytest.fixture
def worker_works(monkeypatch: pytest.MonkeyPatch, settings: Any, shop: Hook) -> None:
    """Whenever the view waits, a worker works."""
    settings.MEMBERHOOK_WAIT = 3.0
    worker = Worker("test", system_runtime())
    clock = SimpleNamespace(monotonic=iter(range(100)).__next__, sleep=lambda seconds: worker.work(shop.pk))
    monkeypatch.setattr(views, "time", clock)


def test_the_outcome_is_waited_for(send: Callable[..., Any], worker_works: None) -> None:
    response = send()
    assert (response.status_code, response["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert response["Cache-Control"] == "no-store"
    answer = response.json()
    member = get_user_model().objects.get(email="ada@example.com")
    assert answer["status"] == "applied"
    assert answer["action"] == "add"
    email = "ada@example.com"
    assert answer["member"] == {"id": str(member.pk), "login": email, "email": email, "created": True}
    assert set(answer) == {"delivery", "action", "status", "message", "member", "changes", "warnings"}


def test_it_is_stored_and_workers_are_notified(send: Callable[..., Any], shop: Hook, notified: list[int]) -> None:
    response = send("wpf_action=update&role=customer&async=true")
    answer = response.json()
    assert (response.status_code, answer["status"]) == (202, "pending")
    assert response["Location"] == answer["location"]
    assert answer["location"].startswith(f"https://club.example/deliveries/{answer['delivery']}?token=")
    delivery = Delivery.objects.get(pk=answer["delivery"])
    assert (delivery.hook, delivery.action, delivery.role, delivery.contact_id) == (shop, "update", "customer", "7")
    assert json.loads(bytes(delivery.body)) == CONTACT
    assert notified == [shop.pk]


def test_after_the_wait_it_is_pending(send: Callable[..., Any]) -> None:
    response = send()
    assert (response.status_code, response.json()["status"]) == (202, "pending")


def test_the_location_tells_the_outcome_to_whoever_has_it(send: Callable[..., Any], client: Client, shop: Hook) -> None:
    address = send("wpf_action=add&async=true").json()["location"].removeprefix("https://club.example")
    assert client.get(address).status_code == 202
    Worker("test", system_runtime()).work(shop.pk)
    finished = client.get(address)
    assert (finished.status_code, finished.json()["status"]) == (200, "applied")
    assert client.get(address[:-1]).status_code == 404
    assert client.get(address.partition("?")[0]).json()["error"]["code"] == "not_found"
    refused = client.post(address)
    assert (refused.status_code, refused["Allow"]) == (405, "GET")


def test_a_dry_run_and_a_test_store_nothing(send: Callable[..., Any], notified: list[int]) -> None:
    dry = send("wpf_action=add&dry_run=true")
    assert (dry.status_code, dry.json()["dry_run"]) == (200, True)
    assert "create a member with the username ada@example.com" in dry.json()["plan"]
    assert send("wpf_action=test").json()["status"] == "ok"
    assert not Delivery.objects.exists()
    assert not get_user_model().objects.exists()
    assert notified == []


def test_a_dry_run_tells_what_went_wrong(send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise PermanentError("The contact is gone.", code="contact_gone")

    monkeypatch.setattr(endpoint.pipeline, "preview", gone)
    answer = send("wpf_action=add&dry_run=true").json()
    assert (answer["status"], answer["message"]) == ("failed", "The contact is gone.")


@pytest.mark.parametrize("where", ["query", "bearer", "none", "wrong", "other hook"])
def test_keys(client: Client, key: str, send: Callable[..., Any], where: str) -> None:
    query, headers, path = "wpf_action=test", {"X_Access_Key": ""}, "/hooks/shop"
    if where == "query":
        query += f"&access_key={key}"
    elif where == "bearer":
        headers["Authorization"] = f"Bearer {key}"
    elif where == "wrong":
        headers["X_Access_Key"] = key[:-1]
    elif where == "other hook":
        headers["X_Access_Key"], path = key, "/hooks/other"
    response = send(query, path=path, **headers)
    if where in ("query", "bearer"):
        assert response.status_code == 200
    else:
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "invalid_access_key"


def test_an_address_without_a_name_is_the_keys_hook(key: str, rf: Any) -> None:
    request = rf.get(f"/anywhere?wpf_action=test&access_key={key}")
    assert views.hook(request).status_code == 200


def test_the_slash_at_the_end_does_not_matter(send: Callable[..., Any]) -> None:
    assert send("wpf_action=test", path="/hooks/shop/").status_code == 200


def test_get_with_the_contact_in_the_address(client: Client, key: str) -> None:
    injected = "id=7&hash=ab&first_name=Eve&role=administrator&email=eve@example.com"
    response = client.get(f"/hooks/shop?wpf_action=add&access_key={key}&{injected}")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "doubled_control_parameter")
    plain = client.get(f"/hooks/shop?wpf_action=add&access_key={key}&id=7&hash=ab&email=ada+x@example.com")
    assert plain.status_code == 202
    assert Delivery.objects.get().query == "id=7&hash=ab&email=ada+x@example.com"


def test_form_bodies_come_through_as_they_were(client: Client, key: str) -> None:
    body = "id=7&email=ada%40example.com&custom_field%5Bx%5D%5B0%5D=a"
    kind = "application/x-www-form-urlencoded"
    response = client.post(f"/hooks/shop?wpf_action=add&access_key={key}", body, content_type=kind)
    assert response.status_code == 202
    delivery = Delivery.objects.get()
    assert (bytes(delivery.body), delivery.content_type) == (body.encode(), kind)


@pytest.mark.parametrize("method", ["put", "delete", "patch", "head", "options"])
def test_other_methods(client: Client, db: None, method: str) -> None:
    response = getattr(client, method)("/hooks/shop?wpf_action=add")
    assert (response.status_code, response["Allow"]) == (405, "GET, POST")


def test_a_body_over_the_limit(send: Callable[..., Any], settings: Any) -> None:
    settings.MEMBERHOOK_MAX_BODY = 200
    response = send(data=CONTACT | {"note": "x" * 200})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")
    assert not Delivery.objects.exists()


def test_djangos_own_limit_is_not_ours(send: Callable[..., Any], settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert send("wpf_action=add&async=1").status_code == 202


class Broken(BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise OSError("the client is gone")


@pytest.mark.parametrize("stream", [BytesIO(b"{}"), Broken()])
def test_a_body_that_ends_early_is_refused(client: Client, key: str, stream: BytesIO) -> None:
    environ = {"PATH_INFO": "/hooks/shop", "QUERY_STRING": f"wpf_action=add&access_key={key}", "CONTENT_LENGTH": "50"}
    response = client.request(**environ, REQUEST_METHOD="POST", **{"wsgi.input": stream})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "unreadable_body")
    assert not Delivery.objects.exists()


def test_a_compressed_body_is_refused(send: Callable[..., Any]) -> None:
    response = send(Content_Encoding="gzip")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "wrong_encoding")


def test_a_browser_gets_a_page(send: Callable[..., Any]) -> None:
    response = send("wpf_action=add&dry_run=1", Accept="text/html,*/*;q=0.8")
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert response["Referrer-Policy"] == "no-referrer"
    assert b"dry run" in response.content


def test_without_storage_nothing_is_accepted(send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(deliveries: object) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(inbox, "append", full)
    response = send()
    assert (response.status_code, response["Retry-After"]) == (503, "10")


def test_a_poll_that_fails_is_followed_by_another(
    send: Callable[..., Any], worker_works: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll, polls = inbox.finished, []

    def sometimes(ids: list[int]) -> list[Delivery]:
        polls.append(ids)
        if len(polls) == 1:
            raise DatabaseError("busy")
        return poll(ids)

    monkeypatch.setattr(inbox, "finished", sometimes)
    assert send().json()["status"] == "applied"
    assert len(polls) == 2


def test_neither_a_csrf_token_nor_a_session_is_required(key: str, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    strict = Client(enforce_csrf_checks=True)
    response = strict.post(f"/hooks/shop?wpf_action=test&access_key={key}")
    assert response.status_code == 200
    assert strict.get("/deliveries/1").status_code == 404
    assert strict.get("/login/").status_code == 200


def test_what_is_answered_is_committed_with_atomic_requests(
    send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    in_transaction = []
    monkeypatch.setattr(wakeup, "notify_workers", lambda ids: in_transaction.append(connection.in_atomic_block))
    assert send("wpf_action=add&async=true").status_code == 202
    assert in_transaction == [False]
