"""A project with log-in pages of its own: the welcome e-mail leads to them, and checks say what is missing."""

from __future__ import annotations

import json
from typing import Any

from tests.host.conftest import Run

CODE = """
import json
from types import SimpleNamespace
from django.apps import apps
from django.contrib.auth.models import User
from django.core import checks
from django.core.management import call_command
from django.template.loader import render_to_string
from django.test import Client, override_settings
from django.urls import NoReverseMatch, clear_url_caches, reverse
from memberhook.core.errors import PermanentError
from memberhook.engine.welcome import welcome_mail
from memberhook.members_area.access import has_role, has_tag, tag_required
from memberhook.models.connections import Connection, Hook, Site
from memberhook.services import hooks

call_command("migrate", verbosity=0)
ada = User.objects.create_user("ada", "ada@example.com")
followup = SimpleNamespace(pk=1, member_id=ada.pk)
shop = Connection.objects.create(name="shop", kind="fluentcrm")
hook = Hook.objects.create(name="shop", connection=shop, site=Site.objects.get())

def problems():
    return sorted(message.id for message in checks.run_checks())

def page(name):
    try:
        return reverse(name)
    except NoReverseMatch:
        return None

shown = {"problems": problems(), "pages": [page("memberhook:forgot_password"), page("memberhook:account")]}
shown["mail"] = welcome_mail(followup).body
shown["urls"] = hooks.urls(hook, "KEY")
shown["guards"] = [has_role(ada, "subscriber"), has_tag(ada, "gold")]
client = Client()
shown["webhook"] = client.post("/members/hooks/shop?wpf_action=test").json()["error"]["code"]
client.force_login(ada)
from django.urls import path
from tests.host import urls
urls.urlpatterns.append(path("gold/", tag_required("gold")(urls.home)))
clear_url_caches()
refused = client.get("/gold/")
shown["refused"] = [refused.status_code, "gold" in refused.content.decode()]
with override_settings(ROOT_URLCONF="tests.members_area.guards_alone"):
    shown["problems without urls"] = problems()
    try:
        welcome_mail(followup)
    except PermanentError as error:
        shown["no page"] = error.message
print(json.dumps(shown))
"""


def test_a_project_with_pages_of_its_own(run: Run) -> None:
    shown: dict[str, Any] = json.loads(run(code=CODE).splitlines()[-1])
    assert shown["problems"] == []
    assert shown["pages"] == [None, None]
    assert "https://club.example/accounts/reset/" in shown["mail"]
    assert "https://club.example/accounts/login/" in shown["mail"]
    assert shown["urls"]["add"] == "https://club.example/members/hooks/shop?wpf_action=add&access_key=KEY"
    assert shown["guards"] == [False, False]
    assert shown["webhook"] == "invalid_access_key"
    assert shown["refused"] == [403, True]
    assert shown["problems without urls"] == ["memberhook.W003", "memberhook.W004"]
    assert "name a URL password_reset_confirm" in shown["no page"]
