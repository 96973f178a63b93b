"""Tags, lists, rights and the site around them, as measured on FluentCRM 2.9.84 (free edition, WordPress 6.1.9)."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from memberhook.testing.fluentcrm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.records import Rights
from memberhook.testing.fluentcrm.rest import Reply

from .helpers import API, PASSWORD, Clock, basic, call


class TestTagsAndLists:
    def test_counts_are_of_the_subscribed(self, people: SimulatedFluentCRM) -> None:
        people.update_contact(1, status="unsubscribed")
        tags = call(people, "GET", f"{API}/tags", "sort_order=ASC").body["tags"]["data"]
        assert [tag["subscribersCount"] for tag in tags] == [2, 2]
        one = call(people, "GET", f"{API}/lists").body["lists"][0]
        assert (one["totalCount"], one["subscribersCount"], one["is_public"]) == (5, 4, "0")

    def test_counts_can_be_left_out(self, people: SimulatedFluentCRM) -> None:
        rows = call(people, "GET", f"{API}/tags", "exclude_counts=1").body["tags"]["data"]
        rows += call(people, "GET", f"{API}/lists", "exclude_counts=1").body["lists"]
        assert [name for row in rows for name in row if name.endswith("Count")] == []

    def test_all_tags(self, people: SimulatedFluentCRM) -> None:
        body = call(people, "GET", f"{API}/tags", "all_tags=true&per_page=1").body
        assert body["all_tags"] == [
            {"id": "1", "title": "Customer", "slug": "customer"},
            {"id": "2", "title": "Newsletter", "slug": "newsletter"},
        ]

    def test_a_tag_is_renamed_and_keeps_its_people(self, people: SimulatedFluentCRM, clock: Clock) -> None:
        clock.at("12:00:00")
        people.rename_tag("customer", "Member", "member")
        (tag,) = people.contact(1)["tags"]
        assert (tag["id"], tag["title"], tag["slug"], tag["updated_at"]) == (
            1,
            "Member",
            "member",
            "2026-11-23 12:00:00",
        )
        people.rename_tag(1, "Members")
        assert people.contact(1)["tags"][0]["slug"] == "member"

    def test_a_title_with_signs_gets_an_invented_slug(self, crm: SimulatedFluentCRM) -> None:
        reply = call(crm, "POST", f"{API}/tags", body={"title": 'VIP "gold" & <b>'})
        assert reply.body["item"]["title"] == 'VIP "gold" &'
        assert "vip" not in reply.body["item"]["slug"]
        again = SimulatedFluentCRM(Clock(), seed=1)
        again.add_tag('VIP "gold" &')
        assert again.store.tags[1].slug == reply.body["item"]["slug"]

    def test_a_tag_needs_a_title(self, crm: SimulatedFluentCRM) -> None:
        reply = call(crm, "POST", f"{API}/tags", body={})
        assert (reply.status, reply.body) == (422, {"title": {"required": "The title field is required."}})


class TestWhoMay:
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
            ("full", [200] * 7),
            ("read-only", [200] * 5 + [403] * 2),
            ("none", [403] * 7),
            (frozenset({"fcrm_read_contacts", "fcrm_manage_contacts"}), [200, 200, 403, 403, 403, 200, 200]),
        ],
    )
    def test_rights(self, people: SimulatedFluentCRM, rights: Rights, statuses: list[int]) -> None:
        people.add_user("Jo", "pass word", rights)
        replies = [call(people, *route, body={}, authorization=basic("jo", "password")) for route in self.routes()]
        assert [reply.status for reply in replies] == statuses
        refused = [reply for reply in replies if reply.status == 403]
        assert all(reply.body["data"] == {"status": 403} and "Allow" not in reply.headers for reply in refused)

    def routes(self) -> list[tuple[str, str]]:
        return [(method, API + path) for method, path in self.ROUTES]

    @pytest.mark.parametrize(
        "authorization",
        [None, basic(password="wrong"), basic("nobody"), "Basic !!", "Basic YWRtaW4=", "Bearer " + PASSWORD, "Basic ÿ"],
    )
    def test_nobody_is_nobody(self, people: SimulatedFluentCRM, authorization: str | None) -> None:
        reply = call(people, "GET", f"{API}/tags", authorization=authorization)
        assert (reply.status, reply.body["code"], reply.body["data"]) == (401, "rest_forbidden", {"status": 401})
        assert "Cache-Control" not in reply.headers

    def test_names_in_any_case_and_passwords_without_spaces(self, people: SimulatedFluentCRM) -> None:
        good = basic("ADMIN", PASSWORD.replace(" ", ""))
        assert call(people, "GET", f"{API}/tags", authorization=good).status == 200


class TestTheSite:
    def ask(self, crm: SimulatedFluentCRM, path: str, query: str = "") -> Reply:
        return call(crm, "GET", path, query, authorization=None)

    def test_the_index_is_public(self, crm: SimulatedFluentCRM) -> None:
        for path, query in (("/wp-json/", ""), ("/wp-json", ""), ("/", "rest_route=/"), ("/index.php", "rest_route=/")):
            body = self.ask(crm, path, query).body
            assert "fluent-crm/v2" in body["namespaces"]
            assert body["url"] == "http://site-a.example"
            assert "application-passwords" in body["authentication"]

    def test_routes_at_rest_route(self, people: SimulatedFluentCRM) -> None:
        query = f"rest_route={quote('/fluent-crm/v2/subscribers')}&per_page=1&page=2"
        page = call(people, "GET", "/", query).body["subscribers"]
        assert (page["total"], page["prev_page_url"], page["next_page_url"]) == (5, "?page=1", "?page=3")

    def test_the_rest_is_the_theme(self, crm: SimulatedFluentCRM) -> None:
        assert self.ask(crm, "/").status == 200
        assert self.ask(crm, "/about").status == 404
        assert isinstance(self.ask(crm, "/wp-jsonx").body, str)
        assert self.ask(crm, "/about", "rest_route=/fluent-crm/v2/tags").status == 404

    def test_a_body_that_is_no_json_says_so_before_the_password(self, crm: SimulatedFluentCRM) -> None:
        reply = call(crm, "POST", f"{API}/tags", body="{", authorization=None)
        assert (reply.status, reply.body["code"]) == (400, "rest_invalid_json")
