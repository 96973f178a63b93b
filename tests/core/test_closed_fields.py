from __future__ import annotations

import pytest

from memberhook.core.closed_fields import is_closed, is_secret


@pytest.mark.parametrize(
    "key",
    [
        *("is_staff", "is_superuser", "is_active", "groups", "user_permissions", "wp_capabilities", "wp_user_level"),
        *("session_tokens", "user_registered", "id", "ID", "_anything", "blog_7_capabilities", "xy_user_level"),
        *("WP_Capabilities", "wp_càpabilities", " is_staff ", "is_staff\0", "wp_capa\\bilities", "\u200b_x", "", " "),
        *(
            "wpcapabilities",
            "bloguser_level",
            "wp_ca\U0001f15fabilities",
            "wp_c\u0363pabilities",
            "ses\u00dfion_tokens",
        ),
    ],
)
def test_closed_keys(key):
    assert is_closed(key)


@pytest.mark.parametrize(
    "key", ["phone", "first_name", "capabilities_of_hall", "user_level_name", "company", "group", "größe", "price €"]
)
def test_open_keys(key):
    assert not is_closed(key)


def test_secret_names():
    assert is_secret("phone", "User Password")
    assert not is_secret("phone", "email")
