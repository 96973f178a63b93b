from __future__ import annotations

import io
import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from memberhook import __version__
from memberhook.sites.wordpress import plugin_file
from tests.cli.conftest import Cli

WRITE = ("wordpress", "plugin")
PARTS = ("readme.txt", "license.txt", "uninstall.php", "includes/protection.php")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_plugin_has_our_version_in_all_places() -> None:
    files = {path: content.decode() for path, content in plugin_file.sources().items()}
    assert plugin_file.version() == __version__
    assert re.findall(r"'MEMBERHOOK_VERSION', '([^']*)'", files[plugin_file.FILE]) == [__version__]
    assert re.findall(r"^Stable tag: (\S+)$", files["readme.txt"], re.MULTILINE) == [__version__]


def test_the_file_alone_has_every_part_once_and_includes_nothing() -> None:
    single = plugin_file.source().decode()
    assert "require_once __DIR__" not in single
    assert single.count("defined( 'ABSPATH' ) || exit;") == 1
    for path, content in plugin_file.sources().items():
        if path.startswith("includes/"):
            for function in re.findall(r"^(?:final )?(?:function|class) \w+", content.decode(), re.MULTILINE):
                assert len(re.findall(rf"^{function}\b", single, re.MULTILINE)) == 1, function


def test_a_zip_that_wordpress_takes(cli: Cli, folder: Path) -> None:
    written = cli.json(*WRITE)
    assert written == {"file": f"memberhook-connector-{__version__}.zip", "version": __version__}
    with ZipFile(folder / written["file"]) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
        assert packed == {f"memberhook-connector/{path}": text for path, text in plugin_file.sources().items()}
        assert {plugin_file.IN_ZIP, *(f"memberhook-connector/{name}" for name in PARTS)} <= set(packed)
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}


def test_the_same_zip_at_every_time() -> None:
    assert plugin_file.as_zip() == plugin_file.as_zip()
    with ZipFile(io.BytesIO(plugin_file.as_zip())) as archive:
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


def test_the_file_alone(cli: Cli, folder: Path) -> None:
    assert "wp-content/mu-plugins" in cli(*WRITE, "--output", "connector.php")
    assert (folder / "connector.php").read_bytes() == plugin_file.source()


def test_what_to_do_next_is_printed(cli: Cli, folder: Path) -> None:
    assert cli(*WRITE, "--output", "x.zip") == (
        f"Wrote x.zip, connector {__version__}.\n"
        "In WordPress: Plugins → Add Plugin (older: Add New) → Upload Plugin, then activate it.\n"
        "Then: memberhook site check NAME\n"
    )


@pytest.mark.parametrize("name", ["x.zip", "x.php"])
def test_an_older_one_is_written_over(cli: Cli, folder: Path, name: str) -> None:
    cli(*WRITE, "--output", name)
    whole = (folder / name).read_bytes()
    if name == "x.php":
        (folder / name).write_bytes(whole.replace(__version__.encode(), b"0.0.1"))
    cli(*WRITE, "--output", name)
    assert (folder / name).read_bytes() == whole


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.zip", b"my diploma"),
        ("x.php", b"<?php // Plugin Name: My own"),
        ("x.php", b""),
        ("x.zip", b"PK\x03\x04 cut off"),
    ],
)
def test_other_files_are_left_alone(cli: Cli, folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    assert "is not the connector plugin" in cli(*WRITE, "--output", name, status=1)
    assert (folder / name).read_bytes() == content


def test_a_zip_with_more_in_it_is_left_alone(cli: Cli, folder: Path) -> None:
    with ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr(plugin_file.IN_ZIP, "")
        archive.writestr("letters.txt", "mine")
    assert "is not the connector plugin" in cli(*WRITE, "--output", "x.zip", status=1)


@pytest.mark.parametrize("name", [".", "x", "x.tar.gz", "nowhere/x.zip"])
def test_an_output_that_cannot_be(cli: Cli, folder: Path, name: str) -> None:
    assert cli(*WRITE, "--output", name, status=1).count("\n") == 1
    assert list(folder.iterdir()) == []
