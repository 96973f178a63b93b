from __future__ import annotations

from django.apps import AppConfig


class ServiceConfig(AppConfig):
    name = "memberhook.service"
    label = "memberhook_service"
    verbose_name = "Memberhook service"
