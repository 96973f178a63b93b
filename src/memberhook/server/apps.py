from __future__ import annotations

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class ServerConfig(AppConfig):
    name = "memberhook.server"
    label = "memberhook_server"
    verbose_name = "Memberhook service"

    def ready(self) -> None:
        from django.contrib import admin

        from memberhook.sites.local.setup import create_administrator

        post_migrate.connect(create_administrator, sender=apps.get_app_config("memberhook"))

        admin.site.index_template = "memberhook/console/index.html"  # a host project keeps its own front page
