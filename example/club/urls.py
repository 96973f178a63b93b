from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from courses import views

urlpatterns = [
    path("", views.courses, name="courses"),
    path("gold/", views.gold, name="gold"),
    path("admin/", admin.site.urls),
    path("", include("memberhook.urls")),  # Memberhook
]
