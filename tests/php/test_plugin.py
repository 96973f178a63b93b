"""The connector as WordPress.org's Plugin Check looks at a plugin, which no package registry has.

Escaping, sanitizing, nonces, text domain, prepared SQL and forbidden functions are sniffs: see test_php.py.
"""

from __future__ import annotations

import re

import pytest

from memberhook.sites.wordpress import plugin_file

FILES = {path: content.decode() for path, content in plugin_file.sources().items()}
PHP = {path: text for path, text in FILES.items() if path.endswith(".php")}
README = FILES["readme.txt"]
SECTIONS = ("Description", "Installation", "Frequently Asked Questions", "Changelog")
NEWEST_TESTED = (7, 1)  # that .ci/run tests on


def header(name: str) -> str:
    found = re.search(rf"^ \* {name}: +(.+)$", FILES[plugin_file.FILE], re.MULTILINE)
    assert found, name
    return found[1]


def readme(name: str) -> str:
    found = re.search(rf"^{name}: (.+)$", README.split("\n\n")[0], re.MULTILINE)
    assert found, name
    return found[1]


@pytest.mark.parametrize(
    ("in_header", "in_readme"),
    [
        ("Version", "Stable tag"),
        ("Requires at least", "Requires at least"),
        ("Requires PHP", "Requires PHP"),
        ("License", "License"),
        ("License URI", "License URI"),
    ],
)
def test_header_and_readme_say_the_same(in_header: str, in_readme: str) -> None:
    assert header(in_header) == readme(in_readme)


def test_the_readme_is_what_the_directory_takes() -> None:
    assert README.splitlines()[0] == f"=== {header('Plugin Name')} ==="
    assert len(readme("Tags").split(",")) <= 5
    short = README.split("\n\n")[1]
    assert "\n" not in short
    assert len(short) <= 150
    assert re.findall(r"^== (.+) ==$", README, re.MULTILINE) == list(SECTIONS)
    assert f"= {header('Version')} =" in README.split("== Changelog ==")[1]
    assert tuple(map(int, readme("Tested up to").split("."))) == NEWEST_TESTED


def test_the_license() -> None:
    assert header("License") == "GPL-2.0-or-later"
    assert "GNU GENERAL PUBLIC LICENSE" in FILES["license.txt"]
    assert "Version 2, June 1991" in FILES["license.txt"]


def test_the_text_domain_is_the_folder() -> None:
    assert header("Text Domain") == plugin_file.FOLDER


@pytest.mark.parametrize("path", PHP)
def test_no_file_does_anything_when_it_is_opened_alone(path: str) -> None:
    code = re.sub(r"/\*.*?\*/", "", PHP[path].removeprefix("<?php"), flags=re.DOTALL).strip()
    constant = "WP_UNINSTALL_PLUGIN" if path == "uninstall.php" else "ABSPATH"
    assert code.startswith(f"defined( '{constant}' ) || exit;")
    assert "?>" not in PHP[path]


@pytest.mark.parametrize("path", FILES)
def test_names_of_files(path: str) -> None:
    assert re.fullmatch(r"(includes/)?[a-z][a-z-]*\.(php|txt)", path)


def test_all_files_are_loaded() -> None:
    loaded = re.findall(r"^require_once __DIR__ \. '/(.+)';$", FILES[plugin_file.FILE], re.MULTILINE)
    assert sorted(loaded) == sorted(path for path in PHP if path.startswith("includes/"))


def test_everything_global_has_the_prefix() -> None:
    single = plugin_file.source().decode()
    names = re.findall(r"^(?:final |abstract )?(?:function|class|const) (\w+)", single, re.MULTILINE)
    names += re.findall(r"^define\( '(\w+)'", single, re.MULTILINE)
    hooks = re.findall(r"(?:do_action|apply_filters)\( '(\w+)'", single)
    assert all(name.lower().startswith("memberhook") for name in names)
    own = {name for name in hooks if name.startswith("memberhook_")}
    assert set(hooks) - own == {"illegal_user_logins", "https_local_ssl_verify"}, "WordPress's own filters"
