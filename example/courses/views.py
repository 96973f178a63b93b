from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from memberhook.members_area.access import tag_required


def courses(request: HttpRequest) -> HttpResponse:
    return render(request, "courses/courses.html")


@tag_required("gold")
def gold(request: HttpRequest) -> HttpResponse:
    return HttpResponse("The gold members' room.", content_type="text/plain")
