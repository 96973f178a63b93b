"""Replay, always with a question first: how many deliveries, and what it means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
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
from memberhook.engine import inbox, wakeup
from memberhook.models.deliveries import Delivery

AT_ONCE = 500
SHOWN = 10


@dataclass(frozen=True)
class Replay:
    """Those of the deliveries that have ended, to be tried again as if they had just come. `what`: them in words."""

    model_admin: Any
    request: HttpRequest
    deliveries: QuerySet[Delivery]
    what: str

    @property
    def finished(self) -> QuerySet[Delivery]:
        return self.deliveries.filter(state__in=FINISHED).order_by("pk")

    def ask(self, **hidden: str) -> TemplateResponse:
        """The page that asks; `hidden`: what its answer brings along."""
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
        """What was ticked in the list; for "all of them", one tick and the list's filters in the address do."""
        ticked = self.request.POST.getlist(ACTION_CHECKBOX_NAME)
        everything = self.request.POST.get("select_across") == "1"
        for pk in ticked[:1] if everything else ticked:
            yield ACTION_CHECKBOX_NAME, pk
        if everything:
            yield "select_across", "1"

    def do(self) -> None:
        now, count, hooks = timezone.now(), 0, set[int]()
        chosen = iter(list(self.finished.values_list("pk", "hook_id")))
        while part := list(islice(chosen, AT_ONCE)):
            count += inbox.replay([pk for pk, _ in part], now)
            hooks.update(hook for _, hook in part)
        wakeup.notify_workers(hooks)
        level = messages.SUCCESS if count else messages.WARNING
        text = f"Replayed {count} {'delivery' if count == 1 else 'deliveries'}: the list shows how they go on."
        messages.add_message(self.request, level, text if count else "Nothing had ended, so nothing was replayed.")


def replay_view(model_admin: Any, request: HttpRequest) -> HttpResponseBase:
    """`?id=12`: one delivery; `?status=failed`: all that failed. GET asks, POST does."""
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
