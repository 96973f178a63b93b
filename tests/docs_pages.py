"""Parse the pages of the documentation for the tests: blocks, headings, links, quotes.

A block's info string says how it is tested (see `KINDS`). “Quotes” like these are messages of the program; a test looks
them up in the source, where `…` stands for anything.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from memberhook.core.error_codes import ErrorCode

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "memberhook"
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

KINDS = {
    "sh": "commands: each one runs",
    "output": "what the `sh` block before it prints; … stands for anything",
    "json": "the answer to the `curl` before it: the same names, and the same kinds of values",
    "python": "compiles, and imports of memberhook are there; runs on the pages of RUN_PYTHON",
    "php": "a whole file of docs/recipes; or lines for a WordPress with the connector, which must be valid PHP",
    "apache": "a file of another program: not tested",
    "text": "not tested",
    "html": "a template: not tested",
    "ini": "a file of another program: not tested",
    "nginx": "a file of another program: not tested",
    "caddy": "a file of another program: not tested",
}


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, except Sphinx's directives (`{toctree}`)."""
    fence = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    text = page.read_text("utf-8")
    found = [Block(page, text.count("\n", 0, m.start()) + 1, m[1].strip(), m[2]) for m in fence.finditer(text)]
    return [block for block in found if not block.kind.startswith("{")]


def prose(page: Path) -> str:
    """The page without its fenced blocks and comments."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


def links(page: Path) -> list[str]:
    """Targets of links and pictures that are not on other sites."""
    found = re.findall(r"\]\(([^()\s]+)\)", prose(page))
    return [target for target in found if "://" not in target and not target.startswith("mailto:")]


def anchors(page: Path) -> set[str]:
    """The names of the page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#{1,6} (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(block: Block) -> list[str]:
    """The commands of a `sh` block, one a line; lines that end with a backslash are joined."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


@functools.cache
def program_strings() -> list[str]:
    """All texts in the program's source, templates and plugin, with single spaces."""
    found = [
        node.value
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    found += [path.read_text("utf-8") for path in (*SOURCE.rglob("templates/**/*.*"), *SOURCE.rglob("*.php"))]
    return [" ".join(text.split()) for text in found]


def raised_codes(*families: str) -> dict[str, str]:
    """Error code → where it is raised, for errors of these classes. Those of the simulator are left out."""
    return {
        code: f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCE.rglob("*.py")
        if "testing" not in path.parts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in families
        for word in node.keywords
        if word.arg == "code" and (code := _code(word.value))
    }


def _code(value: ast.expr) -> str | None:
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "ErrorCode":
        return str(ErrorCode[value.attr])
    return str(value.value) if isinstance(value, ast.Constant) else None


def imported(block: Block) -> Iterator[tuple[str, str]]:
    """Module and name of each import from memberhook in a Python block."""
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("memberhook"):
            yield from ((node.module or "", alias.name) for alias in node.names)
