from __future__ import annotations

from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import TransientError
from memberhook.core.types import FieldType, Tag
from memberhook.crms.contract import Catalog, CrmField
from memberhook.models.connections import Connection
from memberhook.models.tags import Tag as TagRow
from tests.conftest import FakeCrm

ADD = "/console/memberhook/connection/add/"

CATALOG = Catalog(tags=(Tag("7", "course", "Course"),), fields=(CrmField("phone", "Phone", FieldType.TEXT),))


def change(connection: Connection) -> str:
    return f"/console/memberhook/connection/{connection.pk}/change/"


def form(**values: Any) -> dict[str, Any]:
    usual = {"name": "club", "kind": "fluentcrm", "url": "https://club.example", "username": "hook", "password": ""}
    return usual | values


def messages_of(answer: Any) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return dict(answer.context["adminform"].form.errors)


def test_a_new_connection_is_stored_and_tested(
    console: Client, crm: FakeCrm, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr(crm, "check", lambda: [CheckResult("log in", True, "The credentials are right.")])
    monkeypatch.setattr(crm, "catalog", lambda: CATALOG)
    with django_capture_on_commit_callbacks(execute=True):
        answer = console.post(ADD, form(password=" as it is "))
    connection = Connection.objects.get()
    assert (connection.url, connection.username, connection.password) == ("https://club.example", "hook", " as it is ")
    assert connection.allow_private is False
    assert [field["name"] for field in connection.fields] == ["phone"]
    assert TagRow.objects.get().title == "Course"
    assert "club, log in: The credentials are right." in messages_of(answer)
    assert "club: Loaded 1 tag and 1 field." in messages_of(answer)


def test_the_password_is_never_rendered_back(console: Client, db: None) -> None:
    answer = console.post(ADD, form(password="typed-just-now", url="nonsense"))
    assert "url" in errors(answer)
    assert "typed-just-now" not in answer.content.decode()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "password"),
        ({"password": "x", "url": "shop.example"}, "url"),
        ({"password": "x", "url": "ftp://shop.example"}, "url"),
        ({"password": "x", "url": "https://user:secret@shop.example"}, "url"),
        ({"password": "x", "name": "not a slug"}, "name"),
        ({"password": "x", "kind": "unknown"}, "kind"),
    ],
)
def test_mistakes_are_reported(console: Client, db: None, values: dict[str, Any], field: str) -> None:
    assert field in errors(console.post(ADD, form(**values)))
    assert not Connection.objects.exists()


def test_a_host_without_a_dot_is_an_address(console: Client, crm: FakeCrm) -> None:
    assert console.post(ADD, form(password="x", url="http://wordpress:8080")).status_code == 302


def test_an_empty_password_keeps_the_stored_one(console: Client, shop: Connection, crm: FakeCrm) -> None:
    values = form(name="shop", url=shop.url, username=shop.username, allow_private="on")
    assert console.post(change(shop), values).status_code == 302
    shop.refresh_from_db()
    assert shop.password == "the-crm-password"
    assert shop.allow_private


@pytest.mark.parametrize("moved", [{"url": "https://evil.example"}, {"username": "somebody"}])
def test_the_stored_password_does_not_move_along(console: Client, shop: Connection, moved: dict[str, str]) -> None:
    values = form(name="shop", url=shop.url, username=shop.username) | moved
    assert "again" in errors(console.post(change(shop), values))["password"][0]
    shop.refresh_from_db()
    assert shop.url == "https://shop.example"


def test_a_new_password_replaces_the_old_one(console: Client, shop: Connection, crm: FakeCrm) -> None:
    console.post(change(shop), form(name="shop", password="new-one"))
    shop.refresh_from_db()
    assert (shop.url, shop.password) == ("https://club.example", "new-one")


def test_every_result_is_reported(
    console: Client, shop: Connection, crm: FakeCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = [
        CheckResult("reach", True, "It answers."),
        CheckResult("rights", False, "The user may not read contacts."),
    ]
    monkeypatch.setattr(crm, "check", lambda: results)
    answer = console.post(f"/console/memberhook/connection/{shop.pk}/test/")
    assert answer.headers["Location"] == change(shop)
    assert messages_of(answer) == ["shop, reach: It answers.", "shop, rights: The user may not read contacts."]
    assert len(Connection.objects.get().fields) == len(shop.fields)


def test_reloading_from_the_list(
    console: Client, shop: Connection, crm: FakeCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm, "catalog", lambda: CATALOG)
    chosen = {"action": "test_chosen", "_selected_action": shop.pk}
    assert messages_of(console.post("/console/memberhook/connection/", chosen)) == ["shop: Loaded 1 tag and 1 field."]
    assert Connection.objects.get().fields[0]["name"] == "phone"


def test_a_crm_that_is_down_is_reported(
    console: Client, shop: Connection, crm: FakeCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> Catalog:
        raise TransientError("shop.example does not answer.", code="timeout")

    monkeypatch.setattr(crm, "catalog", down)
    answer = console.post(f"/console/memberhook/connection/{shop.pk}/test/")
    assert messages_of(answer) == ["shop: shop.example does not answer."]


def test_a_changed_secret_key_is_reported(console: Client, shop: Connection, settings: Any) -> None:
    Connection.objects.update(secret="no token of ours")
    answer = console.post(f"/console/memberhook/connection/{shop.pk}/test/")
    assert "the secret key has changed" in messages_of(answer)[0]


def test_testing_is_no_get(console: Client, shop: Connection) -> None:
    assert console.get(f"/console/memberhook/connection/{shop.pk}/test/").status_code == 405
    assert console.post("/console/memberhook/connection/999/test/").status_code == 404
