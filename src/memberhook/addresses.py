"""Every address that is printed, mailed or answered: MEMBERHOOK_PUBLIC_URL and the path of a view in the URLconf.

The script name (FORCE_SCRIPT_NAME, SCRIPT_NAME, root_path) is part of MEMBERHOOK_PUBLIC_URL, because a worker or a
command does not know under which one the web server runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urljoin

from django.conf import settings
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_script_prefix, reverse

from memberhook import conf
from memberhook.core.errors import UsageError

ROOT_VIEW = "memberhook_root"
"""The name of a URL that takes webhooks for every hook, which the key tells apart. The service has one at `/`."""


def public_url() -> str:
    """Where the world reaches the project, without a slash at the end."""
    return conf.PUBLIC_URL().rstrip("/")


def address_of(view: str, /, *, query: Mapping[str, str] | None = None, **arguments: Any) -> str:
    """The public address of a named view. Raises `NoReverseMatch` where the project's URLconf does not have it."""
    path = reverse(view, kwargs=arguments, urlconf=settings.ROOT_URLCONF).removeprefix(get_script_prefix())
    return f"{public_url()}/{path}" + (f"?{urlencode(query)}" if query else "")


def served(view: str, /, **arguments: Any) -> bool:
    """Whether the project's URLconf has the view."""
    try:
        address_of(view, **arguments)
    except NoReverseMatch:
        return False
    return True


def hook_address(name: str | None, query: Mapping[str, str]) -> str:
    """The address of the hook of that name, or (None) the one for all hooks.

    Raises `UsageError` where the project does not serve it.
    """
    try:
        if name is None:
            return address_of(ROOT_VIEW, query=query)
        return address_of("memberhook:hook", name=name, query=query)
    except NoReverseMatch as error:
        raise _not_served() from error


def events_address(name: str) -> str:
    """Where signed requests for the hook go. Raises `UsageError` where it is not served."""
    try:
        return address_of("memberhook:events", name=name)
    except NoReverseMatch as error:
        raise _not_served() from error


def _not_served() -> UsageError:
    return UsageError(
        "No webhook can come in: the project's URLconf does not include memberhook.urls, or not the address asked for.",
        code="no_address",
    )


def set_password_address(uidb64: str, token: str) -> str | None:
    """The page where a new member chooses a password: ours, or the project's `password_reset_confirm`."""
    for view in ("memberhook:set_password", "password_reset_confirm"):
        if served(view, uidb64=uidb64, token=token):
            return address_of(view, uidb64=uidb64, token=token)
    return None


def login_address() -> str:
    """The log-in page: ours, or the one that LOGIN_URL names."""
    for view in ("memberhook:login", settings.LOGIN_URL):
        if served(view):
            return address_of(view)
    return urljoin(f"{public_url()}/", resolve_url(settings.LOGIN_URL))
