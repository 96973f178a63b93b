from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from memberhook.models.members import MemberField, RoleInfo
from memberhook.models.tags import Tag


def text(client: Client) -> str:
    response = client.get("/account/")
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    return " ".join(response.content.decode().split())


def test_one_has_to_be_logged_in(client: Client, db: None) -> None:
    assert client.get("/account/")["Location"] == "/login/?next=/account/"


def test_it_shows_what_is_known(
    ada_logged_in: Client, ada: Any, give_tag: Callable[..., Tag], role: Callable[..., RoleInfo]
) -> None:
    give_tag(ada, "7", "gold-slug", "Gold & more")
    ada.groups.add(role("customer-slug", "Paying Customer").group)
    for key, value in {"birthday": "1815-12-10", "likes": ["poems", "engines"], "vip_member": True, "note": ""}.items():
        MemberField.objects.create(member=ada, key=key, value=value)
    page = text(ada_logged_in)
    assert "<h1>Ada Lovelace</h1>" in page
    assert "<dd>ada</dd>" in page
    assert "<dd>Ada@example.com</dd>" in page
    assert "<dd>Paying Customer</dd>" in page
    assert "<li>Gold &amp; more</li>" in page
    assert "<dt>First name</dt><dd>Ada</dd>" in page
    assert "<dt>Birthday</dt><dd>1815-12-10</dd>" in page
    assert "<dt>Likes</dt><dd>poems, engines</dd>" in page
    assert "<dt>Vip member</dt><dd>yes</dd>" in page
    assert "Note" not in page
    assert "slug" not in page


def test_it_shows_nobody_elses(
    ada_logged_in: Client, make_user: Callable[..., Any], give_tag: Callable[..., Tag]
) -> None:
    other = make_user("bob", "bob@example.com")
    give_tag(other, "7", "gold", "Gold")
    MemberField.objects.create(member=other, key="city", value="Paris")
    page = text(ada_logged_in)
    assert "Gold" not in page
    assert "Paris" not in page


@pytest.mark.parametrize(
    ("key", "hidden"),
    [
        ("user_pass", True),
        ("generatedPassword", True),
        ("wp_pwd", True),
        ("secretWord", True),
        ("reset-token", True),
        ("keyboard", False),
    ],
)
def test_what_looks_like_a_password_is_not_shown(ada_logged_in: Client, ada: Any, key: str, hidden: bool) -> None:
    MemberField.objects.create(member=ada, key=key, value="hunter2")
    assert ("hunter2" not in text(ada_logged_in)) is hidden


def test_names_and_values_are_text_never_markup(ada_logged_in: Client, ada: Any, give_tag: Callable[..., Tag]) -> None:
    bad = "<script>alert(1)</script>"
    ada.first_name = bad
    ada.save()
    give_tag(ada, "1", "x", bad)
    MemberField.objects.create(member=ada, key="bio", value=f"one\n{bad}")
    page = text(ada_logged_in)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 4
    assert "one<br>" in page


def test_the_display_name_that_was_mapped_counts_first(ada_logged_in: Client, ada: Any) -> None:
    MemberField.objects.create(member=ada, key="display_name", value="Countess")
    assert "<h1>Countess</h1>" in text(ada_logged_in)


def test_without_names_the_username_is_shown(client: Client, make_user: Callable[..., Any]) -> None:
    client.force_login(make_user("nameless"))
    assert "<h1>nameless</h1>" in text(client)


@pytest.mark.parametrize("staff", [True, False])
def test_only_staff_sees_the_way_to_the_console(ada_logged_in: Client, ada: Any, staff: bool) -> None:
    ada.is_staff = staff
    ada.save()
    assert ('href="/console/"' in text(ada_logged_in)) is staff


def test_the_front_page_tells_what_runs_here_and_nothing_else(client: Client, ada: Any) -> None:
    response = client.get("/")
    page = response.content.decode()
    assert response.status_code == 200
    assert "Memberhook is running" in page
    assert {"/login/", "/console/"} <= set(re.findall('href="(.*?)"', page))
    assert "Ada" not in page
    refused = client.post("/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "invalid_access_key")


def test_pages_need_no_context_processor_of_ours(ada_logged_in: Client, settings: Any) -> None:
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "OPTIONS": {"context_processors": []}}]
    for address in ("/account/", "/login/", "/password/", "/password/sent/", "/password/set/x/y/", "/"):
        page = ada_logged_in.get(address).content.decode()
        assert "The Club</title>" in page, address
        assert "Log out" in page, address


def test_pages_have_no_script_and_no_inline_style(client: Client, db: None) -> None:
    """A strict Content-Security-Policy of the host suits them."""
    for address in ("/login/", "/password/", "/password/sent/", "/password/set/x/y/", "/"):
        page = client.get(address).content.decode()
        assert "<script" not in page, address
        assert "<style" not in page, address
        assert "style=" not in page, address
        assert '<html lang="en">' in page, address
