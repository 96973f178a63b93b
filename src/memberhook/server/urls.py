"""Addresses of the service. Behind memberhook.intake.asgi, Django never sees those of hooks and deliveries."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from memberhook.addresses import ROOT_VIEW
from memberhook.server.views import root

urlpatterns = [
    path("", root, name=ROOT_VIEW),
    path("console/", admin.site.urls),
    path("", include("memberhook.urls")),
]
