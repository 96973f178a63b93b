"""What only an ailing WordPress does, and what is said of it. A well one: tests/wordpress/test_core.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from memberhook.core.errors import TransientError
from memberhook.core.http_client import HttpClient
from memberhook.core.types import ApplyStatus, Member, Tag
from memberhook.sites.contract import MemberQuery, Site, SiteContext
from memberhook.sites.registry import open_site
from tests.loopback import Loopback, Reply, Request, json_reply, page_reply
from tests.sites.wordpress.conftest import Serve
from tests.sites.wordpress.helpers import GOLD, MemoryOverflowStore, change, creation

USERS = "/wp-json/wp/v2/users"


def user(number: int = 7, username: str = "tom", **values: Any) -> dict[str, Any]:
    usual = {"id": number, "username": username, "email": f"{username}@member.example", "roles": ["subscriber"]}
    return {**usual, "capabilities": {"read": True}, "extra_capabilities": {"subscriber": True}, **values}


def refusal(code: str, status: int = 400, **data: Any) -> Reply:
    return json_reply({"code": code, "message": "in any language", "data": {"status": status, **data}}, status)


@pytest.fixture
def open_(serve: Serve, http: HttpClient) -> Callable[..., tuple[Site, Loopback]]:
    def opened(answer: Callable[[Request], Reply] | Reply, **capabilities: Any) -> tuple[Site, Loopback]:
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


def made(request: Request) -> Reply:
    """A WordPress in which nobody is found, and everybody is made."""
    if request.method == "GET":
        return json_reply([])
    body = request.json
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

    def test_a_bad_address_can_be_corrected(self, http: HttpClient) -> None:
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
        assert len(server.requests) == 1

    def test_once_something_has_the_rest_comes_later(self, open_: Open) -> None:
        def answer(request: Request) -> Reply:
            return json_reply({"code": "slow_down"}, 429) if b'"b"' in request.body else made(request)

        site, server = open_(answer)
        applied = site.apply([creation("a"), creation("b"), creation("c")])
        assert [done.created for done in applied] == [True, False, False]
        assert all("limiting the number of requests" in done.message for done in applied[1:])
        assert len(server.requests) == 2

    @pytest.mark.parametrize("batch", [page_reply("Fatal", 500), json_reply({"responses": []}, 207), refusal("x")])
    def test_a_call_of_many_that_breaks_is_taken_apart(self, open_: Open, batch: Reply) -> None:
        def answer(request: Request) -> Reply:
            if request.path == "/wp-json/batch/v1":
                return batch
            return page_reply("Fatal", 500) if b'"b"' in request.body else made(request)

        site, server = open_(answer, batch=True)
        applied = site.apply([creation("a"), creation("b"), creation("c")])
        assert [done.created for done in applied] == [True, False, True]
        assert "HTTP 500" in applied[1].message
        assert [request.path for request in server.requests] == ["/wp-json/batch/v1", USERS, USERS, USERS]

    def test_no_call_has_more_than_ten(self, open_: Open) -> None:
        def answer(request: Request) -> Reply:
            body: Any = request.json
            usernames = [request["body"]["username"] for request in body["requests"]]
            rows = [{"status": 201, "body": user(username=username), "headers": {}} for username in usernames]
            return json_reply({"responses": rows}, 207)

        site, server = open_(answer, batch=True)
        applied = site.apply([creation(f"m{number}") for number in range(23)])
        assert [done.username for done in applied] == [f"m{number}" for number in range(23)]
        sizes = [len(request.json["requests"]) for request in server.requests if isinstance(request.json, dict)]
        assert sizes == [10, 10, 3]


class TestRefusals:
    @pytest.mark.parametrize(
        ("reply", "status", "message"),
        [
            (refusal("rest_user_invalid_role"), ApplyStatus.REJECTED, "no such role"),
            (refusal("rest_user_invalid_role", 403), ApplyStatus.REJECTED, "no such role"),
            (refusal("rest_cannot_create_user", 403), ApplyStatus.TRY_LATER, "create_users"),
            (refusal("made_up_by_a_plugin"), ApplyStatus.REJECTED, "(made_up_by_a_plugin)"),
            (refusal("made_up_by_a_plugin", 500), ApplyStatus.REJECTED, "(made_up_by_a_plugin)"),
            (refusal("internal_server_error", 500), ApplyStatus.TRY_LATER, "HTTP 500"),
            (refusal("existing_user_login", 500), ApplyStatus.CONFLICT, ""),
            (refusal("rest_invalid_param", params={"username": "x"}), ApplyStatus.CONFLICT, ""),
            (refusal("rest_invalid_param", params={"password": "x"}), ApplyStatus.REJECTED, "user_pass"),
            (refusal("rest_invalid_param"), ApplyStatus.REJECTED, "(rest_invalid_param)"),
            (refusal("existing_user_email", 500), ApplyStatus.REJECTED, "an account that Memberhook's user cannot see"),
        ],
    )
    def test_each_member_has_its_answer(self, open_: Open, reply: Reply, status: ApplyStatus, message: str) -> None:
        site, _ = open_(lambda request: json_reply([]) if request.method == "GET" else reply)
        (applied,) = site.apply([creation("tom", password="secret word")])
        assert applied.status is status
        assert message in applied.message
        assert "secret" not in applied.message

    def test_a_member_that_is_always_refused_is_not_sent_forever(self, open_: Open) -> None:
        names = iter(["first_name", "last_name", "url", "description", "nickname"])

        def answer(request: Request) -> Reply:
            return refusal("rest_invalid_param", params={next(names): "x"})

        site, server = open_(answer)
        fields = dict.fromkeys(["first_name", "last_name", "user_url", "description", "nickname"], "x")
        (applied,) = site.apply([creation("tom", fields=fields)])
        assert applied.status is ApplyStatus.REJECTED
        assert len(server.requests) == 4

    def test_meta_without_a_name(self, open_: Open) -> None:
        def answer(request: Request) -> Reply:
            return json_reply([user()]) if request.method == "GET" else refusal("rest_cannot_update", 403)

        site, _ = open_(answer, meta_types={"company": "string"})
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
        assert {request.params["search"] for request in server.requests} == {"tom@x.example", "none@x.example"}

    def test_many_ids_and_usernames_share_calls(self, open_: Open) -> None:
        site, server = open_(json_reply([]))
        site.find(
            MemberQuery(member_ids=[*map(str, range(1, 151)), "no number"], usernames=[f"name{n}" for n in range(60)])
        )
        request = [sorted(request.params.keys() & {"include", "slug"}) for request in server.requests]
        assert request == [["include"], ["include"], ["slug"], ["slug"]]

    def test_nothing_wanted_nothing_asked(self, open_: Open) -> None:
        site, server = open_(json_reply([]))
        assert site.find(MemberQuery()).members == {}
        assert server.requests == []

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
    site, server = open_(lambda request: json_reply([boss]) if request.method == "GET" else json_reply(boss))
    member = Member("7", "tom", "tom@member.example", protected=True)
    fields = {"first_name": "Boss"}
    site.apply([change(member, email="x@x.example", role="subscriber", password="x", fields=fields)])
    assert server.requests[-1].json == {"first_name": "Boss"}


def test_roles_that_no_check_has_learned(open_: Open) -> None:
    site, _ = open_(json_reply([]))
    assert {role.slug: role.privileged for role in site.roles()} == {
        **dict.fromkeys(("subscriber", "contributor", "author"), False),
        **dict.fromkeys(("editor", "administrator"), True),
    }
