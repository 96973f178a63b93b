"""The look at a WordPress: how far it gets, what it says, and what it learns. See also tests/wordpress/test_core.py."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from memberhook import __version__
from memberhook.core.http_client import HttpClient
from memberhook.sites.contract import SiteCheck
from memberhook.sites.wordpress.rest.rest_client import RestClient
from memberhook.sites.wordpress.site_check import CAPABILITY, RIGHTS, check
from tests.loopback import Reply, Request, json_reply, page_reply
from tests.sites.wordpress.conftest import Serve

PASSWORD = "abcd EFGH ijkl MNOP qrst UVWX"
PASSWORDS = {"application-passwords": {"endpoints": {}}}
INDEX = {"name": "Club", "namespaces": ["wp/v2"], "authentication": PASSWORDS}
NOT_LOGGED_IN = json_reply({"code": "rest_not_logged_in", "message": "x", "data": {"status": 401}}, 401)
ALL = dict.fromkeys(RIGHTS, True)
ME = json_reply({"id": 1, "capabilities": ALL})
USER = {"id": 7, "username": "tom", "email": "tom@x.example", "roles": ["student"], "capabilities": {"read": True}}
OPTIONS = {
    "endpoints": [{"methods": ["GET"]}, {"methods": ["POST"], "allow_batch": {"v1": True}}],
    "schema": {"properties": {"meta": {"properties": {"company": {"type": "string"}, "prefs": {"type": "object"}}}}},
}
SITE = {
    "connector": __version__,
    "wordpress": "6.8",
    "php": "8.3",
    "multisite": False,
    "name": "Club",
    "default_role": "subscriber",
    "meta_keys": ["company"],
    "fluentcrm": None,
    "rights": ALL,
    "rehash": True,
    "roles": [{"slug": "student", "title": "Student", "privileged": False}],
}


def wordpress(**answers: Reply) -> Any:
    """Answers like a healthy WordPress, except for these: `index`, `me`, `users`, `options`, `site`, `xmlrpc`."""
    usual = {
        "index": json_reply(INDEX),
        "me": ME,
        "users": json_reply([USER], X_WP_TotalPages="1"),
        "options": json_reply(OPTIONS),
        "site": json_reply({"code": "rest_no_route"}, 404),
        "xmlrpc": page_reply("Not found", 404),
    }

    def answer(request: Request) -> Reply:
        names = {"/wp-json/": "index", "/wp-json/wp/v2/users/me": "me", "/xmlrpc.php": "xmlrpc"}
        names |= {"/wp-json/memberhook/v1/site": "site", "/wp-json/wp/v2/users": "users"}
        name = "options" if request.method == "OPTIONS" else names[request.path]
        return (usual | answers)[name]

    return answer


def checked(url: str, http: HttpClient, password: str = PASSWORD) -> SiteCheck:
    return check(RestClient(url, "memberhook", password, http))


def stopped_at(found: SiteCheck) -> tuple[str, str]:
    """The name and message of the finding that is not good; those before it are, none comes after, nothing is kept."""
    assert [result.ok for result in found.results] == [True] * (len(found.results) - 1) + [False]
    assert found.results[-1] == found.problem
    assert found.capabilities == {}
    return found.results[-1].name, found.results[-1].message


def xmlrpc(code: int | None) -> Reply:
    inside = f"<fault><value><int>{code}</int></value></fault>" if code else "<params></params>"
    return Reply(body=f"<methodResponse>{inside}</methodResponse>".encode(), content_type="text/xml")


BLOCKED = json_reply({"code": "rest_cannot_access"}, 403)


@pytest.mark.parametrize(
    ("answers", "name", "message"),
    [
        ({"index": page_reply("My shop")}, "REST API", "Check that this is the address of the WordPress site"),
        ({"index": json_reply({"hello": "world"})}, "REST API", "but not like a WordPress"),
        ({"index": page_reply("Just a moment...", 403)}, "REST API", "returns a challenge page"),
        ({"index": page_reply("Sorry", 503)}, "REST API", "for maintenance"),
        ({"me": json_reply({"code": "incorrect_password"}, 401)}, "credentials", "Application Passwords"),
        ({"me": json_reply({"code": "invalid_username"}, 401)}, "credentials", "has no user with that name"),
        ({"me": json_reply({"code": "invalid_email"}, 401)}, "credentials", "has no user with that name"),
        ({"me": NOT_LOGGED_IN, "xmlrpc": xmlrpc(None)}, "credentials", "are correct, but the web server does not pass"),
        ({"me": NOT_LOGGED_IN, "xmlrpc": xmlrpc(403)}, "credentials", "has no user with this name and password"),
        ({"me": NOT_LOGGED_IN, "xmlrpc": xmlrpc(405)}, "credentials", "is wrong, or the web server does not pass"),
        ({"me": NOT_LOGGED_IN}, "credentials", "CGIPassAuth On"),
        (
            {"me": NOT_LOGGED_IN, "index": json_reply({**INDEX, "authentication": []})},
            "credentials",
            "https:// only, and a security plugin may have disabled them. Give the address with https://.",
        ),
        (
            {"me": json_reply({"code": "application_passwords_disabled_for_user"}, 401)},
            "credentials",
            "allows this user no application passwords",
        ),
        ({"me": BLOCKED}, "credentials", "(403, rest_cannot_access), probably a security plugin"),
        ({"me": page_reply("Forbidden", 403)}, "credentials", "challenge page"),
        ({"me": json_reply({"code": "rest_no_route"}, 404)}, "credentials", "has disabled /wp/v2/users"),
        ({"users": BLOCKED}, "users", "probably a security plugin"),
        ({"options": page_reply("Nothing here", 500)}, "users", "HTTP 500"),
        ({"users": json_reply([{"id": 1}])}, "users", "[0].username: expected text"),
    ],
)
def test_what_can_be_wrong(serve: Serve, http: HttpClient, answers: dict[str, Reply], name: str, message: str) -> None:
    found = stopped_at(checked(serve(wordpress(**answers)).url, http))
    assert found[0] == name
    assert message in found[1]
    assert PASSWORD not in found[1]


def test_the_password_for_logging_in(serve: Serve, http: HttpClient) -> None:
    found = checked(serve(wordpress(me=NOT_LOGGED_IN, xmlrpc=xmlrpc(None))).url, http, "hunter2")
    assert "is not an application password of WordPress" in stopped_at(found)[1]


@pytest.mark.parametrize("right", RIGHTS)
def test_each_missing_right_is_named(serve: Serve, http: HttpClient, right: str) -> None:
    found = checked(serve(wordpress(me=json_reply({"capabilities": {**ALL, right: False}}))).url, http)
    assert found.problem is not None
    assert found.problem.name == "rights"
    assert f"lacks the rights {right}." in found.problem.message


def test_nobody_listens(http: HttpClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert stopped_at(checked(f"http://127.0.0.1:{port}", http))[0] == "address"


def test_no_tls(serve: Serve, http: HttpClient) -> None:
    url = serve(wordpress()).url.replace("http:", "https:")
    assert stopped_at(checked(url, http))[0] == "certificate"


def test_plain_permalinks_are_no_fault(serve: Serve, http: HttpClient) -> None:
    well = wordpress()

    def answer(request: Request) -> Reply:
        route = request.params.get("rest_route")
        if route is None:
            return page_reply("Not Found", 404)
        return well(Request(request.method, f"/wp-json{route}", request.headers, request.body, request.connection))

    found = checked(serve(answer).url, http)
    assert found.problem is None
    assert "?rest_route=" in found.results[2].message
    assert found.capabilities["plain_permalinks"] is True


def test_without_the_connector(serve: Serve, http: HttpClient) -> None:
    found = checked(serve(wordpress()).url, http)
    assert found.problem is None
    (missing,) = [result for result in found.results if not result.ok]
    assert missing.name == "connector"
    assert "memberhook wordpress plugin --output memberhook-connector.zip" in missing.message
    assert found.capabilities == {
        "transport": "core",
        "plain_permalinks": False,
        "batch": True,
        "meta_types": {"company": "string"},
        "meta_keys": ["company"],
        "stores_idempotency_key": False,
        "roles": [
            {"slug": "subscriber", "title": "Subscriber", "privileged": False},
            {"slug": "contributor", "title": "Contributor", "privileged": False},
            {"slug": "author", "title": "Author", "privileged": False},
            {"slug": "editor", "title": "Editor", "privileged": True},
            {"slug": "administrator", "title": "Administrator", "privileged": True},
            {"slug": "student", "title": "Student", "privileged": False},
        ],
    }


def test_with_the_connector(serve: Serve, http: HttpClient) -> None:
    index = json_reply({**INDEX, "namespaces": ["wp/v2", "memberhook/v1"]})
    server = serve(wordpress(index=index, site=json_reply(SITE)))
    found = checked(server.url, http)
    assert all(result.ok for result in found.results)
    assert found.capabilities == {
        "transport": "connector",
        "plain_permalinks": False,
        **{name: value for name, value in SITE.items() if name not in {"name", "rights"}},
    }
    assert "OPTIONS" not in {request.method for request in server.requests}


def test_an_older_connector_works_and_is_reported(serve: Serve, http: HttpClient) -> None:
    index = json_reply({**INDEX, "namespaces": ["wp/v2", "memberhook/v1"]})
    server = serve(wordpress(index=index, site=json_reply({**SITE, "connector": "0.0.9"})))
    found = checked(server.url, http)
    assert (found.problem, found.capabilities["transport"]) == (None, "connector")
    assert f"is 0.0.9; this Memberhook comes with {__version__}" in found.results[-1].message


WITH_CONNECTOR = json_reply({**INDEX, "namespaces": ["wp/v2", "memberhook/v1"]})


def test_the_connector_tells_of_rights(serve: Serve, http: HttpClient) -> None:
    """In a network the user may have them there alone."""
    site = {**SITE, "rights": {**ALL, "create_users": False, CAPABILITY: False}}
    found = checked(serve(wordpress(index=WITH_CONNECTOR, site=json_reply(site))).url, http)
    assert found.problem is not None
    assert found.problem.name == "rights"
    assert "create a user for Memberhook under Settings > Memberhook" in found.problem.message


def test_the_capability_of_the_connector_is_enough(serve: Serve, http: HttpClient) -> None:
    site = {**SITE, "rights": {**dict.fromkeys(RIGHTS, False), CAPABILITY: True}, "surplus_rights": False}
    me = json_reply({"id": 1, "capabilities": {"read": True, CAPABILITY: True}})
    found = checked(serve(wordpress(index=WITH_CONNECTOR, site=json_reply(site), me=me)).url, http)
    assert all(result.ok for result in found.results)
    without = checked(serve(wordpress(me=me)).url, http)
    assert without.problem is not None
    assert "lacks the rights list_users, create_users, edit_users, promote_users." in without.problem.message


def test_a_user_who_can_do_more_is_a_note(serve: Serve, http: HttpClient) -> None:
    found = checked(serve(wordpress(index=WITH_CONNECTOR, site=json_reply({**SITE, "surplus_rights": True}))).url, http)
    assert found.problem is None
    assert found.capabilities["transport"] == "connector"
    (note,) = [result for result in found.results if not result.ok]
    assert (note.name, note.needed) == ("user", False)
    assert "can do more than Memberhook needs" in note.message


@pytest.mark.parametrize("site", [page_reply("Fatal", 500), json_reply({"hello": "world"}), json_reply([])])
def test_a_connector_that_does_not_work(serve: Serve, http: HttpClient, site: Reply) -> None:
    index = json_reply({**INDEX, "namespaces": ["wp/v2", "memberhook/v1"]})
    found = checked(serve(wordpress(index=index, site=site)).url, http)
    assert found.capabilities == {}
    assert found.problem is not None
    assert "is installed but does not work" in found.problem.message


def test_a_site_that_hides_its_index(serve: Serve, http: HttpClient) -> None:
    hidden = json_reply({"code": "rest_forbidden"}, 401)
    found = checked(serve(wordpress(index=hidden, site=json_reply(SITE))).url, http)
    assert found.capabilities["transport"] == "connector"
