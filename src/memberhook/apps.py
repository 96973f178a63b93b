"""The Django app, for the service and for host projects."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class MemberhookConfig(AppConfig):
    name = "memberhook"
    verbose_name = "Memberhook"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from memberhook import checks  # noqa: F401  # registers the system checks
        from memberhook.sites.local.setup import create_missing_rows

        post_migrate.connect(create_missing_rows, sender=self)
