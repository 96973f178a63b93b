"""One WordPress for all tests that don't change what others rely on, and one that is a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.wordpress.runner import NotInstalledError, WordPress, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("wordpress")


@contextmanager
def running_or_skip(**options: Any) -> Iterator[WordPress]:
    try:
        with running(**options) as site:
            yield site
    except NotInstalledError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def wordpress() -> Iterator[WordPress]:
    with running_or_skip() as site:
        yield site


@pytest.fixture(scope="session")
def multisite() -> Iterator[WordPress]:
    with running_or_skip(multisite=True) as site:
        yield site
