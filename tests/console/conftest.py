"""The owner at the console, and an installation in which everything has happened once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from memberhook import encryption
from memberhook.encryption import digest
from memberhook.models.connections import Connection, Hook, Link, Site
from memberhook.models.deliveries import Attempt, Delivery, Worker
from memberhook.models.followups import FollowUp, Kind
from memberhook.models.members import MemberField, MemberTag
from memberhook.models.tags import Tag
from memberhook.services import keys
from memberhook.sites.local.setup import add_role
from tests.conftest import FakeCrm
from tests.fake_wordpress import FakeWordPress, club, wordpress

__all__ = ["club", "wordpress"]

FIELDS = [
    {"name": name, "title": title, "type": kind, "options": []}
    for name, title, kind in (
        ("first_name", "First name", "text"),
        ("last_name", "Last name", "text"),
        ("email", "E-mail", "text"),
        ("birth", "Date of birth", "date"),
        ("wp_password", "WP password", "text"),
        ("start_code", "Start code", "text"),
    )
]


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create(username="owner", email="owner@example.com", is_staff=True, is_superuser=True)


@pytest.fixture
def console(client: Client, owner: User) -> Client:
    client.force_login(owner)
    return client


@pytest.fixture
def shop(hook: Hook) -> Connection:
    """The hook's connection, with a password and a catalog."""
    connection = hook.connection
    connection.password = "the-crm-password"
    connection.fields, connection.catalog_at = FIELDS, timezone.now()
    connection.save()
    return connection


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> FakeCrm:
    """What the console's tests of a connection meet."""
    fake = FakeCrm()
    monkeypatch.setattr("memberhook.services.connect.crm_client", lambda connection, http: fake)
    return fake


@pytest.fixture
def notified(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The hooks that workers were notified of."""
    heard: list[int] = []
    monkeypatch.setattr("memberhook.engine.wakeup.notify_workers", heard.extend)
    return heard


@pytest.fixture
def deliver(hook: Hook) -> Callable[..., Delivery]:
    numbers = iter(range(1, 1000))

    def make(state: str = "applied", **columns: Any) -> Delivery:
        number, now = next(numbers), timezone.now()
        values = {
            "hook": hook,
            "action": "add",
            "method": "POST",
            "content_type": "application/json",
            "body": json.dumps({"id": number}).encode(),
            "contact_id": str(number),
            "ordering_key": f"contact {number}",
            "state": state,
            "attempts": 0 if state == "pending" else 1,
            "message": f"It is {state}.",
            "finished_at": None if state in ("pending", "working", "retrying") else now,
        }
        return Delivery.objects.create(**(values | columns))

    return make


@dataclass(frozen=True)
class World:
    """One of everything. `hidden`: texts that no page may hold."""

    hook: Hook
    delivery: Delivery
    member: User
    followup: FollowUp
    site: Site
    hidden: tuple[str, ...]


TRAIL = {
    "contact": {
        "id": "12",
        "email": "ada@example.com",
        "fields": {"first_name": "Ada", "wp_password": "kept-in-the-crm", "start_code": "mapped-to-password"},
        "tags": ["Course"],
        "version": "2026-11-20 10:00:00",
    },
    "plan": ["create a member with the username ada", "set first_name to Ada", "set temp_password to shown-by-mistake"],
}


def make_ada(hook: Hook, shop: Connection) -> User:
    member = User.objects.create(username="ada", email="ada@example.com", password="!unusable")
    member.groups.add(add_role("customer", "Customer").group)
    tag = Tag.objects.create(connection=shop, crm_id="7", slug="course", title="Course")
    MemberTag.objects.create(member=member, tag=tag)
    MemberField.objects.create(member=member, key="temp_password", value="hidden-in-a-field")
    MemberField.objects.create(member=member, key="interests", value=["Engines", "Poetry"])
    Link.objects.create(connection=shop, site=hook.site, contact_id="12", member_id=str(member.pk))
    return member


@pytest.fixture
def world(
    hook: Hook, shop: Connection, club: Site, wordpress: FakeWordPress, deliver: Callable[..., Delivery]
) -> World:
    hook.mapped_fields.create(site_field="user_pass", crm_field="start_code")
    hook.return_password_field = "wp_password"
    hook.save()
    key = keys.new_key(hook, timezone.now(), networks=["203.0.113.0/24"])
    member = make_ada(hook, shop)
    body = {"id": 12, "custom_field": {"wp_password": "sent-along", "start_code": "start-sent", "city": "London"}}
    outcome = {
        "member": {"id": str(member.pk), "login": "ada", "email": "ada@example.com", "created": True},
        "changes": ["first_name", "tags"],
        "warnings": ["The site has no role platinum."],
        "trail": TRAIL,
    }
    delivery = deliver(
        "applied", contact_id="12", email="ada@example.com", outcome=outcome, body=json.dumps(body).encode()
    )
    now = timezone.now()
    Attempt.objects.create(
        delivery=delivery, number=1, worker="worker@here:1", started_at=now, finished_at=now, result="applied"
    )
    secret = encryption.encrypt("generated-one")
    followup = FollowUp.objects.create(
        delivery=delivery,
        kind=Kind.RETURN_PASSWORD,
        member_id=str(member.pk),
        contact_id="12",
        email="ada@example.com",
        secret=secret,
        message="The CRM does not answer.",
        attempts=2,
    )
    Worker.objects.create(name="worker@here:1", seen_at=now)
    Worker.objects.create(name="worker@gone:2", seen_at=now - timedelta(days=2))
    plain = (
        "abcd efgh",
        "the-crm-password",
        "kept-in-the-crm",
        "mapped-to-password",
        "shown-by-mistake",
        "hidden-in-a-field",
    )
    stored = (shop.secret, club.secret, digest(key), key, secret, "generated-one", "sent-along", "start-sent")
    return World(hook, delivery, member, followup, club, plain + stored)
