"""Find words that this project no longer uses: `python scripts/words.py [FILE…]` (without files: all that git tracks).

The list is the table "Retired words" of docs/glossary.md. Prints one line for each word found, then a count for each
file; exit status 1 if there is any.

A file is split into names (identifiers, keys, file names) and text (comments, docstrings, messages, prose). Names are
split at underscores and capitals, so `give_back` and `giveBack` are both "give back".
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GLOSSARY = ROOT / "docs" / "glossary.md"
SUFFIXES = {".css", ".html", ".js", ".md", ".php", ".py", ".sh", ".svg", ".toml", ".txt", ".yml"}
SKIPPED = (
    "docs/cli.md",  # made from the code, where the words are found
    "docs/settings.md",
    "requirements/",  # names of other people's packages
    "src/memberhook/sites/wordpress/plugin/memberhook-connector/license.txt",
    "scripts/lines-by-folder",  # names of folders that are gone
    "scripts/words.py",
    "tests/crms/fluentcrm/recorded/",  # what a real FluentCRM sent
    "tests/test_words.py",
    "tests/crms/fluentcrm/test_identify.py",  # what is compared with it
    "tests/testing/test_recorded_rest.py",
)

OUR_PACKAGES = ("", "memberhook", "tests", "benchmarks")
WHERE = ("everywhere", "names", "whole names", "text")
"""Where a word may be retired; the glossary explains them."""

EXCEPTIONS = (
    # Terms of others
    (r"foreign[ _]?keys?", "SQL and Django"),
    (r"journal[ _]mode|rollback journal", "SQLite"),
    (r"enter_context|enter_async_context|__a?enter__", "Python's context managers"),
    (r"get_current_screen|screen-reader-text|\bscreen reader", "WordPress"),
    (r"\bwp_login\b|\buser_login\b|\bmember\.login\b", "field names of the contract and of WordPress"),
    (r"\$plan\['login'\]", "a key of a plan that the connector receives"),
    (r"\bLogin Details\b", "the subject of WordPress's e-mail"),
    (r"\bget_user_by\( ?'login'", "WordPress"),
    (r"(?<!\S)/\S+|\S+/(?!\S)|\S+\.(?:html|txt|py|md|php)\b", "paths of addresses and files"),
    (r"\bfacts-\w+", "names in the recordings of FluentCRM"),
    # Ordinary English
    (r"\b(?:first|last|next|after|at|before|each|every|failed|own|by) logins?\b", "the act of logging in"),
    (r"\blogin (?:page|form|screen|link|attempt|address|URL)s?\b", "the page"),
    (r"^id +login\b", "a column that `memberhook members` prints"),
)
"""Pattern, reason. A retired word within a match is not reported."""


@dataclass(frozen=True)
class Retired:
    word: str
    instead: str
    where: str

    @property
    def in_text(self) -> bool:
        return self.where in ("everywhere", "text")

    @property
    def in_names(self) -> bool:
        return self.where != "text"

    @property
    def is_identifier(self) -> bool:
        """Whether exactly this identifier is retired, such as `RetryLater`."""
        return self.word != self.word.lower()


@dataclass(frozen=True)
class Piece:
    """A name, or some text, of a file."""

    line: int
    content: str
    is_name: bool


@dataclass(frozen=True)
class Found:
    path: str
    line: int
    word: str
    instead: str
    context: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r} → {self.instead} ({self.context})"


def retired_words(glossary: str) -> list[Retired]:
    """The rows of the table "Retired words"; each has one or more words in backticks."""
    section = glossary.split("\n## Retired words\n", 1)[1]
    found = []
    for row in re.findall(r"^\| (`.*?) \| (.*?) \| ([\w ]+) \|$", section, re.MULTILINE):
        words, instead, where = row
        if where not in WHERE:
            raise ValueError(f"docs/glossary.md: {where!r} is not one of {', '.join(WHERE)}")
        for word in re.findall("`(.*?)`", words):
            word = word if word != word.lower() else word.replace("_", " ")
            found.append(Retired(word, instead, where))
    return found


# Splitting files into names and text


def words_of(name: str) -> str:
    """`givesBack_now` → "gives back now"."""
    return " ".join(re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)).lower()


def python(source: str, line: int = 1) -> Iterator[Piece]:
    tree = ast.parse(source)
    others = set(names_of_others(tree))
    formats = {id(node.format_spec) for node in ast.walk(tree) if isinstance(node, ast.FormattedValue)}
    for node in ast.walk(tree):
        at = line - 1 + getattr(node, "lineno", 1)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from string(node.value, at)
        elif isinstance(node, ast.JoinedStr) and id(node) not in formats:
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield Piece(at, "".join(map(str, parts)), is_name=False)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield Piece(at, node.name.removeprefix("test_").replace("_", " "), is_name=False)
        else:
            yield from (Piece(at, name, is_name=True) for name in python_names(node) if name not in others)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield Piece(line - 1 + token.start[0], token.string.lstrip("# "), is_name=False)


def names_of_others(tree: ast.AST) -> Iterator[str]:
    """What a module imports from other people's packages, such as `given` of hypothesis."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] not in OUR_PACKAGES:
            yield from (alias.name for alias in node.names)


