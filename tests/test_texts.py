"""Texts of pages and e-mails can be translated: all go through gettext, as literals that xgettext finds."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import memberhook

PACKAGE = Path(memberhook.__file__).parent
FUNCTIONS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext", "pgettext_lazy"}
TEMPLATES = [path for path in PACKAGE.rglob("templates/**/*.*") if path.name != "answer.html"]  # webhooks are English
NAMES = {"Memberhook", "tags", "code", "Access", "Key"}
"""The product, a field of the CRM, and a header."""


def untranslated(template: str) -> list[str]:
    """The words of a template outside of its tags."""
    text = re.sub(r"{% blocktranslate.*?{% endblocktranslate %}", "", template, flags=re.DOTALL)
    text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", "", text)
    text = re.sub(r"<!doctype html>|<[^>]*>|&\w+;", "", text)
    return [word for word in re.findall(r"[^\W\d_]{2,}", text) if word not in NAMES]


def test_what_is_not_translated_is_found() -> None:
    template = (
        '<p title="x">{% translate "Yes" %} {{ name }}, {% blocktranslate %}we {{ n }}{% endblocktranslate %} No</p>'
    )
    assert untranslated(template) == ["No"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_no_text_outside_of_gettext(path: Path) -> None:
    assert untranslated(path.read_text(encoding="utf-8")) == []


def not_literal(source: str) -> list[int]:
    """The lines that pass something else than a literal to gettext. The number of `ngettext` may be anything."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in FUNCTIONS]
    texts = {call.lineno: call.args[:2] if call.func.id.startswith("n") else call.args for call in named}  # type: ignore[attr-defined]
    return [line for line, args in texts.items() if not all(isinstance(arg, ast.Constant) for arg in args)]


def test_what_is_no_literal_is_found() -> None:
    source = '_("yes")\n_(f"{no}")\nngettext("a", "b", n)\ngettext("a" + b)\n'
    assert not_literal(source) == [2, 4]


def test_gettext_is_called_with_literals() -> None:
    wrong = {str(path): not_literal(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    assert {path: lines for path, lines in wrong.items() if lines} == {}
