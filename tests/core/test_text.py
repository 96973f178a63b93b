from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberhook.core.text import ascii_form, lines, one_line, shown, slug, storable

odd = st.text(alphabet=st.one_of(st.sampled_from("<>/!=ab \n\t\0&;"), st.characters()), max_size=40)


@pytest.mark.parametrize(
    "text",
    [
        'Pia & "Pat" x',
        "a < b",
        "a<b",
        "O'Plus",
        "I <3 you",
        "👩\u200d🚀 Ада",
        "&amp; &lt;b&gt;",
        "C:\\x",
        "5 > 4",
        "é\u0301",
    ],
)
def test_plain_text_comes_through_unchanged(text):
    assert one_line(text) == text
    assert lines(text) == text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<b>Ada</b>", "Ada"),
        ("Ada <script>alert(1)</script>King", "Ada King"),
        ("Ada <STYLE media=x>p{}</style >King", "Ada King"),
        ("<script>Ada", "Ada"),
        ("<scr<b>ipt>Ada", "Ada"),
        ("<scr\0ipt>Ada", "Ada"),
        ("Ada <!-- x --><?php y ?></", "Ada </"),
        ("Ada <img src=x onerror=y() ", "Ada"),
        ("<" * 30 + "b>" * 30 + "x", "b>" * 20 + "x"),
        ("  Ada\r\n\r\n\tKing \u2028x ", "Ada King x"),
        ("A\x07d\x1b\x9f\ud800a", "Ada"),
    ],
)
def test_markup_and_controls_go(text, plain):
    assert one_line(text) == plain


def test_lines_keep_their_breaks():
    assert lines(" Ada \r\nKing\r\r\nx\t\n") == "Ada\nKing\n\nx"


@given(odd)
def test_cleaning_twice_is_cleaning_once(text):
    assert one_line(one_line(text)) == one_line(text)
    assert lines(lines(text)) == lines(text)
    assert "\n" not in one_line(text)


@pytest.mark.parametrize("part", ["<", "<b", "<b>", "<script>", "<!--", "<b=", "=", " ", "\n ", "<b>>"])
def test_hostile_text_is_read_in_linear_time(part):
    text = "<a " + part * (300_000 // len(part))
    start = time.process_time()
    one_line(text)
    lines(text)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("text", "form"),
    [("Zoë Łuczak", "Zoe Luczak"), ("Straße", "Strasse"), ("Ǿystein", "Oystein"), ("Ада", ""), ("ﬁ", "fi")],
)
def test_ascii_form(text, form):
    assert ascii_form(text) == form


@pytest.mark.parametrize(
    ("text", "name"), [("Zoë  Maria-", "zoe-maria"), ("O'Plus", "oplus"), ("Ада Д.", "ада-д"), ("?!", ""), ("", "")]
)
def test_slug(text, name):
    assert slug(text) == name


def test_shown_text_is_short_and_on_one_line():
    assert shown("a\nb") == '"a b"'
    assert shown("x" * 100) == '"' + "x" * 60 + '…"'


def test_storable():
    assert storable("Ада\n")
    assert not storable("a\0")
    assert not storable("\udfff")
