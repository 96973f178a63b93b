"""The root address of the service: webhooks of every hook, and the front page."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from memberhook.intake.views import hook, is_webhook
from memberhook.members_area.pages import console_url, page_context


@csrf_exempt
@transaction.non_atomic_requests
def root(request: HttpRequest) -> HttpResponse:
    if is_webhook(request.method or "", request.META["QUERY_STRING"].encode()):
        return hook(request)
    return home(request)


def home(request: HttpRequest) -> HttpResponse:
    """Say what runs here, and nothing about its members."""
    return render(request, "memberhook/home.html", page_context(request) | {"console": console_url()})
