"""What FluentCRM responds when something is wrong, as recorded, over a real connection; and which URLs are called."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import Response
from memberhook.core.types import Contact
from memberhook.crms.contract import ContactRef, FieldWrite
from memberhook.crms.fluentcrm.api_errors import api_error
from memberhook.sites.wordpress.rest.rest_client import base_address
from tests.crms.fluentcrm.conftest import PASSWORD, USERNAME, Connect, Serve
from tests.crms.fluentcrm.helpers import recorded_answer
from tests.loopback import Reply, Request, json_reply, page_reply

ZOE = ContactRef(id="1248")
PUT = FieldWrite("1246", "facts-ada@example.com", {"wp_password": "secret-value"})
CRASH = (
    "<p>There has been a critical error on this website.</p> in /var/www/html/wp-content/plugins/x.php on line 5 "
    "(SQL: select * from wp_fc_subscribers)"
)


def error_of(connect: Connect, serve: Serve, reply: Reply, *, write: bool = False) -> TransientError | PermanentError:
    """The error of loading (or writing to) one contact: raised, or the answer for this one."""
    client = connect(serve(reply).url)
    found: Any
    try:
        found = client.write_fields([PUT])["1246"] if write else client.load([ZOE])[ZOE]
    except (TransientError, PermanentError) as error:
        return error
    assert isinstance(found, TransientError | PermanentError)
    return found


@pytest.mark.parametrize(
    ("recording", "write", "family", "code", "message"),
    [
        (
            "bad-credentials",
            False,
            TransientError,
            "wrong_password",
            "does not accept the username with this application",
        ),
        ("bad-credentials-unknown-user", False, TransientError, "wrong_password", "Application Passwords"),
        ("no-credentials", False, TransientError, "wrong_password", "Authorization header"),
        ("no-credentials-update", True, TransientError, "wrong_password", "Application Passwords"),
        ("get-subscriber-not-found", False, PermanentError, "contact_gone", "no such contact"),
        ("get-subscriber-by-email-not-found", False, PermanentError, "contact_gone", "no such contact"),
        ("update-subscriber-not-found", True, PermanentError, "contact_gone", "no such contact"),
        ("unknown-route", False, TransientError, "plugin_inactive", "the plugin is not active"),
        ("unknown-namespace", False, TransientError, "plugin_inactive", "the plugin is not active"),
        ("wrong-method", True, TransientError, "plugin_inactive", "the plugin is not active"),
        ("get-subscriber-bad-id", False, TransientError, "plugin_inactive", "the plugin is not active"),
        (
            "update-subscriber-email-taken",
            True,
            PermanentError,
            "value_rejected",
            "does not accept the value of email.",
        ),
        (
            "update-subscriber-email-invalid",
            True,
            PermanentError,
            "value_rejected",
            "does not accept the value of email.",
        ),
        ("malformed-json", True, TransientError, "bad_answer", "refused the request (HTTP 400)"),
        ("add-tags-unknown-subscriber", True, TransientError, "server_error", "an internal error (HTTP 500)"),
    ],
)
def test_recorded_errors(
    connect: Connect, serve: Serve, recording: str, write: bool, family: type[Exception], code: str, message: str
) -> None:
    error = error_of(connect, serve, recorded_answer(recording), write=write)
    assert (type(error), error.code) == (family, code)
    assert message in error.message


FORBIDDEN = {"code": "rest_forbidden", "message": "Sorry, you are not allowed to do that.", "data": {"status": 403}}
PHP_WARNING = b'<br />\n<b>Warning</b>:  x in <b>/var/www/x.php</b> on line 1<br />{"subscriber": {}}'
CHALLENGE = "<title>Just a moment...</title>Enable JavaScript and cookies to continue."


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        (json_reply(FORBIDDEN, 403), "no_rights", "has no rights in FluentCRM (403)"),
        (json_reply({"code": "blocked_by_x"}, 403), "no_rights", "(403, blocked_by_x), probably a security plugin"),
        (json_reply({"code": "incorrect_password"}, 401), "wrong_password", "Application Passwords"),
        (json_reply({"code": "invalid_username"}, 401), "wrong_password", "has no user with that name"),
        (json_reply({"code": "invalid_email"}, 401), "wrong_password", "has no user with that name"),
        (page_reply("Authorization Required", 401), "challenge_page", "asks for a password of its own"),
        (page_reply(CHALLENGE, 403), "challenge_page", "A firewall or a security plugin in front of"),
        (page_reply(CHALLENGE, 200), "challenge_page", "challenge page"),
        (page_reply(CHALLENGE, 503), "challenge_page", "challenge page"),
        (page_reply(CHALLENGE + "<script src=/cdn-cgi/challenge-platform/x>", 403), "challenge_page", "(Cloudflare)"),
        (page_reply("Sorry", 403, cf_mitigated="challenge"), "challenge_page", "(Cloudflare)"),
        (page_reply("blocked by wordfence", 403), "challenge_page", "(Wordfence)"),
        (page_reply("/.well-known/sgcaptcha/", 202), "challenge_page", "(SiteGround)"),
        (page_reply("Forbidden", 403), "challenge_page", "challenge page"),
        (page_reply("Welcome to my shop", 200), "bad_answer", "Check that this is the address of the WordPress site"),
        (page_reply("recaptcha" + "x" * 50_000, 200), "bad_answer", "a web page (HTTP 200)"),
        (page_reply("Not Found", 404), "bad_answer", "a web page (HTTP 404)"),
        (page_reply(CRASH, 500), "server_error", "an internal error (HTTP 500)"),
        (json_reply({"code": "internal_server_error", "message": CRASH}, 500), "server_error", "(HTTP 500)"),
        (json_reply({"message": CRASH}, 423), "bad_answer", "refused the request (HTTP 423)"),
        (page_reply("Maintenance", 503), "server_error", "perhaps for maintenance"),
        (page_reply("Bad gateway", 502), "server_error", "(HTTP 502)"),
        (Reply(body=PHP_WARNING), "bad_answer", "Turn display_errors off"),
        (Reply(body=PHP_WARNING, content_type="text/html"), "bad_answer", "Turn display_errors off"),
        (Reply(body=b'{"subscriber": '), "bad_answer", "not valid JSON"),
        (Reply(body=b""), "bad_answer", "not valid JSON"),
        (json_reply({}), "bad_answer", "(subscriber: expected an object, found nothing)"),
        (json_reply([]), "bad_answer", "(the response: expected an object, found a list)"),
        (json_reply({"subscriber": {"id": 1}}), "bad_answer", "(subscriber.email: expected text"),
        (
            json_reply({"subscriber": {"id": 1248, "email": "a@b.example"}}),
            "bad_answer",
            "(subscriber.tags: expected a list",
        ),
        (json_reply({"subscriber": {"id": 7, "email": "a@b.example", "tags": []}}), "bad_answer", "another contact"),
    ],
)
def test_other_errors(connect: Connect, serve: Serve, reply: Reply, code: str, message: str) -> None:
    error = error_of(connect, serve, reply)
    assert (type(error), error.code) == (TransientError, code)
    assert message in error.message
    assert not any(part in error.message for part in ("/var/www", "SQL", "critical error", PASSWORD, "a@b.example"))


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (503, "server_error")])
def test_the_error_says_how_long_to_wait(connect: Connect, serve: Serve, status: int, code: str) -> None:
    error = error_of(connect, serve, page_reply("Slow down", status, Retry_After="600"))
    assert isinstance(error, TransientError)
    assert (error.code, error.retry_after) == (code, 600.0)


def test_nothing_is_wrong_with_a_good_answer() -> None:
    assert api_error(Response(200, {}, b"{}", "application/json"), "crm.example") is None
    assert api_error(Response(200, {}, b"\xef\xbb\xbf{}", "application/json"), "crm.example") is None


class TestWhereItIsAsked:
    @pytest.mark.parametrize(
        ("pasted", "base"),
        [
            ("https://crm.example", "https://crm.example"),
            ("https://crm.example/", "https://crm.example"),
            (" crm.example ", "https://crm.example"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("https://crm.example/wp-json", "https://crm.example"),
            ("https://crm.example/wp-json/fluent-crm/v2/", "https://crm.example"),
            ("https://crm.example/blog/", "https://crm.example/blog"),
            ("https://crm.example/blog/wp-json/", "https://crm.example/blog"),
            ("https://crm.example/wp-admin/admin.php?page=fluentcrm-admin#/subscribers", "https://crm.example"),
            ("https://crm.example/blog/wp-admin", "https://crm.example/blog"),
            ("https://crm.example/wp-login.php", "https://crm.example"),
            ("https://crm.example/?rest_route=/", "https://crm.example"),
            ("https://crm.example/index.php?rest_route=/", "https://crm.example"),
            ("https://crm.example/wp-administration/", "https://crm.example/wp-administration"),
            ("http://[::1", "http://[::1"),
        ],
    )
    def test_the_owners_address(self, pasted: str, base: str) -> None:
        assert base_address(pasted) == base

    def test_credentials_go_as_basic_auth(self, connect: Connect, serve: Serve) -> None:
        server = serve(recorded_answer("get-subscriber-with-custom-values"))
        connect(server.url).load([ContactRef(id="1248")])
        (request,) = server.requests
        assert (
            request.headers["Authorization"] == "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        )
        assert request.target == "/wp-json/fluent-crm/v2/subscribers/1248?with%5B%5D=subscriber.custom_values"

    @pytest.mark.parametrize(
        "otherwise",
        [page_reply("Not Found", 404), page_reply("Welcome"), Reply(301, headers={"Location": "/wp-json/x/"})],
    )
    def test_plain_permalinks_are_found_out_once(self, connect: Connect, serve: Serve, otherwise: Reply) -> None:
        good = recorded_answer("get-subscriber")

        def answer(request: Request) -> Reply:
            return otherwise if request.path != "/blog/" else good

        server = serve(answer)
        client = connect(server.url + "/blog")
        for _ in range(2):
            (contact,) = client.load([ZOE]).values()
            assert isinstance(contact, Contact)
        assert [request.path for request in server.requests] == [
            *("/blog/wp-json/fluent-crm/v2/subscribers/1248", "/blog/", "/blog/"),
        ]
        assert server.requests[-1].params == {
            "rest_route": "/fluent-crm/v2/subscribers/1248",
            "with[]": "subscriber.custom_values",
        }

    def test_writes_are_sent_again_too(self, connect: Connect, serve: Serve) -> None:
        server = serve(
            lambda request: page_reply("Home") if request.path != "/" else recorded_answer("update-subscriber")
        )
        assert connect(server.url).write_fields([PUT]) == {"1246": None}
        assert server.requests[1].method == "PUT"
        assert server.requests[1].json == {"subscriber": {"custom_values": {"wp_password": "secret-value"}}}

    def test_a_site_that_moved_is_reported(self, connect: Connect, serve: Serve) -> None:
        error = error_of(connect, serve, Reply(301, headers={"Location": "https://127.0.0.1/x?secret=1"}))
        assert error.code == "redirected"
        assert "Use https://127.0.0.1 as the address" in error.message

    @pytest.mark.parametrize("status", [500, 502, 503, 429])
    def test_a_site_in_trouble_is_not_asked_twice(self, connect: Connect, serve: Serve, status: int) -> None:
        server = serve(page_reply("Trouble", status))
        with pytest.raises(TransientError):
            connect(server.url).load([ZOE])
        assert len(server.requests) == 1

    def test_an_address_that_is_none(self, connect: Connect) -> None:
        with pytest.raises(PermanentError) as caught:
            connect("").load([ZOE])
        assert caught.value.code == "bad_address"
