"""A pytest plugin: what tests need beyond Python, and one line in the summary for each that is missing.

A test says what it needs with a marker of `SERVERS`. Where that is missing, its tests are left out, and the summary
says how many and how to get it. Where CI=true that fails the run, and so does a test that is skipped: what did not run
must not look green. `tests/conftest.py` names this plugin in `pytest_plugins`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

WORDPRESS_SCRIPT = Path(__file__).parents[1] / "scripts" / "wordpress"
MUST_BE_INSTALLED = 1  # the status that it ends with; what else is wrong is for the tests to say
NOT_RUN = pytest.StashKey[Counter[str]]()


@dataclass(frozen=True)
class Server:
    marker: str
    name: str
    how: str  # to get it
    is_there: Callable[[], bool]


def _is_set(variable: str) -> Callable[[], bool]:
    return lambda: bool(os.environ.get(variable))


def _programs(*names: str) -> Callable[[], bool]:
    return lambda: all(map(shutil.which, names))


def _wordpress() -> bool:
    folder = os.environ.get("MEMBERHOOK_TEST_WORDPRESS")
    command = [sys.executable, str(WORDPRESS_SCRIPT), "--check", *(["--wordpress", folder] if folder else [])]
    return subprocess.run(command, capture_output=True, check=False).returncode != MUST_BE_INSTALLED


SERVERS = (
    Server(
        "wordpress",
        "WordPress",
        "apt-get install --no-install-recommends wordpress mariadb-server php-cli php-mysql php-curl php-gd"
        " php-mbstring php-xml php-zip php-intl",
        _wordpress,
    ),
    Server(
        "php",
        "PHP, PHPUnit, PHP_CodeSniffer",
        "apt-get install --no-install-recommends php-cli phpunit php-codesniffer",
        _programs("php", "phpunit", "phpcs"),
    ),
    Server(
        "postgresql",
        "PostgreSQL",
        "set MEMBERHOOK_TEST_POSTGRESQL_URL=postgresql://user:password@host/database",
        _is_set("MEMBERHOOK_TEST_POSTGRESQL_URL"),
    ),
    Server(
        "redis",
        "Redis",
        "set MEMBERHOOK_TEST_REDIS_URL=redis://127.0.0.1:6379/0",
        _is_set("MEMBERHOOK_TEST_REDIS_URL"),
    ),
)


@contextmanager
def new_postgresql_database() -> Iterator[str]:
    """The address of a database of its own, which is dropped in the end."""
    server = os.environ["MEMBERHOOK_TEST_POSTGRESQL_URL"]
    name = f"memberhook_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")  # a name of ours
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() == "true"


# What is missing


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_RUN] = Counter()
    for server in SERVERS:
        config.addinivalue_line("markers", f"{server.marker}: needs {server.name}")


# Last: of the tests that are selected by then.
@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    needed = {mark.name for item in items for mark in item.iter_markers()}
    missing = {server.marker for server in SERVERS if server.marker in needed and not server.is_there()}
    left_out = [item for item in items if any(mark.name in missing for mark in item.iter_markers())]
    if not left_out:
        return
    config.stash[NOT_RUN].update(name for item in left_out for name in {m.name for m in item.iter_markers()} & missing)
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    not_run = session.config.stash[NOT_RUN]
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:  # a process of pytest-xdist: the one that started it says so
        output["not_run"] = dict(not_run)
    elif not_run and in_ci():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Each process of pytest-xdist has collected everything, so that one of them is as good as another."""
    found = getattr(node, "workeroutput", {}).get("not_run", {})
    node.config.stash[NOT_RUN] |= Counter(found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    not_run = config.stash[NOT_RUN]
    if not not_run:
        return
    terminalreporter.section("FAILED: in CI nothing may be missing" if in_ci() else "missing", red=in_ci())
    for server in SERVERS:
        if count := not_run[server.marker]:
            tests = "1 test" if count == 1 else f"{count} tests"
            terminalreporter.write_line(f"{server.name}: {tests} not run; {server.how}")


# Skips


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """A skip's report has (file, line, reason)."""
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """An expected failure (xfail) is no skip."""
    if report.skipped and not hasattr(report, "wasxfail") and in_ci():
        report.longrepr = f"In CI nothing may be skipped, and this was. {_reason(report)}"
        report.outcome = "failed"


# First of all wrappers, so that the report comes here last, with its xfail mark.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report
