"""Replay deliveries after a confirmation that says how many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from memberhook.core.states import FINISHED, State
from memberhook.models.deliveries import Delivery
from memberhook.services.deliveries import replay

SHOWN = 10


@dataclass(frozen=True)
class Replay:
    """A replay of those of the deliveries that have ended. `what`: describes them."""

    model_admin: Any
    request: HttpRequest
    deliveries: QuerySet[Delivery]
    what: str

    @property
    def finished(self) -> QuerySet[Delivery]:
        return self.deliveries.filter(state__in=FINISHED).order_by("pk")

    def ask(self, **hidden: str) -> TemplateResponse:
        """The confirmation page. `hidden`: further fields of its form."""
        finished = self.finished
        count = finished.count()
        context = {
            **self.model_admin.admin_site.each_context(self.request),
            "opts": Delivery._meta,
            "media": self.model_admin.media,
            "title": "Replay",
            "what": self.what,
            "count": count,
            "left_out": self.deliveries.count() - count,
            "examples": finished.select_related("hook")[:SHOWN],
            "more": max(count - SHOWN, 0),
            "hidden": [*hidden.items(), *self._selection()],
            "back": reverse("admin:memberhook_delivery_changelist"),
        }
        return TemplateResponse(self.request, "memberhook/console/replay.html", context)

    def _selection(self) -> Iterator[tuple[str, str]]:
        """What was ticked in the list. For "select all", one of them and the filters in the address are enough."""
        ticked = self.request.POST.getlist(ACTION_CHECKBOX_NAME)
        everything = self.request.POST.get("select_across") == "1"
        for pk in ticked[:1] if everything else ticked:
            yield ACTION_CHECKBOX_NAME, pk
        if everything:
            yield "select_across", "1"

    def do(self) -> None:
        count = replay(self.deliveries, timezone.now())
        level = messages.SUCCESS if count else messages.WARNING
        text = f"Replayed {count} {'delivery' if count == 1 else 'deliveries'}; the list shows their progress."
        messages.add_message(self.request, level, text if count else "None of them had ended, so nothing was replayed.")


def replay_view(model_admin: Any, request: HttpRequest) -> HttpResponseBase:
    """`?id=12`: one delivery; `?status=failed`: all that failed. GET asks, POST replays."""
    if not model_admin.has_replay_permission(request):
        raise PermissionDenied
    listing = reverse("admin:memberhook_delivery_changelist")
    pk = request.GET.get("id", "")
    if pk.isascii() and pk.isdigit():
        deliveries, what = Delivery.objects.filter(pk=int(pk)), f"delivery {pk}"
        after = reverse("admin:memberhook_delivery_change", args=[pk])
    elif request.GET.get("status") == State.FAILED:
        deliveries, what, after = Delivery.objects.filter(state=State.FAILED), "all failed deliveries", listing
    else:
        raise Http404
    chosen = Replay(model_admin, request, deliveries, what)
    if request.method != "POST":
        return chosen.ask()
    chosen.do()
    return HttpResponseRedirect(after)
