"""The embedded defaults (one machine, SQLite): acknowledgements per second and members applied per second.

    python -m benchmarks.embedded [--webhooks 4000] [--members 2000] [--crm-latency 0.1] [--json]

Each figure stands beside a baseline measured in the same run, on the same machine, with the same client:
- acknowledged, beside a bare ASGI answer and beside one SQLite transaction per request;
- applied (load from a simulated FluentCRM, plan, member with role, fields, tags, link, outcome), beside a bare loop
  that only creates Django users, one transaction each.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from benchmarks import crm as simulated
from benchmarks import load

LIMIT = 300.0
"""Seconds after which a part of the benchmark is given up."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(*command: str, port: int, env: dict[str, str] | None = None) -> Iterator[None]:
    """Runs until the block ends; starts the block when its port is open."""
    child = subprocess.Popen([sys.executable, *command], env=env, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until and child.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        else:
            raise click.ClickException(f"{command} did not start.")
        yield
    finally:
        child.terminate()
        child.wait(30)


def memberhook(env: dict[str, str], *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "memberhook", *arguments], env=env, input=stdin, capture_output=True, text=True
    )
    if done.returncode:
        raise click.ClickException(done.stderr)
    return done.stdout


def payload(number: int) -> bytes:
    """A full contact as FluentCRM sends it, about 800 bytes."""
    contact = {
        "id": number, "user_id": None, "hash": f"{number:032x}", "prefix": None, "first_name": "Ada",
        "last_name": f"King {number}", "email": f"ada.{number}@example.com", "address_line_1": "1 Rua da Prova",
        "address_line_2": None, "postal_code": "1000-001", "city": "Lisbon", "state": None, "country": "PT",
        "total_points": "0", "life_time_value": "0", "phone": "+351 555 0199", "status": "subscribed",
        "contact_type": "lead", "source": "shop", "date_of_birth": "1990-04-01", "created_at": "2026-11-23 11:10:49",
        "updated_at": "2026-11-23 11:10:49", "full_name": f"Ada King {number}",
        "custom_field": {"interests": ["a", "b"]},
    }  # fmt: skip
    return json.dumps(contact).encode()


def acknowledged(webhooks: int, results: dict[str, float]) -> None:
    """Memberhook's web process alone: the worker's share of the machine belongs to the other figure."""
    bare = [load.request("/", payload(n)) for n in range(1, webhooks + 1)]
    for kind in ("answer", "insert"):
        port = free_port()
        with process("-m", "benchmarks.bare", kind, str(port), port=port):
            results[f"bare {kind}, requests/s"] = load.run(port, bare).per_second
    with tempfile.TemporaryDirectory() as folder:
        env, port = {**os.environ, "MEMBERHOOK_DATA": folder, "MEMBERHOOK_RATE_LIMIT": "0"}, free_port()
        key = hook(env, 1)
        path = f"/?wpf_action=add&access_key={key}&async=true"
        raw = [load.request(path, payload(n)) for n in range(1, webhooks + 1)]
        with process("-m", "benchmarks.web", str(port), port=port, env=env):
            done = load.run(port, raw)
        if set(done.statuses) != {202}:
            raise click.ClickException(f"Not all were acknowledged: {dict(done.statuses)}")
        results["acknowledged/s"] = done.per_second
        results["acknowledged, median ms"] = done.percentile(0.5) * 1000
        results["acknowledged, 99 % within ms"] = done.percentile(0.99) * 1000


def hook(env: dict[str, str], contacts: int, latency: float = 0.0) -> str:
    """Connects the simulated CRM (it need not run on afterwards) and makes a hook; its key."""
    port = free_port()
    with process("-m", "benchmarks.crm", str(port), str(contacts), str(latency), port=port):
        return connect(env, port)


def connect(env: dict[str, str], port: int) -> str:
    url = f"http://127.0.0.1:{port}"
    options = ("--name", "crm", "--url", url, "--username", simulated.USER, "--password-stdin", "--allow-private")
    memberhook(env, "connect", "fluentcrm", *options, stdin=simulated.PASSWORD)
    made = json.loads(memberhook(env, "hook", "add", "--connection", "crm", "--map", "city=city", "--json"))
    key: str = made["access_key"]
    return key


def applied(members: int, latency: float, results: dict[str, float]) -> None:
    """From the first webhook sent to the last member made, with the whole service running as `serve` starts it."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "MEMBERHOOK_DATA": folder, "MEMBERHOOK_RATE_LIMIT": "0"}
        crm_port, port = free_port(), free_port()
        with process("-m", "benchmarks.crm", str(crm_port), str(members), str(latency), port=crm_port):
            key = connect(env, crm_port)
            path = f"/?wpf_action=add&access_key={key}&async=true"
            raw = [load.request(path, payload(n)) for n in range(1, members + 1)]
            with process("-m", "memberhook", "serve", "--port", str(port), port=port, env=env):
                start = time.perf_counter()
                load.run(port, raw)
                wait_for(Path(folder), members)
                results["members applied/s"] = members / (time.perf_counter() - start)
        env["MEMBERHOOK_DATA"] = tempfile.mkdtemp(dir=folder)
        memberhook(env, "members")
        output = subprocess.check_output([sys.executable, "-m", "benchmarks.users", str(members)], env=env, text=True)
        results["bare Django users created/s"] = float(output)


def wait_for(folder: Path, members: int) -> None:
    import sqlite3

    database = sqlite3.connect(folder / "memberhook.sqlite3")
    until = time.monotonic() + LIMIT
    while time.monotonic() < until:
        states = dict(database.execute("SELECT state, count(*) FROM memberhook_delivery GROUP BY state"))
        if states.get("applied") == members:
            return
        if states.get("failed"):
            raise click.ClickException(f"Some failed: {states}")
        time.sleep(0.02)
    raise click.ClickException(f"Not all were applied within {LIMIT:.0f} s: {states}")


@click.command()
@click.option("--webhooks", default=4000, show_default=True)
@click.option("--members", default=2000, show_default=True)
@click.option("--crm-latency", default=0.1, show_default=True, help="Seconds that each call of the CRM takes.")
@click.option("--json", "as_json", is_flag=True)
def main(webhooks: int, members: int, crm_latency: float, as_json: bool) -> None:
    """Measure the embedded defaults beside bare baselines."""
    results: dict[str, float] = {}
    acknowledged(webhooks, results)
    applied(members, crm_latency, results)
    ratios = {
        "acknowledged : bare answer": results["acknowledged/s"] / results["bare answer, requests/s"],
        "acknowledged : one transaction per request": results["acknowledged/s"] / results["bare insert, requests/s"],
        "applied : bare users": results["members applied/s"] / results["bare Django users created/s"],
    }
    if as_json:
        click.echo(json.dumps({"figures": results, "ratios": ratios}, indent=2))
        return
    for name, value in results.items():
        click.echo(f"{name:<42}{value:>10,.1f}")
    for name, value in ratios.items():
        click.echo(f"{name:<42}{value:>10.2f}")


if __name__ == "__main__":
    main()
