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
    path("deliveries/<int:pk>", views.delivery, name="delivery"),
]
if apps.is_installed("memberhook.members_area"):
    urlpatterns += import_module("memberhook.members_area.urls").urlpatterns
