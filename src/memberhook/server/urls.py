"""Addresses of the service that are Django's; hook addresses never get here (memberhook.intake.asgi)."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from memberhook.members_area.pages import home

urlpatterns = [
    path("", home, name="home"),
    path("console/", admin.site.urls),
    path("", include("memberhook.members_area.urls")),
]
