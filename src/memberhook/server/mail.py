"""Django's mail settings from one URL, in the form that the Django version wants: 6.1 has changed it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import django
from django.core.exceptions import ImproperlyConfigured

from memberhook import conf

SECONDS = 15
"""How long a mail server may take to answer."""

PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
"""Plain, STARTTLS, TLS from the start (RFC 8314)."""

_EMAIL = {"username": "EMAIL_HOST_USER", "password": "EMAIL_HOST_PASSWORD"}


def mail_settings(url: str) -> dict[str, Any]:
    """The settings for a URL like `smtp+tls://user:password@host:587`. For "", e-mails are files in the data folder.

    Raises `ImproperlyConfigured` for an invalid URL, without repeating it: it has a password in it.
    """
    backend, options = "memberhook.engine.mail_files.FileBackend", {}
    if url:
        backend, options = "django.core.mail.backends.smtp.EmailBackend", _smtp(url)
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    return {"EMAIL_BACKEND": backend} | {_EMAIL.get(k, f"EMAIL_{k.upper()}"): value for k, value in options.items()}


def _smtp(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if not host or parts.scheme not in PORTS:
        raise ImproperlyConfigured(
            f"{conf.EMAIL_URL.variable} cannot be read; write it like smtp+tls://user:password@mail.example:587 "
            f"({', '.join(PORTS)}; a special character in the password percent-encoded)."
        )
    return {
        "host": host,
        "port": port or PORTS[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_tls": parts.scheme == "smtp+tls",
        "use_ssl": parts.scheme == "smtps",
        "timeout": SECONDS,
    }
