from __future__ import annotations

from typing import Any

import django
import pytest
from django.core.exceptions import ImproperlyConfigured

from memberhook.server.mail import mail_settings


def options(url: str) -> dict[str, Any]:
    """The options as the backend takes them, whichever form Django's version has."""
    made = mail_settings(url)
    if django.VERSION >= (6, 1):
        return dict(made["MAILERS"]["default"]["OPTIONS"])
    names = {"EMAIL_HOST_USER": "username", "EMAIL_HOST_PASSWORD": "password"}
    return {names.get(k, k.removeprefix("EMAIL_").lower()): v for k, v in made.items() if k != "EMAIL_BACKEND"}


@pytest.mark.parametrize(
    ("url", "port", "tls", "ssl"),
    [
        ("smtp+tls://me%40example.com:p%3Aw@mail.example", 587, True, False),
        ("smtps://me%40example.com:p%3Aw@mail.example", 465, False, True),
        ("smtp://me%40example.com:p%3Aw@mail.example:2525", 2525, False, False),
    ],
)
def test_an_address_becomes_options(url: str, port: int, tls: bool, ssl: bool) -> None:
    made = options(url)
    assert (made["host"], made["port"], made["use_tls"], made["use_ssl"]) == ("mail.example", port, tls, ssl)
    assert (made["username"], made["password"], made["timeout"]) == ("me@example.com", "p:w", 15)


@pytest.mark.parametrize("url", ["mail.example:587", "http://user:secret@mail.example", "smtp://", "smtp://h:x"])
def test_an_invalid_address_is_reported_without_its_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="cannot be read") as caught:
        mail_settings(url)
    assert "secret" not in str(caught.value)


def test_without_an_address_mails_are_files() -> None:
    assert "mail_files.FileBackend" in str(mail_settings(""))
