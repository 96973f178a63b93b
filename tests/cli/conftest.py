"""Commands, run in this process against the database of the tests."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from memberhook.cli import main
from tests.fake_wordpress import club, wordpress

__all__ = ["club", "wordpress"]


@dataclass
class Cli:
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def __call__(self, *arguments: str, stdin: str = "", status: int = 0) -> str:
        """What was printed; with another status, the one sentence on standard error (`printed` has the rest)."""
        self.patch.setattr(sys, "argv", ["memberhook", *arguments])
        self.patch.setattr(sys, "stdin", io.StringIO(stdin))
        self.capture.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        self.printed, error = self.capture.readouterr()
        assert end.value.code == status, (self.printed, error)
        return self.printed if status == 0 else error

    def json(self, *arguments: str, stdin: str = "") -> Any:
        return json.loads(self(*arguments, "--json", stdin=stdin))


@pytest.fixture
def cli(db: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return Cli(capsys, monkeypatch)
