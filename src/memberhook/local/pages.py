"""Pages of the local site."""

from __future__ import annotations

from django.http import HttpRequest

from memberhook import conf


def site_name(request: HttpRequest) -> dict[str, str]:
    """Context processor: the name of the site."""
    return {"site_name": conf.SITE_NAME()}
