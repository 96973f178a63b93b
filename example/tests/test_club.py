"""Memberhook inside an existing project: its user model, its signals, its views. Run from tests/example/."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.core import mail
from django.test import Client
from memberhook.engine.runtime import system_runtime
from memberhook.members_area.access import has_role, has_tag
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery
from memberhook.models.members import MemberField
from memberhook.services import keys
from memberhook.worker import Worker

from accounts.models import Person, Profile
from courses.models import Course

GOLD = {"id": 10, "title": "Gold member", "slug": "gold"}
CONTACT = {
    "id": 1248,
    "email": "Zoe@Example.com",
    "first_name": "Zoë",
    "last_name": "Faktor",
    "phone": "+351 555 0199",
    "city": "Porto",
    "date_of_birth": "1990-04-01",
    "tags": [],
    "updated_at": "2026-11-23 11:10:49",
}


@pytest.fixture
def hook(db: None) -> Hook:
    """Trusts what the webhook says: no CRM is asked."""
    same = {name: name for name in ("first_name", "last_name", "phone", "city")}
    mapped = same | {"user_email": "email", "birthday": "date_of_birth"}
    hook = Hook.objects.create(
        name="shop",
        connection=Connection.objects.create(name="shop", kind="fluentcrm", url="https://shop.example"),
        site=Site.objects.get(name="local"),
        trust_payload=True,
        welcome=True,
    )
    for site_field, crm_field in mapped.items():
        hook.mapped_fields.create(site_field=site_field, crm_field=crm_field)
    return hook


@pytest.fixture
def send(client: Client, hook: Hook) -> Any:
    """Sends a webhook and lets a worker do its work; the outcome."""
    key = keys.new_key(hook, system_runtime().now())

    def send(action: str = "add", **changed: Any) -> dict[str, Any]:
        response = client.post(
            f"/hooks/shop?wpf_action={action}&async=true",
            json.dumps(CONTACT | changed),
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )
        assert response.status_code == 202, response.content
        Worker("test", system_runtime()).work(hook.pk)
        outcome: dict[str, Any] = client.get(response.json()["location"].removeprefix("http://127.0.0.1:8000")).json()
        return outcome

    return send


def test_a_webhook_makes_a_person(send: Any) -> None:
    outcome = send()
    person = Person.objects.get()
    assert outcome["status"] == "applied"
    assert outcome["warnings"] == []
    assert outcome["member"] == {
        "id": str(person.pk),
        "login": "Zoe@Example.com",
        "email": "Zoe@Example.com",
        "created": True,
    }
    assert (person.email, person.first_name, person.phone) == ("Zoe@Example.com", "Zoë", "+351 555 0199")
    assert person.birthday == date(1990, 4, 1)
    assert MemberField.objects.get(member=person, key="city").value == "Porto"
    assert not MemberField.objects.filter(key__in=["phone", "birthday"]).exists()
    assert has_role(person, "subscriber")


def test_the_clubs_own_signal_made_the_profile(send: Any) -> None:
    send()
    assert Profile.objects.get().greeting == "Welcome, Zoë!"
    send("update", phone="+351 555 0200")
    assert Profile.objects.count() == 1


def test_the_same_again_changes_nothing(send: Any) -> None:
    send(tags=[GOLD])
    assert send(tags=[GOLD])["status"] == "unchanged"
    assert send("update", tags=[GOLD])["status"] == "unchanged"
    assert Person.objects.count() == 1


def test_what_a_column_does_not_take_is_a_warning(send: Any) -> None:
    send()
    outcome = send("update", date_of_birth="in spring", phone="1", updated_at="2026-11-24 00:00:00")
    assert (outcome["status"], outcome["changes"]) == ("applied", ["phone"])
    assert outcome["warnings"] == [
        "The site's field birthday does not accept the contact's value, so it stays unchanged."
    ]
    assert Person.objects.get().birthday == date(1990, 4, 1)


def test_text_that_is_too_long_is_cut_once(send: Any) -> None:
    send(phone="1" * 40)
    assert Person.objects.get().phone == "1" * 30
    assert send("update", phone="1" * 40)["status"] == "unchanged"


def test_what_the_clubs_database_refuses_has_failed(send: Any) -> None:
    """A rule of the host's own: here a phone number belongs to one person only. It is not tried again and again."""
    Person.objects.create_user("other@example.com", phone="+351 555 0199")
    outcome = send()
    assert outcome["status"] == "failed"
    assert "a unique value is taken" in outcome["message"]
    assert Person.objects.count() == 1
    assert send(phone="+351 555 0200")["status"] == "applied"


