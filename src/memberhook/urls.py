"""All addresses of Memberhook, for projects of one's own: `path("", include("memberhook.urls"))`.

Behind the ASGI wrapper (memberhook.intake.asgi) the hook addresses never get here; without it they do.
"""

from __future__ import annotations

from django.urls import path

from memberhook.intake import views
from memberhook.members_area import urls as pages

app_name = pages.app_name

urlpatterns = [
    path("hooks/<str:name>", views.hook, name="hook"),
    path("hooks/<str:name>/", views.hook),
    path("hooks/<str:name>/events", views.events, name="events"),
    path("hooks/<str:name>/events/", views.events),
    path("deliveries/<int:pk>", views.delivery, name="delivery"),
    *pages.urlpatterns,
]