def python_names(node: ast.AST) -> Iterator[str]:
    """Names that a node itself brings; those of a test are its sentence, so they are not among them."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg | ast.keyword):
        yield node.arg or ""
    elif isinstance(node, ast.alias):
        yield from (node.name, node.asname or "")
    elif isinstance(node, ast.ImportFrom):
        yield node.module or ""
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        yield node.name or ""


def string(value: str, line: int) -> Iterator[Piece]:
    """A string is a name if it could be one (a key, for example), else text."""
    if re.fullmatch(r"[\w.:]*", value):
        yield Piece(line, value, is_name=True)
        return
    for number, content in enumerate(value.splitlines()):
        yield from prose(content, line + number)


def prose(content: str, line: int) -> Iterator[Piece]:
    """Text, in which `code` is a name."""
    for code in re.findall("`([^`]*)`", content):
        yield from (Piece(line, name, is_name=True) for name in re.findall(r"[A-Za-z]\w*", code))
    yield Piece(line, re.sub("`[^`]*`", "`…`", content), is_name=False)


C_LIKE = re.compile(
    r"(?P<comment>/\*.*?\*/|//[^\n]*|(?<!\S)\#[^\n]*)"
    r"|(?P<string>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<name>[A-Za-z_][\w-]*)",
    re.DOTALL,
)


def c_like(source: str, line: int = 1) -> Iterator[Piece]:
    """PHP, JavaScript, CSS, shell: good enough to know comments and strings from names."""
    for match in C_LIKE.finditer(source):
        at = line + source.count("\n", 0, match.start())
        if match["comment"]:
            for number, content in enumerate(match["comment"].splitlines()):
                yield from prose(content.strip(" \t*/#"), at + number)
        elif match["string"]:
            yield from string(match["string"][1:-1], at)
        else:
            yield Piece(at, match["name"], is_name=True)


def php(source: str, line: int = 1) -> Iterator[Piece]:
    end = 0
    for match in re.finditer(r"<\?(?:php|=)(.*?)(?:\?>|\Z)", source, re.DOTALL):
        yield from markup(source[end : match.start()], line + source.count("\n", 0, end))
        yield from c_like(match[1], line + source.count("\n", 0, match.start()))
        end = match.end()
    yield from markup(source[end:], line + source.count("\n", 0, end))


class Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[Piece] = []
        self.is_code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_code = tag in ("style", "script")
        for name, value in attrs:
            if name not in ("class", "d", "href", "src"):
                self.pieces += string(value or "", self.getpos()[0])

    def handle_endtag(self, tag: str) -> None:
        self.is_code = False

    def handle_data(self, data: str) -> None:
        if not self.is_code:
            for number, content in enumerate(data.splitlines()):
                self.pieces += prose(content, self.getpos()[0] + number)

    def handle_comment(self, data: str) -> None:
        self.handle_data(data)


TEMPLATE_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)


def markup(source: str, line: int = 1) -> Iterator[Piece]:
    """HTML, SVG and Django templates; what is in `{{ }}` and `{% %}` is code."""
    for match in TEMPLATE_TAG.finditer(source):
        yield from c_like(match[0], line + source.count("\n", 0, match.start()))
    parser = Markup()
    parser.feed(TEMPLATE_TAG.sub(lambda match: "…" + "\n" * match[0].count("\n"), source))
    parser.close()
    yield from (Piece(piece.line + line - 1, piece.content, piece.is_name) for piece in parser.pieces)


def markdown(source: str) -> Iterator[Piece]:
    """Prose and fenced blocks. The table of retired words is left out."""
    source = re.sub(r"(\n## Retired words\n)(.*)", lambda match: match[1], source, flags=re.DOTALL)
    language, start, block = "", 0, []
    for number, content in enumerate(source.splitlines(), 1):
        if not content.startswith("```"):
            if start:
                block.append(content)
            else:
                yield from prose(re.sub(r"\]\([^)]*\)", "]", content), number)
        elif not start:
            language, start, block = content[3:].strip(), number, []
        else:
            yield from fenced(language, "\n".join(block), start + 1)
            start = 0


def fenced(language: str, source: str, line: int) -> Iterator[Piece]:
    if language in ("output", "text"):
        for number, content in enumerate(source.splitlines()):
            yield from prose(content, line + number)
    elif language == "python":
        yield from python(source, line)
    elif language == "php":
        yield from (php if source.startswith("<?php") else c_like)(source, line)
    else:
        yield from c_like(source, line)


def plain(source: str) -> Iterator[Piece]:
    for number, content in enumerate(source.splitlines(), 1):
        yield from prose(content, number)


def pieces(path: Path, shown: str) -> Iterator[Piece]:
    source = path.read_text("utf-8")
    suffix = path.suffix or (".sh" if source.startswith("#!") else "")
    yield from (Piece(1, part, is_name=True) for part in Path(shown).with_suffix("").parts)
    if suffix == ".py" or source.startswith("#!/usr/bin/env python"):
        yield from python(source)
    elif suffix == ".php":
        yield from php(source)
    elif suffix in (".js", ".css", ".sh", ".toml", ".yml"):
        yield from c_like(source)
    elif suffix in (".html", ".svg"):
        yield from markup(source)
    elif suffix == ".md":
        yield from markdown(source)
    else:
        yield from plain(TEMPLATE_TAG.sub("…", source))


# Finding retired words


class Search:
    def __init__(self, words: Iterable[Retired]) -> None:
        self.words = {word.word if word.is_identifier else word.word.lower(): word for word in words}
        self.names, self.whole_names, self.text = (
            self._pattern(word for word in self.words.values() if word.where in where and not word.is_identifier)
            for where in (("everywhere", "names"), ("whole names",), ("everywhere", "text"))
        )
        self.exceptions = re.compile("|".join(f"(?:{pattern})" for pattern, _ in EXCEPTIONS), re.IGNORECASE)

    @staticmethod
    def _pattern(words: Iterable[Retired]) -> re.Pattern[str]:
        longest_first = sorted((re.escape(word.word).replace(r"\ ", r"\s+") for word in words), key=len, reverse=True)
        return re.compile(rf"(?<![\w-])(?:{'|'.join(longest_first)})(?![\w-])", re.IGNORECASE)

    def within(self, piece: Piece) -> Iterator[Retired]:
        """Retired words in a name or text."""
        excepted = [match.span() for match in self.exceptions.finditer(piece.content)]
        for name in re.findall(r"[A-Za-z_]\w*", piece.content):
            word = self.words.get(name)
            if word and word.is_identifier and (word.in_names if piece.is_name else word.in_text):
                yield word
        if piece.is_name and not excepted:
            for part in re.findall(r"[A-Za-z_][\w-]*", piece.content):
                yield from (self._word(match) for match in self.names.finditer(words_of(part)))
                if whole := self.whole_names.fullmatch(words_of(part)):
                    yield self._word(whole)
        elif not piece.is_name:
            for match in self.text.finditer(piece.content):
                if not any(start <= match.start() and match.end() <= end for start, end in excepted):
                    yield self._word(match)

    def _word(self, match: re.Match[str]) -> Retired:
        return self.words[" ".join(match[0].lower().split())]


def found_in(path: Path, shown: str, search: Search) -> list[Found]:
    found = []
    for piece in pieces(path, shown):
        for word in search.within(piece):
            context = " ".join(piece.content.split())
            found.append(Found(shown, piece.line, word.word, word.instead, context[:80]))
    return sorted(set(found), key=lambda each: (each.line, each.word))


def tracked() -> list[str]:
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    checked = (name for name in names if not name.startswith(SKIPPED) and (ROOT / name).is_file())
    return [name for name in checked if Path(name).suffix in SUFFIXES or name.startswith((".ci/", "scripts/"))]


def main(arguments: list[str]) -> int:
    search = Search(retired_words(GLOSSARY.read_text("utf-8")))
    files = [(Path(name), Path(name).name) for name in arguments] or [(ROOT / name, name) for name in tracked()]
    found = [each for path, shown in files for each in found_in(path, shown, search)]
    for each in found:
        print(each)
    if found:
        print(f"\n{len(found)} retired words; docs/glossary.md says what to write instead.")
        for name, number in Counter(each.path for each in found).most_common():
            print(f"{number:6} {name}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
