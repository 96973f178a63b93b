"""That the benchmark of WordPress runs and prints what it should; nothing about how fast it is."""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from benchmarks import bars
from tests.wordpress.runner import WordPress

TRANSPORTS = ("connector", "core REST", "boot")


@pytest.fixture
def few(connected: WordPress) -> list[str]:
    """Only where a WordPress can run at all."""
    source = os.environ.get("MEMBERHOOK_TEST_WORDPRESS")
    return ["--members", "4", "--rounds", "1", *(["--wordpress", source] if source else [])]


def test_it_prints_figures_and_ratios_and_draws_them(few: list[str], tmp_path: Path) -> None:
    from benchmarks.wordpress import main

    drawn = tmp_path / "speed.svg"
    result = CliRunner().invoke(main, [*few, "--svg", str(drawn)])
    assert result.exit_code == 0, result.output
    assert "opcache" in result.output
    assert "php -S" in result.output
    for what in ("members made", "tag updates"):
        for parallel in (1, 2):
            for transport in TRANSPORTS:
                assert re.search(rf"^{what}/s, {transport}, {parallel} at a time +[\d.,]+ ", result.output, re.M)
            for than in TRANSPORTS[1:]:
                assert re.search(rf"^{what}, connector : {than}, {parallel} at a time +[\d.]+$", result.output, re.M)
    title = ElementTree.fromstring(drawn.read_text())[0].text or ""
    assert all(f"members made, {transport}: " in title for transport in TRANSPORTS)


def test_bars_are_as_long_as_their_values() -> None:
    drawn = ElementTree.fromstring(bars.svg("Speed", "Here & now", [("made", "a", 200.0), ("made", "<b>", 50.0)]))
    lengths = [rect.get("width") for rect in drawn.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert lengths == [str(bars.BAR), str(bars.BAR // 4)]
    assert "<b>" in [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
