"""The URLconf of a host project that does not run ASGI."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("", include("memberhook.urls"))]
