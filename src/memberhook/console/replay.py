"""Replaying deliveries, after a page that asks for confirmation."""

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
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from memberhook.console.labels import Text
from memberhook.core.states import FINISHED, State
from memberhook.models.deliveries import Delivery
from memberhook.services.deliveries import replay

SHOWN = 10


@dataclass(frozen=True)
class Replay:
    """Replays those of the deliveries that are finished. `question` is the heading of the confirmation page."""

    model_admin: Any
    request: HttpRequest
    deliveries: QuerySet[Delivery]
    question: Text

    @property
    def finished(self) -> QuerySet[Delivery]:
        return self.deliveries.filter(state__in=FINISHED).order_by("pk")

    def confirmation_page(self, **hidden: str) -> TemplateResponse:
        """Return the page that asks for confirmation; `hidden` are further hidden fields of its form."""
        finished = self.finished
        count = finished.count()
        context = {
            **self.model_admin.admin_site.each_context(self.request),
            "opts": Delivery._meta,
            "media": self.model_admin.media,
            "title": _("Replay"),
            "question": self.question,
            "count": count,
            "left_out": self.deliveries.count() - count,
            "examples": finished.select_related("hook")[:SHOWN],
            "more": max(count - SHOWN, 0),
            "hidden": [*hidden.items(), *self._selection()],
            "back": reverse("admin:memberhook_delivery_changelist"),
        }
        return TemplateResponse(self.request, "memberhook/console/replay.html", context)

    def _selection(self) -> Iterator[tuple[str, str]]:
        """Yield the selection in the list; if it is the whole list, one row is enough, as in Django's admin."""
        selected = self.request.POST.getlist(ACTION_CHECKBOX_NAME)
        everything = self.request.POST.get("select_across") == "1"
        for pk in selected[:1] if everything else selected:
            yield ACTION_CHECKBOX_NAME, pk
        if everything:
            yield "select_across", "1"

    def run(self) -> None:
        count = replay(self.deliveries, timezone.now())
        if not count:
            messages.warning(self.request, gettext("No delivery was replayed, because none of them is finished."))
            return
        text = ngettext(
            "%(number)d delivery will be replayed. The list shows the progress.",
            "%(number)d deliveries will be replayed. The list shows the progress.",
            count,
        )
        messages.success(self.request, text % {"number": count})


def replay_view(model_admin: Any, request: HttpRequest) -> HttpResponseBase:
    """Replay one delivery (`?id=12`) or all failed ones (`?status=failed`). GET shows the confirmation page."""
    if not model_admin.has_replay_permission(request):
        raise PermissionDenied
    listing = reverse("admin:memberhook_delivery_changelist")
    pk = request.GET.get("id", "")
    if pk.isascii() and pk.isdigit():
        deliveries = Delivery.objects.filter(pk=int(pk))
        question: Text = gettext("Replay delivery %(number)s?") % {"number": pk}
        after = reverse("admin:memberhook_delivery_change", args=[pk])
    elif request.GET.get("status") == State.FAILED:
        deliveries, after = Delivery.objects.filter(state=State.FAILED), listing
        question = _("Replay all failed deliveries?")
    else:
        raise Http404
    chosen = Replay(model_admin, request, deliveries, question)
    if request.method != "POST":
        return chosen.confirmation_page()
    chosen.run()
    return HttpResponseRedirect(after)
