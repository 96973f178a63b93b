"""Reads the translations: .po files as translators write them, .mo files as Django loads them."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import memberhook

LOCALE = Path(memberhook.__file__).parent / "locale"


@dataclass
class Entry:
    """One text: `forms` holds the translation, or one for each plural form."""

    msgid: str = ""
    plural: str | None = None
    forms: dict[int, str] = field(default_factory=dict)
    flags: str = ""


def source_entries(language: str) -> list[Entry]:
    """The entries of the .po file, without its header."""
    text = (LOCALE / language / "LC_MESSAGES" / "django.po").read_text(encoding="utf-8")
    return [entry for block in text.split("\n\n") if (entry := _entry(block)).msgid]


def _entry(block: str) -> Entry:
    entry = Entry()
    for keyword, text in _fields(block):
        if keyword == "#,":
            entry.flags += text
        elif keyword == "msgid":
            entry.msgid = text
        elif keyword == "msgid_plural":
            entry.plural = text
        else:
            entry.forms[int(keyword[7:-1] or 0) if "[" in keyword else 0] = text
    return entry


def _fields(block: str) -> Iterator[tuple[str, str]]:
    """Each keyword with its text, continued lines joined."""
    for flags in re.findall(r"^#,(.*)$", block, re.MULTILINE):
        yield "#,", flags
    for keyword, quoted in re.findall(r'^(msg\w+(?:\[\d+\])?) ((?:"(?:[^"\\]|\\.)*"\s*)+)', block, re.MULTILINE):
        yield keyword, "".join(ast.literal_eval(part) for part in quoted.strip().splitlines())


def compiled(language: str) -> dict[str | tuple[str, int], str]:
    """The texts of the .mo file; plural forms by (msgid, number)."""
    with (LOCALE / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        catalog: dict[str | tuple[str, int], str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in catalog.items() if key}


def languages() -> list[str]:
    return sorted(folder.name for folder in LOCALE.iterdir())
