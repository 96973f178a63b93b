"""The admin of a host project: its pages for users and groups stay the project's."""

from __future__ import annotations

import json

from django.contrib import admin
from django.contrib.auth.models import Group, User

from memberhook.console.members import GroupAdmin, MemberAdmin
from tests.host.conftest import Run

CODE = """
import json
from django.contrib import admin
from django.contrib.auth.models import Group, User
admin.autodiscover()
pages = {model._meta.label: type(page) for model, page in admin.site._registry.items()}
print(json.dumps({label: f"{page.__module__}.{page.__name__}" for label, page in pages.items()}))
"""


def test_users_and_groups_keep_djangos_pages(run: Run) -> None:
    pages = json.loads(run(code=CODE))
    assert pages["auth.User"] == "django.contrib.auth.admin.UserAdmin"
    assert pages["auth.Group"] == "django.contrib.auth.admin.GroupAdmin"
    assert pages["memberhook.Delivery"] == "memberhook.console.deliveries.DeliveryAdmin"


def test_the_service_has_pages_for_members_and_groups() -> None:
    assert type(admin.site._registry[User]) is MemberAdmin
    assert type(admin.site._registry[Group]) is GroupAdmin
