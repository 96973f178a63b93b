from __future__ import annotations

from django.apps import AppConfig


class CoursesConfig(AppConfig):
    name = "courses"

    def ready(self) -> None:
        from memberhook.signals import tags_applied, tags_removed

        from courses.receivers import enrol, leave

        tags_applied.connect(enrol)
        tags_removed.connect(leave)
