"""The REST routes beyond the recordings, as measured on FluentCRM 2.9.84 (free edition, WordPress 6.1.9)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from memberhook.testing.fluentcrm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.records import FULL_RIGHTS

from .helpers import API, PASSWORD, Clock, basic, call

SUBSCRIBERS = f"{API}/subscribers"
BULK = f"{SUBSCRIBERS}/bulk-add-update"


def stored(crm: SimulatedFluentCRM, contact_id: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = crm.contact(contact_id)["custom_values"]
    return found


def put(crm: SimulatedFluentCRM, **subscriber: Any) -> dict[str, Any]:
    reply = call(crm, "PUT", f"{SUBSCRIBERS}/1", body={"subscriber": subscriber})
    assert reply.status == 200
    body: dict[str, Any] = reply.body
    return body


class TestOneContact:
    def test_by_email_in_any_case(self, people: SimulatedFluentCRM) -> None:
        reply = call(people, "GET", f"{SUBSCRIBERS}/0", "get_by_email=PERSON3%40example.com")
        assert reply.body["subscriber"]["id"] == 3

    def test_only_a_column_moves_updated_at(self, people: SimulatedFluentCRM, clock: Clock) -> None:
        clock.at("12:00:00")
        answer = put(people, custom_values={"wp_password": "x"})
        assert (answer["isDirty"], answer["contact"]["updated_at"]) == (False, "2026-11-23 10:00:57")
        answer = put(people, first_name="New")
        assert (answer["isDirty"], answer["contact"]["updated_at"]) == (True, "2026-11-23 12:00:00")

    def test_an_empty_value_is_deleted(self, people: SimulatedFluentCRM) -> None:
        put(people, custom_values={"username": ""})
        assert stored(people) == {}

    def test_texts_are_sanitized(self, people: SimulatedFluentCRM) -> None:
        put(people, last_name="  a<b>d</b>   %41O'Brien & co \\ 🎉 ")
        assert people.contact(1)["last_name"] == "ad O'Brien & co \\ 🎉"

    @pytest.mark.parametrize(
        ("first", "second", "kept"),
        [
            ("123", "0123", "123"),
            ("1e3", "1000", "1e3"),
            ("0e12345", "0e99999", "0e12345"),
            ("1", "1.0", "1"),
            ("abc", " abc", " abc"),
            ("a", "A", "A"),
            ("5", 6, "6"),
        ],
    )
    def test_a_value_that_php_considers_equal_is_not_written(
        self, people: SimulatedFluentCRM, first: str, second: Any, kept: str
    ) -> None:
        for value in (first, second):
            put(people, custom_values={"wp_password": value})
        assert stored(people)["wp_password"] == kept

    def test_a_deleted_contact_is_gone(self, people: SimulatedFluentCRM) -> None:
        people.delete_contact(1)
        assert call(people, "GET", f"{SUBSCRIBERS}/1").status == 422
        assert call(people, "PUT", f"{SUBSCRIBERS}/1", body={"subscriber": {}}).status == 404
        assert people.find("person1@example.com") is None


class TestBulk:
    def bulk(self, crm: SimulatedFluentCRM, *contacts: Any) -> dict[str, Any]:
        reply = call(crm, "POST", BULK, body={"contacts": list(contacts), "force_update": "true"})
        assert reply.status == 200
        body: dict[str, Any] = reply.body
        return body

    def test_values_are_written_and_nothing_else(self, people: SimulatedFluentCRM, clock: Clock) -> None:
        clock.at("12:00:00")
        one, two = ({"email": f"person{n}@example.com", "custom_values": {"wp_password": f"p{n}"}} for n in (1, 2))
        assert self.bulk(people, one, two)["updated"] == [
            {"id": 1, "email": "person1@example.com", "status": "subscribed"},
            {"id": 2, "email": "person2@example.com", "status": "subscribed"},
        ]
        assert [stored(people, n) for n in (1, 2)] == [{"username": f"user{n}", "wp_password": f"p{n}"} for n in (1, 2)]
        assert people.contact(1)["updated_at"] == "2026-11-23 10:00:57"

    def test_new_contacts_are_in_updated(self, people: SimulatedFluentCRM) -> None:
        body = self.bulk(people, {"email": "new@example.com", "custom_values": {"wp_password": "x"}})
        assert (body["created"], body["updated"][0]["id"]) == ([], 6)
        assert people.contact(6)["status"] == "subscribed"

    def test_nothing_can_be_cleared(self, people: SimulatedFluentCRM) -> None:
        self.bulk(people, {"email": "person1@example.com", "first_name": "", "custom_values": {"username": ""}})
        assert (people.contact(1)["first_name"], stored(people)) == ("First1", {"username": "user1"})

    def test_another_case_rewrites_the_address(self, people: SimulatedFluentCRM, clock: Clock) -> None:
        clock.at("12:00:00")
        self.bulk(people, {"email": "PERSON1@example.com"})
        contact = people.contact(1)
        assert (contact["email"], contact["updated_at"]) == ("PERSON1@example.com", "2026-11-23 12:00:00")


def ids_of(crm: SimulatedFluentCRM, query: str) -> list[int]:
    reply = call(crm, "GET", SUBSCRIBERS, query)
    assert reply.status == 200
    return [row["id"] for row in reply.body["subscribers"]["data"]]


def having(name: str, operator: str, value: list[Any]) -> str:
    condition = {"source": ["subscriber", name], "operator": operator, "value": value}
    return urlencode({"filter_type": "advanced", "advanced_filters": json.dumps([[condition]])})


class TestListing:
    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            (having("id", "in", [1, 5, 99]), [5, 1]),
            (having("id", "in", [99]), []),
            (having("email", "in", ["PERSON1@example.com", "pérson2@example.com ", "no@example.com"]), [2, 1]),
            (having("id", "nonsense", [1]), [5, 4, 3, 2, 1]),
            (having("nonsense", "in", [1]), [5, 4, 3, 2, 1]),
            ("tags[]=2", [4, 2]),
            ("tags[]=1&tags[]=2", [5, 4, 3, 2, 1]),
            ("tags[]=99", []),
            ("per_page=2&page=2", [3, 2]),
            ("sort_type=ASC&per_page=2&page=3", [5]),
            ("sort_type=ASC&per_page=2&page=4", []),
        ],
    )
    def test_filters_order_and_pages(self, people: SimulatedFluentCRM, query: str, ids: list[int]) -> None:
        assert ids_of(people, query) == ids

    def test_custom_fields_want_exactly_true(self, people: SimulatedFluentCRM) -> None:
        rows = call(people, "GET", SUBSCRIBERS, "custom_fields=true").body["subscribers"]["data"]
        assert [row["custom_fields"] for row in rows][-2:] == [{"username": "user2"}, {"username": "user1"}]
        assert rows[0]["custom_fields"] == []
        rows = call(people, "GET", SUBSCRIBERS, "custom_fields=1").body["subscribers"]["data"]
        assert "custom_fields" not in rows[0]

    def test_fifteen_are_a_page(self, crm: SimulatedFluentCRM) -> None:
        for number in range(16):
            crm.add_contact(f"n{number}@example.com")
        page = call(crm, "GET", SUBSCRIBERS).body["subscribers"]
        assert (page["per_page"], len(page["data"]), page["next_page_url"]) == (15, 15, f"{SUBSCRIBERS}?page=2")


class TestAccess:
    ROUTES = (
        ("GET", "/subscribers"),
        ("GET", "/subscribers/1"),
        ("GET", "/tags"),
        ("GET", "/lists"),
        ("GET", "/custom-fields/contacts"),
        ("PUT", "/subscribers/1"),
        ("POST", "/subscribers/bulk-add-update"),
    )

    @pytest.mark.parametrize(
        ("rights", "statuses"),
        [
            (FULL_RIGHTS, [200] * 7),
            ((), [403] * 7),
            (("fcrm_read_contacts", "fcrm_manage_contacts"), [200, 200, 403, 403, 403, 200, 200]),
        ],
    )
    def test_rights(self, people: SimulatedFluentCRM, rights: Iterable[str], statuses: list[int]) -> None:
        people.add_user("Jo", "pass word", rights)
        body = {"subscriber": {}, "contacts": []}
        replies = [
            call(people, method, API + path, body=body, authorization=basic("jo", "password"))
            for method, path in self.ROUTES
        ]
        assert [reply.status for reply in replies] == statuses

    @pytest.mark.parametrize(
        "authorization", [None, basic(password="wrong"), basic("nobody"), "Basic YWRtaW4=", "Bearer " + PASSWORD]
    )
    def test_wrong_credentials(self, people: SimulatedFluentCRM, authorization: str | None) -> None:
        reply = call(people, "GET", f"{API}/tags", authorization=authorization)
        assert (reply.status, reply.body["code"], reply.body["data"]) == (401, "rest_forbidden", {"status": 401})

    def test_names_in_any_case_and_passwords_without_spaces(self, people: SimulatedFluentCRM) -> None:
        good = basic("ADMIN", PASSWORD.replace(" ", ""))
        assert call(people, "GET", f"{API}/tags", authorization=good).status == 200


class TestSite:
    @pytest.mark.parametrize(
        ("path", "query"), [("/wp-json/", ""), ("/wp-json", ""), ("/", "rest_route=/"), ("/index.php", "rest_route=/")]
    )
    def test_the_index_is_public(self, crm: SimulatedFluentCRM, path: str, query: str) -> None:
        body = call(crm, "GET", path, query, authorization=None).body
        assert "fluent-crm/v2" in body["namespaces"]
        assert "application-passwords" in body["authentication"]

    def test_routes_at_rest_route(self, people: SimulatedFluentCRM) -> None:
        query = f"rest_route={quote('/fluent-crm/v2/subscribers')}&per_page=1&page=2"
        page = call(people, "GET", "/", query).body["subscribers"]
        assert (page["total"], page["prev_page_url"], page["next_page_url"]) == (5, "?page=1", "?page=3")

    def test_other_pages_are_the_themes(self, crm: SimulatedFluentCRM) -> None:
        reply = call(crm, "GET", "/about", authorization=None)
        assert (reply.status, type(reply.body)) == (404, str)
