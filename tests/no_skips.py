"""A pytest plugin: where CI=true a skip is a failure. `tests/conftest.py` names it in `pytest_plugins`.

On a developer's machine a test that needs a server may be skipped; in CI a test that did not run must not look green.
An expected failure (xfail) is no skip.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest


def nothing_may_be_skipped() -> bool:
    return os.environ.get("CI", "").lower() == "true"


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """A skip's report has (file, line, reason)."""
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)


def refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail") and nothing_may_be_skipped():
        report.longrepr = f"In CI nothing may be skipped, and this was. {reason(report)}"
        report.outcome = "failed"


# First of all wrappers, so that the report comes here last, with its xfail mark.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse(report)
    return report
