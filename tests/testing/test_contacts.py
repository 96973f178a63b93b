"""One contact read and changed, and many at once, as measured on FluentCRM 2.9.84 (free edition, WordPress 6.1.9)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from memberhook.testing.fluentcrm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.rest import FluentCrmApp, Request

from .helpers import API, Clock, basic, call

SUBSCRIBERS = f"{API}/subscribers"
BULK = f"{SUBSCRIBERS}/bulk-add-update"


def stored(crm: SimulatedFluentCRM, contact_id: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = crm.contact(contact_id)["custom_values"]
    return found


class TestOneContact:
    def test_by_email_in_any_case(self, people: SimulatedFluentCRM) -> None:
        reply = call(people, "GET", f"{SUBSCRIBERS}/0", "get_by_email=PERSON3%40example.com")
        assert reply.body["subscriber"]["id"] == 3

    def test_an_erased_birthday_reads_empty(self, people: SimulatedFluentCRM) -> None:
        put = call(people, "PUT", f"{SUBSCRIBERS}/1", body={"date_of_birth": ""})
        assert put.body["contact"]["date_of_birth"] == "0000-00-00"
        assert call(people, "GET", f"{SUBSCRIBERS}/1").body["subscriber"]["date_of_birth"] == ""

    def test_only_a_main_field_moves_updated_at(self, people: SimulatedFluentCRM, clock: Clock) -> None:
        clock.at("12:00:00")
        put = call(people, "PUT", f"{SUBSCRIBERS}/1", body={"custom_values": {"wp_password": "x"}})
        assert (put.body["isDirty"], put.body["contact"]["updated_at"]) == (False, "2026-11-23 10:00:57")
        put = call(people, "PUT", f"{SUBSCRIBERS}/1", body={"first_name": "New"})
        assert (put.body["isDirty"], put.body["contact"]["updated_at"]) == (True, "2026-11-23 12:00:00")

    def test_a_form_and_its_brackets(self, people: SimulatedFluentCRM) -> None:
        headers = {"authorization": basic(), "content-type": "application/x-www-form-urlencoded"}
        body = urlencode({"custom_values[wp_password]": "by form", "attach_tags[]": "2"}).encode()
        reply = FluentCrmApp(people).reply(Request("PUT", f"{SUBSCRIBERS}/1", "", headers, body))
        assert reply.status == 200
        assert stored(people)["wp_password"] == "by form"
        assert [tag["slug"] for tag in people.contact(1)["tags"]] == ["customer", "newsletter"]

    def test_an_empty_value_is_deleted(self, people: SimulatedFluentCRM) -> None:
        call(people, "PUT", f"{SUBSCRIBERS}/1", body={"subscriber": {"custom_values": {"username": ""}}})
        assert stored(people) == {}

    def test_custom_values_that_are_a_text_are_a_crash(self, people: SimulatedFluentCRM) -> None:
        reply = call(people, "PUT", f"{SUBSCRIBERS}/1", body={"custom_values": "str"})
        assert (reply.status, reply.body["data"]) == (500, {"status": 500})

    def test_tags_are_attached_and_detached_by_any_name(self, people: SimulatedFluentCRM) -> None:
        body = {"attach_tags": ["Newsletter", "brand new", "xy"], "detach_tags": ["customer", "unknown"]}
        reply = call(people, "PUT", f"{SUBSCRIBERS}/1", body=body)
        assert [tag["slug"] for tag in reply.body["contact"]["tags"]] == ["brand-new", "newsletter"]

    def test_texts_are_cleaned(self, people: SimulatedFluentCRM) -> None:
        given = '  a<b c>d %20 \n O\'Brien "The" & co \\ 🎉 '
        call(people, "PUT", f"{SUBSCRIBERS}/1", body={"first_name": given, "custom_values": {"username": given}})
        contact = people.contact(1)
        assert contact["first_name"] == 'ad O\'Brien "The" & co \\ 🎉'
        assert contact["custom_values"]["username"] == given

    def test_an_unknown_status_is_dropped(self, people: SimulatedFluentCRM) -> None:
        reply = call(people, "PUT", f"{SUBSCRIBERS}/1", body={"status": "nonsense"})
        assert (reply.status, reply.body["isDirty"]) == (200, False)
        assert people.contact(1)["status"] == "subscribed"

    def test_a_deleted_contact_is_gone(self, people: SimulatedFluentCRM) -> None:
        assert call(people, "DELETE", f"{SUBSCRIBERS}/1").status == 200
        assert call(people, "DELETE", f"{SUBSCRIBERS}/1").status == 404
        assert call(people, "GET", f"{SUBSCRIBERS}/1").status == 422
        people.delete_contact(2)
        assert people.find("person2@example.com") is None
        assert people.add_contact("person1@example.com") == 6

    @pytest.mark.parametrize(
        ("first", "second", "kept"),
        [
            ("123", "0123", "123"),
            ("1e3", "1000", "1e3"),
            ("0e12345", "0e99999", "0e12345"),
            ("1", "1.0", "1"),
            ("007", "7", "007"),
            ("abc", " abc", " abc"),
            ("a", "A", "A"),
            ("5", 6, "6"),
        ],
    )
    def test_a_value_that_php_finds_equal_is_not_written(
        self, people: SimulatedFluentCRM, first: str, second: Any, kept: str
    ) -> None:
        for value in (first, second):
            call(people, "PUT", f"{SUBSCRIBERS}/1", body={"custom_values": {"wp_password": value}})
        assert stored(people)["wp_password"] == kept

    def test_values_are_kept_as_texts_and_lists(self, people: SimulatedFluentCRM) -> None:
        values = {"username": 5, "wp_password": True, "interests": ["a", "nonsense"], "renewal": "31.12.2027"}
        call(people, "PUT", f"{SUBSCRIBERS}/5", body={"custom_values": values | {"undefined": "x"}})
        assert stored(people, 5) == values | {"username": "5", "wp_password": "1"}


class TestBulk:
    def bulk(self, crm: SimulatedFluentCRM, *contacts: Any, force: str = "true") -> dict[str, Any]:
        reply = call(crm, "POST", BULK, body={"contacts": list(contacts), "force_update": force})
        assert reply.status == 200
        body: dict[str, Any] = reply.body
        return body

    def test_values_are_written_and_nothing_else(self, people: SimulatedFluentCRM, clock: Clock) -> None:
        people.update_contact(2, status="unsubscribed")
        clock.at("12:00:00")
        one, two = ({"email": f"person{n}@example.com", "custom_values": {"wp_password": f"p{n}"}} for n in (1, 2))
        body = self.bulk(people, one, two)
        assert list(body) == ["message", "created", "updated", "invalids", "__bench"]
        assert body["updated"] == [
            {"id": 1, "email": "person1@example.com", "status": "subscribed"},
            {"id": 2, "email": "person2@example.com", "status": "unsubscribed"},
        ]
        assert [stored(people, n) for n in (1, 2)] == [{"username": f"user{n}", "wp_password": f"p{n}"} for n in (1, 2)]
        assert people.contact(1)["updated_at"] == "2026-11-23 10:00:57"

    def test_new_contacts_stand_in_updated(self, people: SimulatedFluentCRM) -> None:
        body = self.bulk(people, {"email": "new@example.com", "custom_values": {"wp_password": "x"}})
        assert (body["created"], body["updated"][0]["id"]) == ([], 6)
        assert people.contact(6)["status"] == "subscribed"

    def test_bad_addresses_are_blanked_and_the_others_saved(self, people: SimulatedFluentCRM) -> None:
        good = {"email": "person1@example.com", "first_name": "Good"}
        bad = [{"email": "not-an-email", "first_name": "N"}, {"first_name": "None"}, {"email": "bad status@x"}, "x"]
        body = self.bulk(people, *bad, good)
        blanked: list[Any] = [{"email": "", "first_name": "N"}, {"first_name": "None"}, {"email": ""}, "x"]
        assert body["invalids"] == blanked
        assert people.contact(1)["first_name"] == "Good"

    def test_an_id_is_not_looked_at(self, people: SimulatedFluentCRM) -> None:
        assert self.bulk(people, {"id": 3, "email": "person1@example.com", "first_name": "X"})["updated"][0]["id"] == 1
        assert people.contact(3)["first_name"] == "First3"

    def test_nothing_can_be_cleared(self, people: SimulatedFluentCRM) -> None:
        self.bulk(people, {"email": "person1@example.com", "first_name": "", "custom_values": {"username": ""}})
        assert (people.contact(1)["first_name"], stored(people)) == ("First1", {"username": "user1"})
        self.bulk(people, {"email": "person1@example.com", "custom_values": {"username": None}})
        assert stored(people) == {"username": None}

    def test_another_case_rewrites_the_address(self, people: SimulatedFluentCRM, clock: Clock) -> None:
        clock.at("12:00:00")
        self.bulk(people, {"email": "PERSON1@example.com"})
        contact = people.contact(1)
        assert (contact["email"], contact["updated_at"]) == ("PERSON1@example.com", "2026-11-23 12:00:00")

    @pytest.mark.parametrize(
        ("had", "given", "force", "has"),
        [
            ("subscribed", "pending", "true", "pending"),
            ("subscribed", "pending", "", "subscribed"),
            ("unsubscribed", "subscribed", "", "subscribed"),
            ("bounced", "nonsense", "true", "bounced"),
        ],
    )
    def test_status(self, people: SimulatedFluentCRM, had: str, given: str, force: str, has: str) -> None:
        people.update_contact(1, status=had)
        self.bulk(people, {"email": "person1@example.com", "status": given}, force=force)
        assert people.contact(1)["status"] == has

    def test_twice_in_a_call(self, people: SimulatedFluentCRM) -> None:
        twice = [{"email": "person1@example.com", "custom_values": {"wp_password": p}} for p in ("a", "b")]
        assert len(self.bulk(people, *twice)["updated"]) == 2
        assert stored(people)["wp_password"] == "b"

    def test_values_beside_the_columns(self, people: SimulatedFluentCRM) -> None:
        self.bulk(people, {"email": "person1@example.com", "interests": "a, b", "wp_password": "top"})
        assert stored(people) == {"username": "user1", "wp_password": "top", "interests": ["a", "b"]}

    def test_bodies_without_contacts(self, people: SimulatedFluentCRM) -> None:
        bodies: tuple[dict[str, Any], ...] = ({}, {"contacts": "x"}, {"contacts": []})
        for body in bodies:
            reply = call(people, "POST", BULK, body=body)
            assert (reply.status, reply.body["updated"], reply.body["invalids"]) == (200, [], [])
