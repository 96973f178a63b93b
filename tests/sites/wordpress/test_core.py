"""What only an ailing WordPress does, and what is said of it. A well one: tests/wordpress/test_core.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from memberhook.core.errors import TransientError
from memberhook.core.http_client import HttpClient
from memberhook.core.types import Member, Tag
from memberhook.sites.contract import MemberQuery, Site, SiteContext
from memberhook.sites.registry import open_site
from tests.loopback import Loopback, Reply, RequestedRoles, json_reply, page_reply
from tests.sites.wordpress.conftest import Serve
from tests.sites.wordpress.helpers import GOLD, MemoryOverflowStore, change, creation

USERS = "/wp-json/wp/v2/users"


def user(number: int = 7, username: str = "tom", **values: Any) -> dict[str, Any]:
    given = {"id": number, "username": username, "email": f"{username}@member.example", "roles": ["subscriber"]}
    return {**given, "capabilities": {"read": True}, "extra_capabilities": {"subscriber": True}, **values}


def refusal(code: str, status: int = 400, **data: Any) -> Reply:
    return json_reply({"code": code, "message": "in any language", "data": {"status": status, **data}}, status)


@pytest.fixture
def open_(serve: Serve, http: HttpClient) -> Callable[..., tuple[Site, Loopback]]:
    def opened(answer: Callable[[RequestedRoles], Reply] | Reply, **capabilities: Any) -> tuple[Site, Loopback]:
        server = serve(answer)
        overflow_store = MemoryOverflowStore()
        context = SiteContext(
            "club",
            1,
            "shop",
            url=server.url,
            username="m",
            password="p",
            capabilities={"transport": "core", **capabilities},
            http=http,
        )
        return open_site("wordpress", replace(context, overflow_store=overflow_store)), server

    return opened


Open = Callable[..., tuple[Site, Loopback]]


def made(asked: RequestedRoles) -> Reply:
    """A WordPress in which nobody is found, and everybody is made."""
    if asked.method == "GET":
        return json_reply([])
    body = asked.json
    assert isinstance(body, dict)
    return json_reply(user(username=body["username"]), 201)


class TestBreakdowns:
    @pytest.mark.parametrize(
        ("reply", "code"),
        [
            (page_reply("Sorry", 503), "server_error"),
            (page_reply("Just a moment...", 403), "challenge_page"),
            (json_reply({"code": "rest_not_logged_in"}, 401), "wrong_password"),
            (json_reply({"code": "rest_forbidden_context"}, 403), "no_rights"),
            (json_reply([{"id": 1}]), "bad_answer"),
            (json_reply({}), "bad_answer"),
        ],
    )
    def test_finding(self, open_: Open, reply: Reply, code: str) -> None:
        site, _ = open_(reply)
        with pytest.raises(TransientError) as caught:
            site.find(MemberQuery(emails=["a@x.example", "b@x.example"]))
        assert caught.value.code == code

    def test_an_address_that_is_none_can_be_mended(self, http: HttpClient) -> None:
        capabilities = {"transport": "core"}
        context = SiteContext(
            "club", 1, "shop", url="ftp://x", http=http, overflow_store=MemoryOverflowStore(), capabilities=capabilities
        )
        site = open_site("wordpress", context)
        with pytest.raises(TransientError) as caught:
            site.find(MemberQuery(member_ids=["1"]))
        assert caught.value.code == "bad_address"

    @pytest.mark.parametrize("batch", [False, True])
    def test_where_nothing_gets_through_the_site_is_down(self, open_: Open, batch: bool) -> None:
        site, server = open_(json_reply({"code": "slow_down"}, 429, Retry_After="60"), batch=batch)
        with pytest.raises(TransientError) as caught:
            site.apply([creation("a"), creation("b")])
        assert caught.value.retry_after == 60
        assert len(server.asked) == 1

    def test_once_something_has_the_rest_comes_later(self, open_: Open) -> None:
        def answer(asked: RequestedRoles) -> Reply:
            return json_reply({"code": "slow_down"}, 429) if b'"b"' in asked.body else made(asked)

        site, server = open_(answer)
        applied = site.apply([creation("a"), creation("b"), creation("c")])
        assert [done.created for done in applied] == [True, False, False]
        assert all("no more requests" in (done.later or "") for done in applied[1:])
        assert len(server.asked) == 2

    @pytest.mark.parametrize("batch", [page_reply("Fatal", 500), json_reply({"responses": []}, 207), refusal("x")])
    def test_a_call_of_many_that_breaks_is_taken_apart(self, open_: Open, batch: Reply) -> None:
        def answer(asked: RequestedRoles) -> Reply:
            if asked.path == "/wp-json/batch/v1":
                return batch
            return page_reply("Fatal", 500) if b'"b"' in asked.body else made(asked)

        site, server = open_(answer, batch=True)
        applied = site.apply([creation("a"), creation("b"), creation("c")])
        assert [done.created for done in applied] == [True, False, True]
        assert "HTTP 500" in (applied[1].later or "")
        assert [asked.path for asked in server.asked] == ["/wp-json/batch/v1", USERS, USERS, USERS]

    def test_no_call_has_more_than_ten(self, open_: Open) -> None:
        def answer(asked: RequestedRoles) -> Reply:
            body: Any = asked.json
            usernames = [request["body"]["username"] for request in body["requests"]]
            rows = [{"status": 201, "body": user(username=username), "headers": {}} for username in usernames]
            return json_reply({"responses": rows}, 207)

        site, server = open_(answer, batch=True)
        applied = site.apply([creation(f"m{number}") for number in range(23)])
        assert [done.username for done in applied] == [f"m{number}" for number in range(23)]
        sizes = [len(asked.json["requests"]) for asked in server.asked if isinstance(asked.json, dict)]
        assert sizes == [10, 10, 3]


class TestRefusals:
    @pytest.mark.parametrize(
        ("reply", "said"),
        [
            (refusal("rest_user_invalid_role"), {"error": "no such role"}),
            (refusal("rest_user_invalid_role", 403), {"error": "no such role"}),
            (refusal("rest_cannot_create_user", 403), {"later": "create_users"}),
            (refusal("made_up_by_a_plugin"), {"error": "(made_up_by_a_plugin)"}),
            (refusal("made_up_by_a_plugin", 500), {"error": "(made_up_by_a_plugin)"}),
            (refusal("internal_server_error", 500), {"later": "HTTP 500"}),
            (refusal("existing_user_login", 500), {"stale": True}),
            (refusal("rest_invalid_param", params={"username": "x"}), {"stale": True}),
            (refusal("rest_invalid_param", params={"password": "x"}), {"error": "user_pass"}),
            (refusal("rest_invalid_param"), {"error": "(rest_invalid_param)"}),
            (refusal("existing_user_email", 500), {"error": "its user sees nobody who has it"}),
        ],
    )
    def test_each_member_has_its_answer(self, open_: Open, reply: Reply, said: Mapping[str, Any]) -> None:
        site, _ = open_(lambda asked: json_reply([]) if asked.method == "GET" else reply)
        (applied,) = site.apply([creation("tom", password="secret word")])
        assert not applied.done
        for name, value in said.items():
            told = getattr(applied, name)
            assert told is value or value in told
            assert "secret" not in str(told)

    def test_one_that_is_refused_for_ever_is_not_sent_for_ever(self, open_: Open) -> None:
        names = iter(["first_name", "last_name", "url", "description", "nickname"])

        def answer(asked: RequestedRoles) -> Reply:
            return refusal("rest_invalid_param", params={next(names): "x"})

        site, server = open_(answer)
        fields = dict.fromkeys(["first_name", "last_name", "user_url", "description", "nickname"], "x")
        (applied,) = site.apply([creation("tom", fields=fields)])
        assert applied.error is not None
        assert len(server.asked) == 4

    def test_meta_without_a_name(self, open_: Open) -> None:
        def answer(asked: RequestedRoles) -> Reply:
            return json_reply([user()]) if asked.method == "GET" else refusal("rest_cannot_update", 403)

        site, _ = open_(answer, meta={"company": "string"})
        (applied,) = site.apply([creation("tom", fields={"company": "x"})])
        assert applied.created
        assert applied.changes == ("user_email", "role")
        assert "value of company" in applied.warnings[0]


class TestFinding:
    def test_what_search_finds_is_compared(self, open_: Open) -> None:
        rows = [user(9, "tom", email="Tom@x.example"), user(8, "x", email="tom@x.example.org"), user(3, "y", email="")]
        site, server = open_(json_reply(rows))
        found = site.find(MemberQuery(emails=["TOM@x.example", "none@x.example"]))
        assert found.emails == {"tom@x.example": ("9",)}
        assert set(found.members) == {"9"}
        assert {asked.params["search"] for asked in server.asked} == {"tom@x.example", "none@x.example"}

    def test_many_ids_and_logins_share_calls(self, open_: Open) -> None:
        site, server = open_(json_reply([]))
        site.find(
            MemberQuery(member_ids=[*map(str, range(1, 151)), "no number"], usernames=[f"login{n}" for n in range(60)])
        )
        asked = [sorted(asked.params.keys() & {"include", "slug"}) for asked in server.asked]
        assert asked == [["include"], ["include"], ["slug"], ["slug"]]

    def test_nothing_wanted_nothing_asked(self, open_: Open) -> None:
        site, server = open_(json_reply([]))
        assert site.find(MemberQuery()).members == {}
        assert server.asked == []

    def test_renamed_tags(self, open_: Open) -> None:
        site, _ = open_(json_reply([user()]))
        (tom,) = site.find(MemberQuery(member_ids=["7"])).members.values()
        site.apply([change(tom, tags_applied=(GOLD,))])
        renamed = Tag(GOLD.id, "golden", "Golden")
        site.upsert_tags([renamed])
        (tom,) = site.find(MemberQuery(member_ids=["7"])).members.values()
        assert tom.tags == (renamed,)

    @pytest.mark.parametrize(
        ("values", "protected"),
        [
            ({}, False),
            ({"capabilities": {"read": True, "manage_options": True}}, True),
            ({"capabilities": {"manage_options": False}}, False),
            ({"extra_capabilities": {"administrator": True}, "capabilities": []}, True),
        ],
    )
    def test_protected(self, open_: Open, values: Mapping[str, Any], protected: bool) -> None:
        site, _ = open_(json_reply([user(**values)]))
        (tom,) = site.find(MemberQuery(member_ids=["7"])).members.values()
        assert tom.protected is protected


def test_a_protected_member_gets_nothing_but_fields_whatever_the_plan_says(open_: Open) -> None:
    boss = user(capabilities={"manage_options": True}, extra_capabilities=[])
    site, server = open_(lambda asked: json_reply([boss]) if asked.method == "GET" else json_reply(boss))
    member = Member("7", "tom", "tom@member.example", protected=True)
    fields = {"first_name": "Boss"}
    site.apply([change(member, email="x@x.example", role="subscriber", password="x", fields=fields)])
    assert server.asked[-1].json == {"first_name": "Boss"}


def test_roles_that_no_check_has_learned(open_: Open) -> None:
    site, _ = open_(json_reply([]))
    assert {role.slug: role.privileged for role in site.roles()} == {
        **dict.fromkeys(("subscriber", "contributor", "author"), False),
        **dict.fromkeys(("editor", "administrator"), True),
    }
