"""Which capabilities are privileged, held against the roles as WordPress installs them."""

from __future__ import annotations

import re

import pytest

from memberhook.sites.wordpress import plugin_file, user_capabilities
from memberhook.sites.wordpress.user_capabilities import has_privileges, is_privileged_capability

HARMLESS = """read level_0 level_1 level_2 edit_posts publish_posts delete_posts edit_published_posts
    delete_published_posts upload_files read_private_posts read_private_pages edit_pages publish_pages delete_pages
    subscriber author contributor customer users_online"""
PRIVILEGED = """manage_options manage_categories manage_links manage_woocommerce manage_network edit_users create_users
    delete_users list_users promote_users promote_user remove_users add_users export_users install_plugins
    activate_plugins update_plugins delete_plugins edit_plugins upload_plugins install_themes switch_themes
    update_themes
    edit_themes delete_themes upload_themes update_core edit_files install_languages update_languages
    edit_theme_options customize unfiltered_html unfiltered_upload import export edit_others_posts delete_others_pages
    edit_private_posts delete_private_pages moderate_comments edit_dashboard create_sites delete_site delete_sites
    setup_network level_3 level_9 level_10 administrator editor shop_manager Manage_Options edit_others_shop_orders
    memberhook_manage_members memberhook_connector"""


@pytest.mark.parametrize("name", HARMLESS.split())
def test_harmless(name: str) -> None:
    assert not is_privileged_capability(name)


@pytest.mark.parametrize("name", PRIVILEGED.split())
def test_privileged(name: str) -> None:
    assert is_privileged_capability(name)


def test_only_what_is_granted_counts() -> None:
    assert has_privileges({"read": True, "edit_users": 1})
    assert not has_privileges({"read": True, "edit_users": False})


def test_the_connector_has_the_same_table() -> None:
    php = (plugin_file.sources()["includes/protection.php"]).decode()
    table = re.search(r"const MEMBERHOOK_PRIVILEGED = array\((.*?)\n\);", php, re.DOTALL)
    assert table
    assert tuple(re.findall(r"^\t'(.*)',$", table[1], re.MULTILINE)) == user_capabilities.PRIVILEGED
