"""Listings of contacts: filters, order and pages, as measured on FluentCRM 2.9.84 (free edition, WordPress 6.1.9)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from memberhook.testing.fluentcrm import SimulatedFluentCRM

from .helpers import API, call

SUBSCRIBERS = f"{API}/subscribers"


def summaries(crm: SimulatedFluentCRM, query: str) -> list[int]:
    reply = call(crm, "GET", SUBSCRIBERS, query)
    assert reply.status == 200
    return [row["id"] for row in reply.body["subscribers"]["data"]]


def advanced(*groups: list[dict[str, Any]], **more: str) -> str:
    return urlencode({"filter_type": "advanced", "advanced_filters": json.dumps(groups), **more})


def part(name: str, operator: str, value: Any, provider: str = "subscriber") -> dict[str, Any]:
    return {"source": [provider, name], "operator": operator, "value": value}


class TestListing:
    def test_many_by_id_with_custom_fields(self, people: SimulatedFluentCRM) -> None:
        query = advanced([part("id", "in", [1, 5, 99])], custom_fields="true", per_page="100")
        reply = call(people, "GET", SUBSCRIBERS, query)
        rows = reply.body["subscribers"]["data"]
        assert [(row["id"], row["custom_fields"]) for row in rows] == [(5, []), (1, {"username": "user1"})]
        assert list(rows[0])[-5:] == ["custom_fields", "full_name", "photo", "tags", "lists"]
        assert rows[0]["lists"][0]["pivot"]["object_type"] == "FluentCrm\\App\\Models\\Lists"
        assert reply.body["custom"] == "true"

    def test_custom_fields_want_exactly_true(self, people: SimulatedFluentCRM) -> None:
        reply = call(people, "GET", SUBSCRIBERS, "custom_fields=1")
        assert "custom_fields" not in reply.body["subscribers"]["data"][0]

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            (advanced([part("id", "in", ["1", "2"])]), [2, 1]),
            (advanced([part("id", "in", "1,2,3")]), [1]),
            (advanced([part("id", "in", [99])]), []),
            (
                advanced([part("email", "in", ["PERSON1@example.com", "person2@example.com ", "no@example.com"])]),
                [2, 1],
            ),
            (advanced([part("email", "in", ["pérson3@example.com"])]), [3]),
            (advanced([part("email", "=", ["person1@example.com", "person2@example.com"])]), [1]),
            (advanced([part("email", "contains", "person")]), [5, 4, 3, 2, 1]),
            (
                advanced([part("email", "=", "person1@example.com")], [part("email", "=", "person4@example.com")]),
                [4, 1],
            ),
            (advanced([part("id", "in", [1, 2]), part("tags", "in", [2], "segment")]), [2]),
            (advanced([part("tags", "not_in", [2], "segment")]), [5, 3, 1]),
            (advanced([part("username", "=", "user3", "custom_fields")]), [3]),
            (advanced([part("updated_at", ">", "2026-01-01 00:00:00")], per_page="2"), [5, 4]),
            (advanced([part("phone", "is_null", None)], per_page="1"), [5]),
        ],
    )
    def test_advanced_filters(self, people: SimulatedFluentCRM, query: str, ids: list[int]) -> None:
        assert summaries(people, query) == ids

    @pytest.mark.parametrize(
        "query",
        [
            advanced([part("id", "in", [])]),
            advanced([{"source": ["subscriber", "id"], "operator": "in"}]),
            advanced([part("id", "in", [1], "nosuch")]),
            advanced(),
            "filter_type=advanced&advanced_filters=not+json",
            "filter_type=advanced&advanced_filters=",
            "statuses[]=nonsense",
        ],
    )
    def test_a_filter_that_is_not_understood_lists_everybody(self, people: SimulatedFluentCRM, query: str) -> None:
        assert summaries(people, query) == [5, 4, 3, 2, 1]

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ("tags[]=2", [4, 2]),
            ("tags[]=newsletter", [4, 2]),
            ("tags[]=1&tags[]=2", [5, 4, 3, 2, 1]),
            ("tags[]=99", []),
            ("tags=2", []),
            ("lists[]=1&per_page=2&page=2", [3, 2]),
            ("sort_by=id&sort_type=asc&per_page=2", [1, 2]),
            ("sort_by=id&sort_type=ASC&per_page=2&page=3", [5]),
            ("sort_by=id&sort_type=ASC&per_page=2&page=4", []),
            ("sort_by=nonsense", [1, 2, 3, 4, 5]),
            ("search=first3", [3]),
            ("search=PERSON_%25", [5, 4, 3, 2, 1]),
            ("search=First2+Nobody", [2]),
            ("search=user2", []),
            ("search=user2&custom_fields=true", [2]),
        ],
    )
    def test_simple_filters_order_and_pages(self, people: SimulatedFluentCRM, query: str, ids: list[int]) -> None:
        assert summaries(people, query) == ids

    def test_statuses(self, people: SimulatedFluentCRM) -> None:
        people.update_contact(2, status="bounced")
        people.update_contact(3, status="pending")
        assert summaries(people, "statuses=bounced") == [2]
        assert summaries(people, "statuses[]=bounced&statuses[]=pending&tags[]=1") == [3]

    def test_pages_that_cannot_be(self, people: SimulatedFluentCRM) -> None:
        for per_page in ("0", "abc"):
            reply = call(people, "GET", SUBSCRIBERS, f"per_page={per_page}")
            assert (reply.status, type(reply.body)) == (500, str)
        assert call(people, "GET", SUBSCRIBERS, "per_page=-1").status == 423
        assert call(people, "GET", SUBSCRIBERS, advanced([part("nosuch", "in", [1])])).status == 423

    def test_fifteen_are_a_page(self, crm: SimulatedFluentCRM) -> None:
        for number in range(16):
            crm.add_contact(f"n{number}@example.com")
        page = call(crm, "GET", SUBSCRIBERS).body["subscribers"]
        assert (page["per_page"], len(page["data"]), page["next_page_url"]) == (15, 15, f"{SUBSCRIBERS}?page=2")
        assert len(summaries(crm, "per_page=100000")) == 16

    def test_filters_in_a_body(self, people: SimulatedFluentCRM) -> None:
        body = {"advanced_filters": [[part("id", "in", [2])]]}
        reply = call(people, "GET", SUBSCRIBERS, "filter_type=advanced", body)
        assert reply.body["subscribers"]["total"] == 1
