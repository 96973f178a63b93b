from __future__ import annotations

from django.apps import AppConfig


class MembersAreaConfig(AppConfig):
    name = "memberhook.members_area"
    label = "memberhook_members_area"
    verbose_name = "Members area"
