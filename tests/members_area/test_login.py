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
def test_username_or_email_in_any_case(client: Client, ada: Any, entered: str) -> None:
    response = log_in(client, entered)
    assert (response.status_code, response["Location"]) == (302, "/account/")
    assert get_user(client) == ada


def test_wrong_password_says_what_is_wrong_and_logs_nobody_in(client: Client, ada: Any) -> None:
    response = log_in(client, "ada@example.com", "wrong")
    assert response.status_code == 200
    assert b"is not correct" in response.content
    assert b'value="ada@example.com"' in response.content
    assert b"wrong" not in response.content
    assert get_user(client).is_anonymous


def test_an_email_of_two_logs_neither_in(client: Client, make_user: MakeUser) -> None:
    make_user("ada", "us@example.com")
    make_user("bob", "US@example.com")
    assert log_in(client, "us@example.com").status_code == 200
    assert get_user(client).is_anonymous


def test_an_exact_username_counts_before_another_members_email(client: Client, make_user: MakeUser) -> None:
    """A username that is the e-mail of another member opens the own account only."""
    owner = make_user("bob@example.com", "robert@example.com")
    make_user("bob", "bob@example.com")
    log_in(client, "bob@example.com")
    assert get_user(client) == owner


def test_usernames_that_differ_only_in_case_are_distinguished(make_user: MakeUser) -> None:
    make_user("ada", "one@example.com")
    make_user("Ada", "two@example.com")
    assert [username_of(entered) for entered in ("ada", "Ada", "ADA")] == ["ada", "Ada", "ADA"]


def test_an_email_longer_than_any_username(client: Client, make_user: MakeUser) -> None:
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
    ("next_page", "lands"),
    [("/deep/page/?x=1", "/deep/page/?x=1"), ("https://evil.example/", "/account/"), ("//evil.example", "/account/")],
)
def test_next_is_followed_within_the_site_only(client: Client, ada: Any, next_page: str, lands: str) -> None:
    page = client.get("/login/", {"next": next_page})
    response = client.post("/login/", {"username": "ada", "password": PASSWORD, "next": next_page})
    assert response["Location"] == lands
    assert (f'name="next" value="{next_page}"' in page.content.decode()) is (lands == next_page)


def test_a_post_from_another_site_is_refused(ada: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert log_in(strict, "ada").status_code == 403


def test_the_log_in_page_shows_who_is_logged_in(ada_logged_in: Client) -> None:
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
