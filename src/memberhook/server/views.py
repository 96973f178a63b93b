"""The front page of the service."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from memberhook.members_area.pages import console_url, page_context


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Say what runs here, and nothing about its members."""
    return render(request, "memberhook/home.html", page_context(request) | {"console": console_url()})
