"""Addresses of the service. Behind memberhook.intake.asgi, Django never sees those of hooks and deliveries."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from memberhook.server.views import home

urlpatterns = [
    path("", home, name="home"),
    path("console/", admin.site.urls),
    path("", include("memberhook.urls")),
]
