"""HTML snippets for the console: badges, links, shortened texts, dates. All values are escaped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timezone import localtime
from django.utils.translation import gettext

from memberhook.console.labels import Label, Text

MINUTE, HOUR, DAY = 60, 60 * 60, 24 * 60 * 60


class Link(NamedTuple):
    """A button that leads to another page."""

    url: str
    text: Text


def badge(text: Text, tone: str = "calm") -> SafeString:
    return format_html('<span class="mh-badge mh-{}">{}</span>', tone, text)


def label_badge(label: Label) -> SafeString:
    return badge(label.text, label.tone)


def link(url: str | None, text: Any) -> SafeString | str:
    """Return the text, as a link if there is a URL."""
    return format_html('<a href="{}">{}</a>', url, text) if url else str(text)


def short(text: str, length: int = 110) -> SafeString | str:
    """Return the text cut to `length` characters, with the full text as a tooltip."""
    cut = Truncator(text).chars(length)
    tooltip = "" if cut == text else text
    return format_html('<span class="mh-text" title="{}">{}</span>', tooltip, cut) if text else ""


def one_line(text: Text) -> SafeString:
    return format_html('<span class="mh-nowrap">{}</span>', text)


def admin_url(model: Any, what: str, *args: Any) -> str | None:
    """Return the URL of an admin page (`changelist`, `change`), or None if the project has no such page."""
    try:
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)
    except NoReverseMatch:
        return None


def moment(time: datetime | None) -> SafeString | str:
    """Return date and time on one line, in the project's time zone."""
    return one_line(date_format(localtime(time), "j M Y, H:i")) if time else ""


def span(time: timedelta) -> str:
    """Return a duration in one unit: `40 s`, `12 min`, `3 h`, `5 days`."""
    seconds = max(int(time.total_seconds()), 0)
    if seconds >= 2 * DAY:
        return gettext("%(number)d days") % {"number": seconds // DAY}
    if seconds >= 2 * HOUR:
        return gettext("%(number)d h") % {"number": seconds // HOUR}
    if seconds >= 2 * MINUTE:
        return gettext("%(number)d min") % {"number": seconds // MINUTE}
    return gettext("%(number)d s") % {"number": seconds}
