"""Every screen opens, and no secret is on any of them. It runs with Unfold and (test_plain.py) without."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from memberhook.console import admin_classes
from memberhook.models.connections import Connection
from memberhook.models.deliveries import Delivery
from memberhook.models.members import RoleInfo
from memberhook.models.tags import Tag
from tests.console.conftest import World

LISTS = ("delivery", "hook", "connection", "site", "roleinfo", "tag", "followup", "worker")


def pages(world: World) -> list[str]:
    hook, connection = world.hook.pk, world.hook.connection_id
    details = [
        f"memberhook/delivery/{world.delivery.pk}/change/",
        f"memberhook/delivery/replay/?id={world.delivery.pk}",
        "memberhook/delivery/replay/?status=failed",
        "memberhook/hook/add/",
        f"memberhook/hook/{hook}/change/",
        f"memberhook/hook/{hook}/history/",
        f"memberhook/hook/{hook}/new-key/",
        "memberhook/connection/add/",
        f"memberhook/connection/{connection}/change/",
        f"memberhook/connection/{connection}/delete/",
        f"memberhook/site/{world.hook.site_id}/change/",
        f"memberhook/site/{world.site.pk}/change/",
        f"memberhook/site/{world.site.pk}/delete/",
        "memberhook/site/add/",
        f"memberhook/hook/add/?site={world.site.pk}",
        "memberhook/roleinfo/add/",
        *(f"memberhook/roleinfo/{role.pk}/{what}/" for role in RoleInfo.objects.all() for what in ("change", "delete")),
        f"memberhook/tag/{Tag.objects.get().pk}/change/",
        f"memberhook/followup/{world.followup.pk}/change/",
        "memberhook/followup/?state=all",
        "memberhook/worker/worker_40here_3A1/change/",
        "auth/user/",
        "auth/user/add/",
        f"auth/user/{world.member.pk}/change/",
        "auth/group/",
        f"auth/group/{Group.objects.first().pk}/change/",
    ]
    return ["", "memberhook/", *(f"memberhook/{name}/" for name in LISTS), *details]


def test_every_page_opens_and_shows_no_secret(console: Client, world: World) -> None:
    for page in pages(world):
        answer = console.get(f"/console/{page}")
        assert answer.status_code == 200, page
        text = html.unescape(answer.content.decode())
        assert not [secret for secret in world.hidden if secret in text], page


def test_the_base_classes_are_unfolds_where_it_is_installed() -> None:
    from_unfold = admin_classes.ModelAdmin.__module__.startswith("unfold")
    assert from_unfold == apps.is_installed("unfold") == ("unfold" in settings.INSTALLED_APPS)


def test_strangers_are_sent_to_the_log_in_page(client: Client, world: World) -> None:
    for page in pages(world):
        answer = client.get(f"/console/{page}")
        assert answer.status_code == 302, page
        assert answer.headers["Location"].startswith("/console/login/")


@pytest.mark.parametrize("model", [Delivery, Tag])
def test_what_the_service_writes_is_read_only(console: Client, world: World, model: type) -> None:
    name, pk = model.__name__.lower(), model.objects.first().pk
    before = model.objects.count()
    for page in ("add/", f"{pk}/delete/"):
        assert console.post(f"/console/memberhook/{name}/{page}", {"post": "yes"}).status_code == 403
    assert console.post(f"/console/memberhook/{name}/{pk}/change/", {"state": "failed"}).status_code == 403
    console.post(f"/console/memberhook/{name}/", {"action": "delete_selected", "_selected_action": pk, "post": "yes"})
    assert model.objects.count() == before


@pytest.fixture
def looker(client: Client, db: None) -> Callable[..., Client]:
    """A member of staff with these permissions only."""

    def log_in(*codenames: str) -> Client:
        user = User.objects.create(username="looker", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
        return client

    return log_in


def test_permissions_are_djangos(looker: Callable[..., Client], world: World) -> None:
    client = looker("view_delivery", "view_connection")
    assert client.get("/console/memberhook/delivery/").status_code == 200
    assert b"Replay" not in client.get(f"/console/memberhook/delivery/{world.delivery.pk}/change/").content
    assert client.get("/console/memberhook/delivery/replay/?status=failed").status_code == 403
    assert client.get("/console/memberhook/hook/").status_code == 403
    account = world.hook.connection_id
    shown = client.get(f"/console/memberhook/connection/{account}/change/")
    assert b"https://shop.example" in shown.content
    assert b"stored" in shown.content
    assert client.post(f"/console/memberhook/connection/{account}/test/").status_code == 403
    assert client.get(f"/console/memberhook/hook/{world.hook.pk}/new-key/").status_code == 403
    assert b"Deliveries of the last 24 hours" in client.get("/console/").content


def test_the_overview_is_for_those_who_may_see_deliveries(looker: Callable[..., Client], world: World) -> None:
    assert b"Deliveries of the last 24 hours" not in looker("view_hook").get("/console/").content


def test_a_connection_without_hooks_goes_with_its_tags(console: Client, world: World) -> None:
    spare = Connection.objects.create(name="spare", kind="fluentcrm")
    Tag.objects.create(connection=spare, crm_id="1", slug="a", title="A")
    assert console.post(f"/console/memberhook/connection/{spare.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Connection.objects.filter(pk=spare.pk).exists()
    assert not Tag.objects.filter(connection_id=spare.pk).exists()


def test_users_and_groups_have_the_consoles_admins() -> None:
    admins = {model.__name__: type(model_admin).__name__ for model, model_admin in admin.site._registry.items()}
    assert admins["User"] == "MemberAdmin"
    assert admins["Group"] == "GroupAdmin"
