"""The example project runs: its migrations, its own tests, and its web server with a worker beside it.

In processes of their own: a process has one user model.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "example"

MAKE_HOOK = """
import django
django.setup()
from django.utils import timezone
from memberhook.services import keys
from memberhook.models.connections import Connection, Hook, Site
shop = Connection.objects.create(name="shop", kind="fluentcrm", url="https://shop.example")
hook = Hook.objects.create(name="shop", connection=shop, site=Site.objects.get(), trust_payload=True)
print(keys.new_key(hook, timezone.now()))
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of the example's processes, with a data folder of its own."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("MEMBERHOOK_", "PYTEST_"))}
    return ours | {
        "DJANGO_SETTINGS_MODULE": "club.settings",
        "CLUB_DATA": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(EXAMPLE), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
    }


def run(env: dict[str, str], *arguments: str) -> str:
    """Runs Python in the example's folder; what it printed. Fails the test when it fails."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=EXAMPLE, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(arguments[:3])}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_its_own_tests_pass(env: dict[str, str]) -> None:
    said = run(env, "-m", "pytest", "-p", "no:cacheprovider", "--ds=club.settings", "-q", "tests")
    assert " passed" in said
    assert "skipped" not in said


def test_migrations_and_checks(env: dict[str, str]) -> None:
    run(env, "manage.py", "migrate", "-v", "0")
    run(env, "manage.py", "check", "--fail-level", "WARNING")
    assert "No changes detected" in run(env, "manage.py", "makemigrations", "--check", "--dry-run")


@pytest.fixture(params=["wsgi", "asgi"])
def served(request: pytest.FixtureRequest, env: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Web server and worker of the example: port and access key. WSGI: plain views; ASGI: Memberhook in front."""
    run(env, "manage.py", "migrate", "-v", "0")
    key = run(env, "-c", MAKE_HOOK).strip()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    servers = {
        "wsgi": ["manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
        "asgi": ["-m", "uvicorn", "club.asgi:application", "--port", str(port), "--log-level", "warning"],
    }
    workers = {"wsgi": ["manage.py", "memberhook", "worker"], "asgi": ["-m", "memberhook", "worker"]}
    commands = [servers[request.param], workers[request.param]]
    processes = [subprocess.Popen([sys.executable, *command], cwd=EXAMPLE, env=env) for command in commands]
    try:
        wait_for(port)
        yield port, key
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)


def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the example's web server does not start")


def ask(port: int, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_a_webhook_is_answered_with_its_outcome(served: tuple[int, str], env: dict[str, str]) -> None:
    port, key = served
    contact = {"id": 7, "email": "ada@example.com", "first_name": "Ada", "tags": []}
    answer: dict[str, object] = {}
    status, text = ask(port, "POST", "/hooks/shop?wpf_action=add", contact, Authorization=f"Bearer {key}")
    for _ in range(100):
        answer = json.loads(text)
        if status != 202:  # the worker may need longer to start than the webhook waits
            break
        time.sleep(0.1)
        status, text = ask(port, "GET", str(answer["location"]).partition(":8000")[2])
    assert (status, answer["status"], answer["warnings"]) == (200, "applied", [])
    assert ask(port, "GET", "/login/")[0] == 200
    assert ask(port, "GET", "/gold/")[0] == 302
    [member] = json.loads(run(env, "-m", "memberhook", "members", "--json"))
    assert (member["email"], member["roles"]) == ("ada@example.com", ["subscriber"])