def test_a_person_of_the_club_is_found_by_email_in_any_case(send: Any) -> None:
    old = Person.objects.create_user("zoe@example.com", "x", phone="1")
    outcome = send()
    assert (outcome["status"], outcome["member"]["created"]) == ("applied", False)
    old.refresh_from_db()
    assert (old.email, old.phone) == ("zoe@example.com", "+351 555 0199")


def test_a_changed_email_is_the_new_username(send: Any, client: Client) -> None:
    send()
    outcome = send("update", email="new@example.com", updated_at="2026-11-24 00:00:00")
    assert outcome["member"]["login"] == "new@example.com"
    person = Person.objects.get()
    person.set_password("correct horse battery")
    person.save()
    client.post("/login/", {"username": "NEW@example.com", "password": "correct horse battery"})
    assert get_user(client) == person


def test_an_email_with_an_apostrophe_is_no_problem(send: Any) -> None:
    outcome = send(email="o'brien@example.com")
    assert (outcome["member"]["login"], outcome["warnings"]) == ("o'brien@example.com", [])


def test_superusers_of_the_club_are_protected(send: Any) -> None:
    boss = Person.objects.create_superuser("zoe@example.com", "x")
    outcome = send(email="zoe@example.com", tags=[GOLD])
    assert outcome["status"] == "applied"
    send("update", email="taken-over@example.com", updated_at="2026-11-24 00:00:00")
    boss.refresh_from_db()
    assert (boss.email, boss.is_superuser, boss.check_password("x")) == ("zoe@example.com", True, True)


def test_the_guarded_page_opens_with_the_tag(send: Any, client: Client) -> None:
    assert client.get("/gold/")["Location"] == "/login/?next=/gold/"
    send()
    client.force_login(Person.objects.get())
    refused = client.get("/gold/")
    assert refused.status_code == 403
    assert b"<strong>gold</strong>" in refused.content
    assert "room" not in client.get("/").content.decode()
    send("update_tags", tags=[GOLD])
    assert client.get("/gold/").status_code == 200
    assert "room" in client.get("/").content.decode()
    send("update_tags", tags=[])
    assert client.get("/gold/").status_code == 403


def test_the_receiver_enrols_and_takes_out(send: Any) -> None:
    course = Course.objects.create(title="Goldsmithing", tag="gold")
    Course.objects.create(title="Something else", tag="silver")
    send(tags=[GOLD])
    person = Person.objects.get()
    assert list(person.courses.all()) == [course]
    assert has_tag(person, "Gold member")
    send("update_tags", tags=[])
    assert not person.courses.exists()


def test_the_welcome_mail_leads_to_the_account(send: Any, client: Client) -> None:
    send()
    [message] = mail.outbox
    assert message.to == ["Zoe@Example.com"]
    link = re.findall(r"http://127\.0\.0\.1:8000(/password/set/\S+)", str(message.body))[0]
    form = client.get(link)["Location"]
    response = client.post(form, {"new_password1": "a new pass phrase", "new_password2": "a new pass phrase"})
    assert response["Location"] == "/account/"
    page = client.get("/account/").content.decode()
    assert "<h1>Zoë Faktor</h1>" in page
    assert "<dt>Phone</dt><dd>+351 555 0199</dd>" in page
    assert "<dt>City</dt><dd>Porto</dd>" in page


def test_the_login_page_asks_for_the_email(client: Client, db: None) -> None:
    assert ">E-mail:</label>" in client.get("/login/").content.decode()


@pytest.mark.parametrize(
    "page", ["", "memberhook/hook/", "memberhook/delivery/", "memberhook/connection/", "auth/group/"]
)
def test_the_console_is_in_the_clubs_admin(client: Client, hook: Hook, page: str) -> None:
    client.force_login(Person.objects.create_superuser("boss@example.com", "x"))
    assert client.get(f"/admin/{page}").status_code == 200


def test_the_clubs_page_of_a_person_has_the_tags_and_fields(send: Any, client: Client) -> None:
    send(tags=[GOLD])
    client.force_login(Person.objects.create_superuser("boss@example.com", "x"))
    page = client.get(f"/admin/accounts/person/{Person.objects.get(phone='+351 555 0199').pk}/change/").content.decode()
    assert "Gold member" in page
    assert "Porto" in page


def test_a_wrong_key_is_refused(client: Client, hook: Hook) -> None:
    response = client.post("/hooks/shop?wpf_action=add&access_key=wrong", CONTACT)
    assert response.status_code == 403
    assert not Delivery.objects.exists()
