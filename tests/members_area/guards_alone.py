"""A project that uses a guard and none of Memberhook's pages."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from memberhook.members_area.access import tag_required


@tag_required("gold")
def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("gold")


urlpatterns = [path("", page)]
