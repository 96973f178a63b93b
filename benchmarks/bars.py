"""Bars as SVG, as plain as the pictures in docs/images."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby
from textwrap import wrap

WIDTH, LEFT, BAR, ROW, TOP = 760, 130, 500, 26, 44

ATTRIBUTES = 'font-family="system-ui, sans-serif" font-size="14" role="img" aria-labelledby="t"'
STYLE = """<style>
.t{fill:#1d2733}.s{fill:#4a5666;font-size:12px}.first{fill:#3566c4}.bar{fill:#aab4c2}
</style>"""


def svg(title: str, about: str, bars: Sequence[tuple[str, str, float]]) -> str:
    """`bars`: group, name, value. The first of each group stands out, and the longest fills the width."""
    longest = max(value for _, _, value in bars)
    lines, y = [], TOP
    for group, members in groupby(bars, key=lambda bar: bar[0]):
        lines.append(f'<text class="t" x="12" y="{y + 18}" font-weight="600">{escape(group)}</text>')
        y += ROW
        for number, (_, name, value) in enumerate(members):
            length = max(round(value / longest * BAR), 1)
            kind = "bar" if number else "first"
            lines += [
                f'<text class="t" x="{LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(name)}</text>',
                f'<rect class="{kind}" x="{LEFT}" y="{y + 1}" width="{length}" height="{ROW - 6}" rx="3"/>',
                f'<text class="t" x="{LEFT + length + 8}" y="{y + 15}">{value:,.0f}</text>',
            ]
            y += ROW
        y += 10
    for line in wrap(about, 110):
        y += 16
        lines.append(f'<text class="s" x="12" y="{y}">{escape(line)}</text>')
    height = y + 16
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {ATTRIBUTES}>',
            f'<title id="t">{escape(title)}: {escape(description(bars))}.</title>',
            STYLE,
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text class="t" x="12" y="28" font-weight="600">{escape(title)}</text>',
            *lines,
            "</svg>\n",
        )
    )


def description(bars: Sequence[tuple[str, str, float]]) -> str:
    return "; ".join(f"{group}, {name}: {value:,.0f}" for group, name, value in bars)
