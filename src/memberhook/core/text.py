"""Turn text from a CRM into safe, plain text. Pure.

Entities stay as they are: whoever shows the text escapes it, once.
"""

from __future__ import annotations

import re
import unicodedata

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""Control characters that are not white space, and halves of surrogate pairs, which no database stores."""

_TAG = re.compile(
    r"<(/?[A-Za-z][A-Za-z0-9]*+)[^<>]*+>"  # <b>, </b>, <img …>; `a < b` and `<3` are none
    r"|<[!?/][^<>]*+>"  # <!-- … -->, <?php … ?>
    r"|<[/A-Za-z][^<>=]*+=[^<>]*+\Z"  # <img src=…, never closed: a page would close it
)
_PASSES = 10
"""Tags inside tags (`<<b>b>`) are removed so many times; what is left then is an attack and loses every `<`."""

_SPELLED_OUT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "\u0131": "i", "ħ": "h", "Ħ": "H", "ŋ": "n", "Ŋ": "N"}
)


def one_line(text: str) -> str:
    """Remove markup, control characters and surrounding white space; line breaks and tabs become single spaces."""
    lines = _plain(text).replace("\t", " ").splitlines()
    return " ".join(stripped for line in lines if (stripped := line.strip()))


def lines(text: str) -> str:
    """As `one_line`, but line breaks stay, as line feeds."""
    return "\n".join(line.rstrip() for line in _plain(text).splitlines()).strip()


def _plain(text: str) -> str:
    text = _CONTROLS.sub("", text)
    for _ in range(_PASSES):
        if "<" not in text:
            return text
        before, text = text, _without_tags(text)
        if text == before:
            return text
    return text.replace("<", "")


def _without_tags(text: str) -> str:
    """One pass, in linear time. Between `<script>` or `<style>` and their ends there is no text: that goes too."""
    tags = list(_TAG.finditer(text))
    last = {(tag[1] or "").lower(): tag.start() for tag in tags}
    kept, end, inside = [], 0, ""
    for tag in tags:
        name = (tag[1] or "").lower()
        if not inside:
            kept.append(text[end : tag.start()])
            if name in {"script", "style"} and last.get(f"/{name}", -1) > tag.start():
                inside = name
        elif name == f"/{inside}":
            inside = ""
        end = tag.end()
    return "".join([*kept, text[end:]])


def storable(text: str) -> bool:
    """Whether databases take the text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def shown(text: str, longest: int = 60) -> str:
    """Text of a CRM or an owner as a message quotes it: one line, in quotes, not too long."""
    text = one_line(text)
    return f'"{text}"' if len(text) <= longest else f'"{text[:longest]}…"'


def ascii_form(text: str) -> str:
    """The nearest ASCII text (`Zoë Łuczak` → `Zoe Luczak`). Other scripts and symbols are dropped."""
    spelled = unicodedata.normalize("NFKD", text.translate(_SPELLED_OUT)).translate(_SPELLED_OUT)
    return spelled.encode("ascii", "ignore").decode()


def slug(text: str) -> str:
    """Lower-case letters and digits joined by "-", in ASCII where the text has such a form, else in its script."""
    return _slug(ascii_form(text)) or _slug(unicodedata.normalize("NFKC", text))


def _slug(text: str) -> str:
    words = re.sub(r"[^\w\s-]", "", text.lower())
    return re.sub(r"[-_\s]+", "-", words).strip("-")
