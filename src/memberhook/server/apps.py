from __future__ import annotations

from django.apps import AppConfig


class ServerConfig(AppConfig):
    name = "memberhook.server"
    label = "memberhook_server"
    verbose_name = "Memberhook service"

    def ready(self) -> None:
        from django.contrib import admin

        admin.site.index_template = "memberhook/console/index.html"  # a host project keeps its own front page
