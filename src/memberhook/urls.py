"""All addresses of Memberhook, for a host project: `path("members/", include("memberhook.urls"))`, under any prefix.

The members' pages are among them when `memberhook.members_area` is in INSTALLED_APPS.
"""

from __future__ import annotations

from importlib import import_module

from django.apps import apps
from django.urls import URLPattern, path

from memberhook.intake import views

app_name = "memberhook"

urlpatterns: list[URLPattern] = [
    path("hooks/<str:name>", views.hook, name="hook"),
    path("hooks/<str:name>/", views.hook),
    path("hooks/<str:name>/events", views.events, name="events"),
    path("hooks/<str:name>/events/", views.events),
    path("hooks/<path:name>", views.hook),  # refused as every wrong address of a hook is
    path("deliveries/<str:pk>", views.delivery, name="delivery"),
    path("healthz", views.health_page, {"page": "healthz"}, name="healthz"),
    path("readyz", views.health_page, {"page": "readyz"}, name="readyz"),
    path("metrics", views.health_page, {"page": "metrics"}, name="metrics"),
]
if apps.is_installed("memberhook.members_area"):
    urlpatterns += import_module("memberhook.members_area.urls").urlpatterns
