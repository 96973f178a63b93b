"""Names that docs/django.md has promised to host projects are importable, also from where they were before."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.template import Context, Template

GUARDS = "has_role has_tag role_required tag_required RoleRequiredMixin TagRequiredMixin"
SIGNALS = "member_changed member_created tags_applied tags_removed"


@pytest.mark.parametrize(
    ("module", "names", "before"),
    [
        ("memberhook.members_area.access", GUARDS, "memberhook.local.access"),
        ("memberhook.signals", SIGNALS, "memberhook.local.signals"),
        ("memberhook.intake.asgi", "application", "memberhook.web.asgi"),
        ("memberhook.engine.runtime", "system_runtime", ""),
        ("memberhook.worker", "real_tools Worker", ""),
        ("memberhook.urls", "app_name urlpatterns", ""),
        ("memberhook.console.members", "FieldInline TagInline", ""),
    ],
)
def test_names_are_importable(module: str, names: str, before: str) -> None:
    for name in names.split():
        found = getattr(import_module(module), name)
        assert not before or getattr(import_module(before), name) is found


def test_the_template_library_is_loaded_by_name(settings: object) -> None:
    template = Template("{% load memberhook %}{% public_url 'memberhook:hook' name='shop' %}{{ user|has_tag:'gold' }}")
    assert template.render(Context({"user": None})) == "http://127.0.0.1:8000/hooks/shopFalse"
