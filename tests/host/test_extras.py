"""`pip install memberhook` without extras: the app works in a host project, and what needs an extra says which."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import memberhook

ROOT = Path(__file__).parents[2]


def base_install() -> dict[str, Distribution]:
    """The distributions that memberhook needs without extras, by name."""
    found: dict[str, Distribution] = {}
    names = ["memberhook"]
    while names:
        name = re.sub(r"[-_.]+", "-", names.pop()).lower()
        if name in found:
            continue
        found[name] = distribution(name)
        for text in found[name].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                names.append(requirement.name)
    return found


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with these packages and no others."""
    folder = tmp_path_factory.mktemp("packages")
    for dist in base_install().values():
        for file in dist.files or ():
            top = file.parts[0]
            if top != ".." and not top.endswith(".pth") and not (folder / top).exists():
                (folder / top).symlink_to(Path(str(dist.locate_file(top))))
    (folder / "memberhook").unlink(missing_ok=True)
    (folder / "memberhook").symlink_to(Path(memberhook.__file__).parent)
    return folder


def run(packages: Path, folder: Path, *arguments: str, status: int = 0, **env: str) -> str:
    kept = {
        name: text for name, text in os.environ.items() if not name.startswith(("MEMBERHOOK_", "DJANGO_", "PYTHON"))
    }
    path = os.pathsep.join([str(packages), str(ROOT)])
    command = [sys.executable, "-S", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=kept | {"PYTHONPATH": path, "MEMBERHOOK_DATA": str(folder)} | env,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


PROJECT = """
import django, importlib.util
django.setup()
for name in ("uvicorn", "unfold", "whitenoise", "prometheus_client", "dj_database_url", "redis", "psycopg"):
    assert importlib.util.find_spec(name) is None, name
from django.core.management import call_command
from django.test import Client
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
call_command("memberhook", "--help")
call_command("memberhook", "members", "--json")
client = Client()
metrics = client.get("/members/metrics")
print(metrics.status_code, metrics.content.decode())
print(client.get("/members/healthz").status_code, client.get("/admin/").status_code)
from memberhook.intake.asgi import application
from memberhook.worker import Worker, real_tools
application(None, real_tools())
"""


def test_the_app_works_without_extras(packages: Path, tmp_path: Path) -> None:
    said = run(packages, tmp_path, "-c", PROJECT, DJANGO_SETTINGS_MODULE="tests.host.settings")
    assert "501 /metrics needs memberhook[server]: pip install 'memberhook[server]'\n" in said
    assert "200 302" in said


def test_what_needs_an_extra_says_so(packages: Path, tmp_path: Path) -> None:
    said = run(packages, tmp_path, "-m", "memberhook", "serve", status=1)
    assert said == "memberhook: The service needs memberhook[server]: pip install 'memberhook[server]'\n"
    redis = {"DJANGO_SETTINGS_MODULE": "tests.host.settings", "MEMBERHOOK_QUEUE_URL": "redis://127.0.0.1:1/0"}
    run(packages, tmp_path, "-m", "django", "migrate", "-v", "0", **redis)
    said = run(packages, tmp_path, "-m", "memberhook", "worker", status=1, **redis)
    assert said.endswith("memberhook: A queue in Redis needs memberhook[redis]: pip install 'memberhook[redis]'\n")
