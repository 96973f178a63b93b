"""What nobody may enter: one table for each thing, tried on the command line, in the console and in the use case.

Where the three give the same message, that is what is expected; else it is what their messages have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from memberhook.core.errors import UsageError
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import AccessKey, Connection, Hook, Site
from memberhook.models.members import RoleInfo
from memberhook.models.tags import Tag
from memberhook.services import accounts, hooks, keys, sites
from memberhook.services.connect import connect
from memberhook.sites.local.setup import add_role
from memberhook.sites.wordpress import site_data
from tests.cli.conftest import Cli, cli
from tests.console.conftest import console, owner, shop
from tests.console.test_hooks import form, inline, rows, rules

__all__ = ["cli", "console", "owner", "shop"]

CONSOLE = "/console/memberhook"
CALLERS = ("use case", "command line", "console")
LONG = "x" * 101


@dataclass(frozen=True)
class HookInput:
    """`maps`: site field, CRM field, type. `rules`: tag, role."""

    name: str = "fresh"
    role: str = "subscriber"
    allow: tuple[str, ...] = ()
    maps: tuple[tuple[str, str, str], ...] = ()
    rules: tuple[tuple[str, str], ...] = ()
    return_password: str = ""
    username_format: str = "email"


COURSE = ("Course", "customer")
HOOKS = {
    "a right of Django": (HookInput(maps=(("is_superuser", "email", ""),)), "No CRM may set is_superuser"),
    "rights of WordPress": (HookInput(maps=(("wp_capabilities", "email", ""),)), "No CRM may set wp_capabilities"),
    "a private key": (HookInput(maps=(("_edit_lock", "email", ""),)), "No CRM may set _edit_lock"),
    "a field name with a space": (HookInput(maps=(("birth day", "birth", ""),)), "'birth day' is not a field name"),
    "a long field name": (HookInput(maps=((LONG, "birth", ""),)), "at most 100 characters"),
    "a field that the CRM lacks": (HookInput(maps=(("size", "shoe_size", ""),)), "shop has no field 'shoe_size'"),
    "an unknown type": (HookInput(maps=(("born", "birth", "colour"),)), "There is no type 'colour'"),
    "a field mapped twice": (HookInput(maps=(("a", "birth", ""), ("a", "email", ""))), "a appears twice."),
    "an unknown tag": (HookInput(rules=(("Cuorse", "subscriber"),)), "shop has no tag 'Cuorse'. Similar: Course."),
    "a rule for an unknown role": (HookInput(rules=(("Course", "boss"),)), "does not allow the role 'boss'"),
    "a rule for another role": (HookInput(rules=(COURSE,)), "does not allow the role 'customer'"),
    "a rule twice": (
        HookInput(allow=("customer",), rules=(COURSE, ("7", "customer"))),
        "Course = customer appears twice.",
    ),
    "a return field that the CRM lacks": (HookInput(return_password="pw"), "shop has no field 'pw'"),
    "no slug": (HookInput(name="no slug"), "Enter a valid “slug”"),
    "a long name": (HookInput(name="x" * 65), "at most 64 characters"),
    "a name that is taken": (HookInput(name="hook-1"), "A hook with this name exists already."),
    "an unknown default": (HookInput(role="boss"), "The site has no role 'boss'"),
    "a privileged default": (HookInput(role="administrator"), "'administrator' is privileged"),
    "an unknown role": (HookInput(allow=("boss",)), "The site has no role 'boss'"),
    "a privileged role": (HookInput(allow=("administrator",)), "Privileged: administrator."),
    "an unknown username format": (HookInput(username_format="surname"), "surname"),
}


def add_hook(connection: Connection, entry: HookInput) -> None:
    hook = Hook(
        name=entry.name,
        connection=connection,
        site=Site.objects.get(name="local"),
        default_role=entry.role,
        allowed_roles=list(entry.allow),
        return_password_field=entry.return_password,
        username_format=entry.username_format,
    )
    mappings, tag_rules = _written(entry)
    hooks.add(hook, mappings=mappings, tag_rules=tag_rules, http=system_runtime().http, now=timezone.now())


def _written(entry: HookInput) -> tuple[list[str], list[str]]:
    mappings = [f"{site}={crm}{kind and f':{kind}'}" for site, crm, kind in entry.maps]
    return mappings, [f"{tag}={role}" for tag, role in entry.rules]


def hook_command(entry: HookInput) -> list[str]:
    mappings, tag_rules = _written(entry)
    many = {"--map": mappings, "--tag-role": tag_rules, "--allow-role": entry.allow}
    once = {"--name": entry.name, "--role": entry.role, "--username-format": entry.username_format}
    arguments = ["hook", "add", "--connection", "shop"]
    arguments += [part for option, values in many.items() for value in values for part in (option, value)]
    arguments += [part for option, value in once.items() for part in (option, value)]
    return arguments + (["--return-password", entry.return_password] if entry.return_password else [])


def hook_form(connection: Connection, entry: HookInput) -> dict[str, Any]:
    values = form(
        name=entry.name,
        connection=connection.pk,
        site=Site.objects.get(name="local").pk,
        default_role=entry.role,
        allowed_roles=list(entry.allow),
        return_password_field=entry.return_password,
        username_format=entry.username_format,
    )
    return values | rows(*((*mapping, False) for mapping in entry.maps)) | rules(*entry.rules)


def complaints(answer: Any) -> str:
    """Every error on a page of the console."""
    assert answer.status_code == 200, "nothing was refused"
    return " ".join(_texts(answer))


def _texts(answer: Any) -> Iterator[str]:
    for texts in answer.context["adminform"].form.errors.values():
        yield from texts
    for shown in answer.context["inline_admin_formsets"]:
        yield from shown.formset.non_form_errors()
        for errors in shown.formset.errors:
            for texts in errors.values():
                yield from texts


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as error:
        action()
    return error.value.message


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("entry", "message"), HOOKS.values(), ids=HOOKS)
def test_hooks(entry: HookInput, message: str, caller: str, shop: Connection, cli: Cli, console: Client) -> None:
    Tag.objects.create(connection=shop, crm_id="7", slug="course", title="Course")
    if caller == "use case":
        text = refused(lambda: add_hook(shop, entry))
    elif caller == "command line":
        text = cli(*hook_command(entry), status=1)
    else:
        text = complaints(console.post(f"{CONSOLE}/hook/add/", hook_form(shop, entry)))
    assert message in text
    assert Hook.objects.count() == 1


@pytest.mark.parametrize("caller", CALLERS)
def test_a_hook_without_a_mistake(caller: str, shop: Connection, cli: Cli, console: Client) -> None:
    """The same steps as above make a hook where nothing is wrong."""
    Tag.objects.create(connection=shop, crm_id="7", slug="course", title="Course")
    entry = HookInput(
        allow=("customer",), maps=(("born", "birth", ""),), rules=(COURSE,), return_password="wp_password"
    )
    if caller == "use case":
        add_hook(shop, entry)
    elif caller == "command line":
        cli(*hook_command(entry))
    else:
        assert console.post(f"{CONSOLE}/hook/add/", hook_form(shop, entry)).status_code == 200
    hook = Hook.objects.get(name="fresh")
    assert (hook.mapped_fields.get(site_field="born").type, hook.tag_rules.get().tag) == ("date", "7")
    assert hook.keys.count() == 1


ACCOUNT = {"name": "club", "url": "https://club.example", "username": "memberhook", "password": "abcd efgh"}
ACCOUNTS = {
    "no scheme": ({"url": "club.example"}, "must be https:// or http://"),
    "another scheme": ({"url": "ftp://club.example"}, "must be https:// or http://"),
    "no address": ({"url": ""}, "must be https:// or http://"),
    "an address that cannot be read": ({"url": "https://[club"}, "is not a valid URL"),
    "a password in the address": ({"url": "https://me:secret@club.example"}, "contains a username or password"),
    "a long address": ({"url": f"https://club.example/{'x' * 500}"}, "at most 500 characters"),
    "no username": ({"username": " "}, "Enter the username."),
    "no password": ({"password": ""}, "password"),
    "no slug": ({"name": "no slug"}, "Enter a valid “slug”"),
    "a long name": ({"name": "x" * 65}, "at most 64 characters"),
}
SITES = ACCOUNTS | {
    "a name that is taken": ({"name": "local"}, "hoose another name"),
    "no slug of WP Fusion": ({"wp_fusion": "Fluent CRM"}, "is not a slug of WP Fusion"),
}


def account_command(entry: Mapping[str, str]) -> list[str]:
    return ["--name", entry["name"], "--url", entry["url"], "--username", entry["username"], "--password-stdin"]


def outside() -> dict[str, Any]:
    return {"http": system_runtime().http, "now": timezone.now()}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("mistake", "message"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_connections(mistake: Mapping[str, str], message: str, caller: str, cli: Cli, console: Client) -> None:
    entry = ACCOUNT | mistake
    if caller == "use case":
        text = refused(lambda: connect("fluentcrm", **entry, **outside()))
    elif caller == "command line":
        text = cli("connect", "fluentcrm", *account_command(entry), stdin=entry["password"], status=1)
    else:
        text = complaints(console.post(f"{CONSOLE}/connection/add/", {"kind": "fluentcrm", **entry}))
    assert message in text
    assert "secret" not in text
    assert not Connection.objects.exists()


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("mistake", "message"), SITES.values(), ids=SITES)
def test_sites(mistake: Mapping[str, str], message: str, caller: str, cli: Cli, console: Client) -> None:
    entry = {"wp_fusion": "", **ACCOUNT} | mistake
    if caller == "use case":
        fusion = entry.pop("wp_fusion")
        text = refused(
            lambda: sites.add(
                "wordpress", **entry, options=site_data.options(full_cost_hash=False, wp_fusion=fusion), **outside()
            )
        )
    elif caller == "command line":
        options = [*account_command(entry), "--wp-fusion", entry["wp_fusion"]]
        text = cli("site", "add", "wordpress", *options, stdin=entry["password"], status=1)
    else:
        text = complaints(console.post(f"{CONSOLE}/site/add/", {"kind": "wordpress", **entry}))
    assert message in text
    assert "secret" not in text
    assert [site.name for site in Site.objects.all()] == ["local"]


KEYS = {
    "an unknown action": ({"actions": ["delete"]}, "delete"),
    "a role of another hook": ({"roles": ["boss"]}, "does not allow the role 'boss'"),
    "no network": ({"networks": ["203.0.113.300"]}, "'203.0.113.300' is not a network address"),
    "a time that is past": ({"expired": ["yes"]}, "would expire before it is created"),
}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("entry", "message"), KEYS.values(), ids=KEYS)
def test_keys(entry: Mapping[str, list[str]], message: str, caller: str, hook: Hook, cli: Cli, console: Client) -> None:
    now = timezone.now()
    if caller == "use case":
        limits = {"expires_at": now} if "expired" in entry else entry
        text = refused(lambda: keys.new_key(hook, now, **limits))
    elif caller == "command line":
        options = {"actions": "--action", "roles": "--role", "networks": "--from"}
        arguments = [part for name, values in entry.items() if name in options for part in (options[name], values[0])]
        text = cli("key", "add", hook.name, *arguments, *(["--expires", "0s"] if "expired" in entry else []), status=1)
    else:  # which changes the limits of a key that there is
        keys.new_key(hook, now)
        row = {
            "id": hook.keys.get().pk,
            "hook": hook.pk,
            "expires_at_0": "",
            "expires_at_1": "",
            "networks": "",
            **entry,
        }
        row |= {"expires_at_0": "2020-01-01", "expires_at_1": "12:00:00"} if "expired" in entry else {}
        text = complaints(console.post(f"{CONSOLE}/hook/{hook.pk}/change/", form() | inline("keys", [row], 1)))
        hook.keys.all().delete()
    assert message in text
    assert not AccessKey.objects.exists()


ROLES = {
    "no slug": ("no slug", "", "Enter a valid “slug”"),
    "a long slug": (LONG, "", "at most 100 characters"),
    "a long title": ("gold", "x" * 151, "at most 150 characters"),
    "a title that the role has not": ("customer", "Buyer", "already"),
}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("slug", "title", "message"), ROLES.values(), ids=ROLES)
def test_roles(slug: str, title: str, message: str, caller: str, cli: Cli, console: Client) -> None:
    add_role("customer", "Customer")
    before = RoleInfo.objects.count()
    if caller == "use case":
        text = refused(lambda: accounts.new_role(slug, title or None))
    elif caller == "command line":
        text = cli("role", "add", slug, *(["--title", title] if title else []), status=1)
    else:
        text = complaints(console.post(f"{CONSOLE}/roleinfo/add/", {"slug": slug, "title": title or "Title"}))
    assert message in text
    assert RoleInfo.objects.count() == before


MEMBERS = {
    "a username that is taken": ("ADA", "new@example.com", "There is a member with 'ADA' already."),
    "an e-mail that is taken": ("new", "Ada@Example.com", "There is a member with 'Ada@Example.com' already."),
    "no e-mail": ("new", "nonsense", "Enter a valid email address."),
    "no username": ("no name!", "new@example.com", "Enter a valid username."),
}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(("username", "email", "message"), MEMBERS.values(), ids=MEMBERS)
def test_members(username: str, email: str, message: str, caller: str, cli: Cli, console: Client) -> None:
    accounts.new_member("ada", "ada@example.com", "subscriber", "", "", None)
    before = User.objects.count()
    if caller == "use case":
        text = refused(lambda: accounts.new_member(username, email, "subscriber", "", "", None))
    elif caller == "command line":
        text = cli("member", "add", username, "--email", email, status=1)
    else:  # which adds members with a username alone
        page = f"/console/auth/user/{User.objects.create(username='grace').pk}/change/"
        values = {"username": username, "email": email, "date_joined_0": "2026-11-23", "date_joined_1": "12:00:00"}
        answer = console.post(page, values | inline("memberhook_tags", []) | inline("memberhook_fields", []))
        text = complaints(answer)
        User.objects.filter(username="grace").delete()
    assert message in text
    assert User.objects.count() == before
