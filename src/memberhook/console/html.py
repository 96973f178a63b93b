"""Small pieces of pages: badges, links, shortened text. All of it is escaped here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timezone import localtime

from memberhook.console.labels import Label, Text


def badge(text: Text, tone: str = "calm") -> SafeString:
    return format_html('<span class="mh-badge mh-{}">{}</span>', tone, text)


def label_badge(label: Label) -> SafeString:
    return badge(label.text, label.tone)


def link(url: str | None, text: Any) -> SafeString | str:
    """The text, as a link where there is an address."""
    return format_html('<a href="{}">{}</a>', url, text) if url else str(text)


def short(text: str, length: int = 110) -> SafeString | str:
    """The text, cut to so many characters; the whole of it appears when the pointer rests on it."""
    cut = Truncator(text).chars(length)
    return cut if cut == text else format_html('<span title="{}">{}</span>', text, cut)


def admin_url(model: Any, what: str, *args: Any) -> str | None:
    """The address of a screen (`changelist`, `change`), None where the project has no such screen."""
    try:
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{what}", args=args)
    except NoReverseMatch:
        return None


def moment(time: datetime | None) -> SafeString | str:
    """A point in time on one line, in the time zone of the project."""
    return format_html('<span class="mh-nowrap">{}</span>', date_format(localtime(time), "j M Y, H:i")) if time else ""


def span(time: timedelta) -> str:
    """A length of time in its largest unit: `40 s`, `12 min`, `3 h`, `5 days`."""
    seconds = max(int(time.total_seconds()), 0)
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
