from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import translation

from memberhook.models.connections import Connection
from memberhook.models.members import MemberTag, RoleInfo
from memberhook.models.tags import Tag
from memberhook.sites.local.setup import add_role

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def cheap_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MEMBERHOOK_PUBLIC_URL = "https://club.example"
    settings.MEMBERHOOK_SITE_NAME = "The Club"


@pytest.fixture(autouse=True)
def no_language_of_an_earlier_request() -> Iterator[None]:
    """Like Django's handlers, the test client leaves the language of a request active."""
    yield
    translation.deactivate()


@pytest.fixture
def make_user(db: None) -> Callable[..., Any]:
    def make(login: str = "ada", email: str = "Ada@example.com", **columns: Any) -> Any:
        return get_user_model().objects.create_user(login, email, PASSWORD, **columns)

    return make


@pytest.fixture
def ada(make_user: Callable[..., Any]) -> Any:
    return make_user(first_name="Ada", last_name="Lovelace")


@pytest.fixture
def ada_logged_in(client: Client, ada: Any) -> Client:
    client.force_login(ada)
    return client


@pytest.fixture
def give_tag(db: None) -> Callable[..., Tag]:
    """Gives the user a tag of a connection."""

    def give(user: Any, crm_id: str, slug: str, title: str, connection: str = "shop") -> Tag:
        account, _ = Connection.objects.get_or_create(name=connection, defaults={"kind": "fluentcrm"})
        tag, _ = Tag.objects.get_or_create(connection=account, crm_id=crm_id, defaults={"slug": slug, "title": title})
        MemberTag.objects.create(member=user, tag=tag)
        return tag

    return give


@pytest.fixture
def role(db: None) -> Callable[..., RoleInfo]:
    return lambda slug, title: add_role(slug, title)


@pytest.fixture
def plain_group(db: None) -> Group:
    """A group of the host project, which knows nothing of roles."""
    return Group.objects.create(name="Choir Members")
