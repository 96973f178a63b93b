"""Which usernames a new member could have, best first. Pure.

When the preferred one is taken: `ada-2`, `ada-3` and so on, cut before the number where that gets too long
(`first-number`: `ada1`, `ada2`, …). From the sixteenth on, the number is drawn from the contact's e-mail and grows by a
digit each time, so that a few tries suffice however many members share a name, and contacts of one batch that share it
do not collide. The same contact always gets the same candidates.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from memberhook.core import mapping
from memberhook.core.mapping import Mapped
from memberhook.core.text import ascii_form, one_line, slug
from memberhook.core.types import UsernameFormat, UsernameRules

_COUNTED = 15
"""So many numbers are tried one by one before they are drawn."""
_DRAWN_DIGITS = 5
_LAST_RESORT = "member"


@dataclass(frozen=True, slots=True)
class _Preference:
    """`numbered`: the username is `stem` and a number, from 1; else it is `stem`."""

    stem: str
    local_part: str
    email: str
    numbered: bool = False

    @property
    def username(self) -> str:
        return f"{self.stem}1" if self.numbered else self.stem


def candidates(mapped: Mapped, username_format: UsernameFormat, rules: UsernameRules) -> Iterator[str]:
    """Usernames that the site's rules allow, without end; never empty, none twice.

    Characters that are not allowed are transliterated, else dropped. When nothing is left, the local part of the e-mail
    takes their place, then "member".
    """
    seen = set()
    for username in _variants(_preference(mapped, username_format), rules):
        if username.lower() not in seen:  # one that is cut to fit may come out like another
            seen.add(username.lower())
            yield username


def preferred(mapped: Mapped, username_format: UsernameFormat) -> str:
    """The username as it would be if the site accepted everything."""
    return _preference(mapped, username_format).username


def _variants(preference: _Preference, rules: UsernameRules) -> Iterator[str]:
    stems = (_allowed(text, rules) for text in (preference.stem, preference.local_part, _LAST_RESORT))
    stem = next(filter(None, stems), "")
    numbered = preference.numbered
    if stem and not numbered:
        yield stem[: rules.max_length]
    separator = "" if numbered or not stem else next((sign for sign in "-_." if _allows(sign, rules)), "")
    for number in _numbers(1 if numbered else 2, preference.email):
        suffix = f"{separator}{number}"[-rules.max_length :]
        yield stem[: rules.max_length - len(suffix)] + suffix


def _preference(mapped: Mapped, username_format: UsernameFormat) -> _Preference:
    """The mapped username where the contact has one, else by the username format."""
    local_part = mapped.email.partition("@")[0]
    if username := one_line(mapped.username):
        return _Preference(username, local_part, mapped.email)
    if username_format is UsernameFormat.EMAIL:
        return _Preference(mapped.email, local_part, mapped.email)
    first, last = (slug(str(mapped.values.get(name, ""))) for name in (mapping.FIRST_NAME, mapping.LAST_NAME))
    if username_format is UsernameFormat.FIRST_NUMBER:
        return _Preference(first or local_part, local_part, mapped.email, numbered=True)
    return _Preference("-".join(filter(None, (first, last))) or local_part, local_part, mapped.email)


def _numbers(first: int, seed: str) -> Iterator[int]:
    yield from range(first, _COUNTED + 1)
    for digits in itertools.count(_DRAWN_DIGITS):
        drawn = int(hashlib.sha256(f"{digits} {seed.lower()}".encode(errors="replace")).hexdigest(), 16)
        yield 10 ** (digits - 1) + drawn % (9 * 10 ** (digits - 1))


def _allows(char: str, rules: UsernameRules) -> bool:
    return re.fullmatch(f"[{rules.allowed}]", char) is not None


def _allowed(text: str, rules: UsernameRules) -> str:
    """The part of the text that a site accepts; "" when no letter and no digit is left.

    Normalized first (NFKC), as Django does at log-in: a username of another form could never log in.
    """
    username = unicodedata.normalize("NFKC", text)
    if not re.fullmatch(f"[{rules.allowed}]*", username):
        username = "".join(_nearest(char, rules) for char in username)
    return username if any(map(str.isalnum, username[: rules.max_length])) else ""


@functools.lru_cache(maxsize=1024)  # called for each character of each username
def _nearest(char: str, rules: UsernameRules) -> str:
    """The character in a form that the site allows: itself, in lower case, or in ASCII; else nothing."""
    forms = (char, char.lower(), ascii_form(char), ascii_form(char).lower())
    return next((form for form in forms if form and all(_allows(c, rules) for c in form)), "")
