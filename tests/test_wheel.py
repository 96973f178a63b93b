"""The wheel holds the package whole and nothing else. (`.ci/run` installs it into empty environments.)"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

import pytest

from memberhook.sites.wordpress import plugin_file

ROOT = Path(__file__).parents[1]
INFO = "memberhook-{version}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """Built without internet: the build backend is installed with the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return ZipFile(path)


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return dict(tomllib.load(file)["project"])


def metadata(wheel: ZipFile, project: dict[str, object], name: str) -> bytes:
    return wheel.read(f"{INFO.format(version=project['version'])}/{name}")


def test_it_holds_every_file_of_the_package_and_no_other(wheel: ZipFile, project: dict[str, object]) -> None:
    source = ROOT / "src"
    here = {
        str(path.relative_to(source))
        for path in (source / "memberhook").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    info = INFO.format(version=project["version"])
    assert {name for name in wheel.namelist() if not name.startswith(f"{info}/")} == here


def test_it_holds_what_is_not_a_module(wheel: ZipFile) -> None:
    names = wheel.namelist()
    assert "memberhook/py.typed" in names
    plugin = {f"memberhook/sites/wordpress/plugin/memberhook-connector/{path}" for path in plugin_file.sources()}
    assert plugin <= set(names)
    assert "memberhook/migrations/0001_initial.py" in names
    assert [name for name in names if name.startswith("memberhook/templates/") and name.endswith(".html")]
    for language in ("de", "es", "fr"):
        assert f"memberhook/locale/{language}/LC_MESSAGES/django.mo" in names


def test_only_known_kinds_of_file_are_in_it(wheel: ZipFile, project: dict[str, object]) -> None:
    """A database, a key or a recording that was left in the source would be published."""
    known = {".py", ".php", ".html", ".txt", ".css", ".js", ".svg", ".po", ".mo"}
    info = INFO.format(version=project["version"])
    strange = [n for n in wheel.namelist() if not n.startswith(f"{info}/") and Path(n).suffix not in known]
    assert strange == ["memberhook/py.typed"]
    assert not [name for name in wheel.namelist() if Path(name).name.startswith(("test", "conftest"))]


def test_its_metadata_says_what_pyproject_says(wheel: ZipFile, project: dict[str, object]) -> None:
    entry_points = metadata(wheel, project, "entry_points.txt").decode()
    assert "memberhook = memberhook.cli:main" in entry_points
    said = message_from_bytes(metadata(wheel, project, "METADATA"))
    assert (said["Name"], said["Version"]) == (project["name"], project["version"])
    assert said["Requires-Python"] == project["requires-python"]
    dependencies = project["dependencies"]
    assert isinstance(dependencies, list)
    required = [text for text in said.get_all("Requires-Dist", []) if "extra ==" not in text]
    assert len(required) == len(dependencies)
