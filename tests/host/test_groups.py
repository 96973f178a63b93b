"""Groups, permissions and users of a host project stay what the project has made them."""

from __future__ import annotations

import json
from typing import Any

from tests.host.conftest import Run

PRELUDE = """
import json
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from memberhook.core.errors import UsageError
from memberhook.models.connections import Site
from memberhook.models.members import RoleInfo
from memberhook.services import accounts
from memberhook.sites.local.group_roles import group_roles

def migrate(*names):
    call_command("migrate", *names, verbosity=0)

def groups():
    return {g.name: sorted(p.codename for p in g.permissions.all()) for g in Group.objects.all()}

def titled():
    return sorted(RoleInfo.objects.values_list("slug", flat=True))

shown = []
"""

WITH_GROUPS_BEFORE = """
for app in ("auth", "contenttypes", "admin", "sessions"):
    migrate(app)
for name, codename in (("administrator", "view_session"), ("Subscriber", "view_group"), ("customer", "add_user")):
    Group.objects.create(name=name).permissions.add(Permission.objects.get(codename=codename))
"""

OWN = {"administrator": ["view_session"], "Subscriber": ["view_group"], "customer": ["add_user"]}


def shown(run: Run, code: str) -> Any:
    return json.loads(run(code=f"{PRELUDE}{code}\nprint(json.dumps(shown))"))


def test_groups_that_were_there_before_stay_as_they_are(run: Run) -> None:
    code = """
for _ in range(2):
    migrate()
    shown.append([groups(), titled()])
shown.append({e.role.slug: [e.role.title, e.role.privileged] for e in group_roles()})
shown.append(accounts.new_role("customer", None).title)
try:
    accounts.new_role("customer", "Buyer")
except UsageError as error:
    shown.append(error.message)
accounts.new_role("gold", None)
ada = accounts.new_member("ada", "ada@example.com", "administrator", "", "", None)
shown.append([ada.is_staff, ada.is_superuser])
migrate()
shown.append([groups(), titled()])
migrate("memberhook", "zero")
migrate()
shown.append([groups(), titled()])
"""
    first, second, roles, title, refused, staff, after, again = shown(run, WITH_GROUPS_BEFORE + code)
    assert first == second == [OWN, []]
    assert roles == {
        "administrator": ["administrator", True],
        "subscriber": ["Subscriber", True],
        "customer": ["customer", True],
    }
    assert title == "customer"
    assert refused == "There is a role 'customer' already, with the title 'customer'."
    assert staff == [False, False]
    assert after == [OWN | {"gold": []}, ["gold"]]
    assert again == [OWN | {"gold": []}, []]


def test_in_an_empty_project_no_group_with_permissions_is_made(run: Run) -> None:
    code = """
migrate()
shown.append([groups(), titled()])
Site.objects.update(name="club")
migrate()
shown.append([groups(), titled(), [site.name for site in Site.objects.all()]])
"""
    first, second = shown(run, code)
    assert first == [{"subscriber": []}, ["subscriber"]]
    assert second == [*first, ["club"]]
