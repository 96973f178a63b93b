from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.tokens import PasswordResetTokenGenerator, default_token_generator
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from memberhook.engine.welcome import welcome_mail
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery
from memberhook.models.followups import FollowUp, Kind

NEW = "a brand new pass phrase"


def link_to_set(user: Any) -> str:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("memberhook:set_password", args=[uid, default_token_generator.make_token(user)])


def choose(client: Client, link: str, password: str = NEW, again: str | None = None) -> Any:
    """Opens a link of a mail and sends the form that it leads to."""
    first = client.get(link, follow=True)
    form = first.redirect_chain[-1][0] if first.redirect_chain else link
    return client.post(form, {"new_password1": password, "new_password2": again or password})


def test_the_mails_link_is_made_from_the_public_address(client: Client, ada: Any) -> None:
    response = client.post("/password/", {"email": "ADA@example.com"}, headers={"host": "localhost"})
    assert response["Location"] == "/password/sent/"
    [message] = mail.outbox
    assert message.to == ["Ada@example.com"]
    assert message.subject == "Set a new password for The Club"
    [link] = re.findall(r"https?://\S+", message.body)
    assert link.startswith("https://club.example/password/set/")
    assert "localhost" not in message.body
    assert "ada" in message.body
    choose(client, link.removeprefix("https://club.example"))
    assert get_user(client) == ada


def test_a_forged_host_changes_no_mail(client: Client, ada: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    client.post("/password/", {"email": "ada@example.com"}, headers={"host": "evil.example"})
    [message] = mail.outbox
    assert "evil.example" not in message.message().as_string()


@pytest.mark.parametrize("email", ["nobody@example.com", "ada@example.com"])
def test_nobody_learns_who_is_a_member(client: Client, ada: Any, email: str) -> None:
    response = client.post("/password/", {"email": email}, follow=True)
    assert response.redirect_chain == [("/password/sent/", 302)]
    assert email.encode() not in response.content


def test_the_password_is_set_and_the_member_logged_in(client: Client, ada: Any) -> None:
    response = choose(client, link_to_set(ada))
    assert (response.status_code, response["Location"]) == (302, "/account/")
    assert get_user(client) == ada
    ada.refresh_from_db()
    assert ada.check_password(NEW)


def test_the_link_does_not_stay_in_the_address_bar(client: Client, ada: Any) -> None:
    link = link_to_set(ada)
    shown = client.get(link)
    assert shown.status_code == 302
    assert link.split("/")[-2] not in shown["Location"]
    page = client.get(shown["Location"]).content.decode()
    assert 'autocomplete="username"' in page
    assert "Your username: ada" in page


@pytest.mark.parametrize(("password", "again"), [(NEW, "another"), ("12345678", None), ("ada", None)])
def test_a_password_that_will_not_do_changes_nothing(
    client: Client, ada: Any, password: str, again: str | None
) -> None:
    response = choose(client, link_to_set(ada), password, again)
    assert response.status_code == 200
    assert b"errorlist" in response.content
    assert b"<title>Error: Set your password" in response.content
    assert get_user(client).is_anonymous


def test_a_link_works_once(client: Client, ada: Any) -> None:
    link = link_to_set(ada)
    choose(client, link)
    client.logout()
    page = client.get(link).content.decode()
    assert "This link is no longer valid" in page
    assert 'href="/password/"' in page
    assert 'name="new_password1"' not in page


def test_an_expired_link_offers_a_new_one(client: Client, ada: Any, monkeypatch: Any, settings: Any) -> None:
    link = link_to_set(ada)
    late = datetime.now() + timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT + 5)  # noqa: DTZ005  # as Django counts
    monkeypatch.setattr(PasswordResetTokenGenerator, "_now", lambda self: late)
    page = client.get(link).content.decode()
    assert "has expired" in page
    assert 'href="/password/"' in page


@pytest.mark.parametrize("link", ["/password/set/x/y/", "/password/set/MQ/set-password/", "/password/set/OTk5OQ/a-b/"])
def test_a_made_up_link_says_the_same(client: Client, ada: Any, link: str) -> None:
    assert b"This link is no longer valid" in client.get(link).content


def test_the_welcome_mails_link_leads_here(client: Client, ada: Any, hook: Hook) -> None:
    delivery = Delivery.objects.create(hook=hook, action="add", ordering_key="x")
    message = welcome_mail(FollowUp.objects.create(delivery=delivery, kind=Kind.WELCOME, member_id=str(ada.pk)))
    assert message is not None
    link, login = re.findall(r"https://club\.example(\S+)", str(message.body))
    assert login == "/login/"
    choose(client, link)
    assert get_user(client) == ada


class Strange(ModelBackend):
    """A backend of a host project that lets nobody stay."""

    def get_user(self, user_id: Any) -> None:
        return None


def test_with_several_backends_one_that_knows_the_member_is_taken(client: Client, ada: Any, settings: Any) -> None:
    usual = "django.contrib.auth.backends.ModelBackend"
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Strange", usual]
    choose(client, link_to_set(ada))
    assert get_user(client) == ada
    assert client.session["_auth_user_backend"] == usual


def test_an_inactive_member_is_not_logged_in(client: Client, make_user: Callable[..., Any]) -> None:
    user = make_user(is_active=False)
    choose(client, link_to_set(user))
    assert get_user(client).is_anonymous
