from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.backends import ModelBackend
from django.test import Client

from memberhook.members_area.forms import username_of
from tests.members_area.conftest import PASSWORD

MakeUser = Callable[..., Any]


def log_in(client: Client, username: str, password: str = PASSWORD, address: str = "/login/") -> Any:
    return client.post(address, {"username": username, "password": password})


@pytest.mark.parametrize("entered", ["ada", "ADA", "ada@example.com", "Ada@Example.com", "ADA@EXAMPLE.COM", " ada "])
def test_login_or_email_in_any_case(client: Client, ada: Any, entered: str) -> None:
    response = log_in(client, entered)
    assert (response.status_code, response["Location"]) == (302, "/account/")
    assert get_user(client) == ada


def test_wrong_password_says_what_is_wrong_and_logs_nobody_in(client: Client, ada: Any) -> None:
    response = log_in(client, "ada@example.com", "wrong")
    assert response.status_code == 200
    assert b"do not belong together" in response.content
    assert b'value="ada@example.com"' in response.content
    assert b"wrong" not in response.content
    assert get_user(client).is_anonymous


def test_an_email_of_two_logs_neither_in(client: Client, make_user: MakeUser) -> None:
    make_user("ada", "us@example.com")
    make_user("bob", "US@example.com")
    assert log_in(client, "us@example.com").status_code == 200
    assert get_user(client).is_anonymous


def test_a_login_as_it_stands_counts_before_somebody_elses_email(client: Client, make_user: MakeUser) -> None:
    """Who takes another's e-mail as login gets no further than to their own account."""
    owner = make_user("bob@example.com", "robert@example.com")
    make_user("bob", "bob@example.com")
    log_in(client, "bob@example.com")
    assert get_user(client) == owner


def test_logins_that_differ_in_case_only_are_told_apart(make_user: MakeUser) -> None:
    make_user("ada", "one@example.com")
    make_user("Ada", "two@example.com")
    assert [username_of(entered) for entered in ("ada", "Ada", "ADA")] == ["ada", "Ada", "ADA"]


def test_an_email_longer_than_any_login(client: Client, make_user: MakeUser) -> None:
    email = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.example"
    user = make_user("long", email)
    assert b'maxlength="254"' in client.get("/login/").content
    log_in(client, email.upper())
    assert get_user(client) == user


def test_inactive_members_stay_out(client: Client, make_user: MakeUser) -> None:
    make_user(is_active=False)
    assert log_in(client, "ada@example.com").status_code == 200
    assert get_user(client).is_anonymous


class OnlyBob(ModelBackend):
    """A backend of a host project, with its own idea of who may come in."""

    def user_can_authenticate(self, user: Any) -> bool:
        return bool(user.get_username() == "bob")


def test_the_hosts_backends_decide(client: Client, settings: Any, make_user: MakeUser) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.OnlyBob"]
    make_user("ada", "ada@example.com")
    bob = make_user("bob", "bob@example.com")
    log_in(client, "ada@example.com")
    assert get_user(client).is_anonymous
    log_in(client, "BOB@example.com")
    assert get_user(client) == bob


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [("/deep/page/?x=1", "/deep/page/?x=1"), ("https://evil.example/", "/account/"), ("//evil.example", "/account/")],
)
def test_next_is_followed_within_the_site_only(client: Client, ada: Any, wanted: str, lands: str) -> None:
    page = client.get("/login/", {"next": wanted})
    response = client.post("/login/", {"username": "ada", "password": PASSWORD, "next": wanted})
    assert response["Location"] == lands
    assert (f'name="next" value="{wanted}"' in page.content.decode()) is (lands == wanted)


def test_a_post_from_another_site_is_refused(ada: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert log_in(strict, "ada").status_code == 403


def test_who_is_logged_in_is_told_so(ada_logged_in: Client) -> None:
    assert b"You are logged in as ada" in ada_logged_in.get("/login/").content


def test_log_out_by_post_only(ada_logged_in: Client) -> None:
    assert ada_logged_in.get("/logout/").status_code == 405
    assert get_user(ada_logged_in).is_authenticated
    response = ada_logged_in.post("/logout/")
    assert (response.status_code, response["Location"]) == (302, "/login/")
    assert get_user(ada_logged_in).is_anonymous


def test_log_out_leads_to_the_login_page_where_the_host_says_nothing(ada_logged_in: Client, settings: Any) -> None:
    settings.LOGOUT_REDIRECT_URL = None
    assert ada_logged_in.post("/logout/")["Location"] == "/login/"
