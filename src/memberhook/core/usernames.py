"""5 PLAN: which logins a new member could have, best first. Decides how the nearest free one is looked for.

The scheme, for a wished login that is taken: `ada-2`, `ada-3` and so on, the part before cut where it gets too long
(`first-number`: `ada1`, `ada2`, …). From the sixteenth on, the number is drawn from the contact's e-mail and grows by
a digit each time, so that a few tries suffice however many members share a name, and contacts of one batch that share
it do not get into each other's way. The same contact always gives the same logins.
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
from memberhook.core.text import ascii_form, one_line, slug
from memberhook.core.types import Contact, HookOptions, UsernameFormat, UsernameRules

_COUNTED = 15
"""So many numbers are counted up one by one before they are drawn."""
_DRAWN_DIGITS = 5
_LAST_RESORT = "member"


@dataclass(frozen=True, slots=True)
class _Preference:
    """`counted`: the login is `stem` and a number, from 1; else it is `stem`."""

    stem: str
    local_part: str
    email: str
    counted: bool = False


def candidates(contact: Contact, options: HookOptions, rules: UsernameRules) -> Iterator[str]:
    """Logins that the site's rules allow, without end; never empty, none twice.

    Characters that are not allowed are transliterated, else dropped. When nothing of the wish is left, the local part
    of the e-mail takes its place, then "member".
    """
    seen = set()
    for username in _variants(_intent(contact, options), rules):
        if username.lower() not in seen:  # one that is cut to fit may come out like another
            seen.add(username.lower())
            yield username


def _variants(intent: _Preference, rules: UsernameRules) -> Iterator[str]:
    stems = (_allowed(text, rules) for text in (intent.stem, intent.local_part, _LAST_RESORT))
    stem = next(filter(None, stems), "")
    if stem and not intent.counted:
        yield stem[: rules.max_length]
    separator = "" if intent.counted or not stem else next((sign for sign in "-_." if _allows(sign, rules)), "")
    for number in _numbers(1 if intent.counted else 2, intent.email):
        suffix = f"{separator}{number}"[-rules.max_length :]
        yield stem[: rules.max_length - len(suffix)] + suffix


def wanted(contact: Contact, options: HookOptions, rules: UsernameRules, count: int) -> tuple[str, ...]:
    """The first `count` candidates: ask the site which of them are taken. 20 are enough (see the module's scheme)."""
    return tuple(itertools.islice(candidates(contact, options, rules), count))


def wished(contact: Contact, options: HookOptions) -> str:
    """The login as it would be if the site took everything."""
    intent = _intent(contact, options)
    return f"{intent.stem}1" if intent.counted else intent.stem


def _intent(contact: Contact, options: HookOptions) -> _Preference:
    """The mapped login where the contact has one, else by the username format."""
    mapped = mapping.read(contact, options)
    local_part = mapped.email.partition("@")[0]
    if username := one_line(mapped.username):
        return _Preference(username, local_part, mapped.email)
    if options.username_format is UsernameFormat.EMAIL:
        return _Preference(mapped.email, local_part, mapped.email)
    first, last = (slug(str(mapped.values.get(name, ""))) for name in (mapping.FIRST_NAME, mapping.LAST_NAME))
    if options.username_format is UsernameFormat.FIRST_NUMBER:
        return _Preference(first or local_part, local_part, mapped.email, counted=True)
    return _Preference("-".join(filter(None, (first, last))) or local_part, local_part, mapped.email)


def _numbers(first: int, seed: str) -> Iterator[int]:
    yield from range(first, _COUNTED + 1)
    for digits in itertools.count(_DRAWN_DIGITS):
        drawn = int(hashlib.sha256(f"{digits} {seed.lower()}".encode(errors="replace")).hexdigest(), 16)
        yield 10 ** (digits - 1) + drawn % (9 * 10 ** (digits - 1))


def _allows(char: str, rules: UsernameRules) -> bool:
    return re.fullmatch(f"[{rules.allowed}]", char) is not None


def _allowed(text: str, rules: UsernameRules) -> str:
    """What a site takes of the text; "" when no letter and no digit is left.

    Normalised first (NFKC), as Django does with what is typed at log-in: another form could never log in.
    """
    username = unicodedata.normalize("NFKC", text)
    if not re.fullmatch(f"[{rules.allowed}]*", username):
        username = "".join(_nearest(char, rules) for char in username)
    return username if any(map(str.isalnum, username[: rules.max_length])) else ""


@functools.lru_cache(maxsize=1024)  # asked for each character of each login
def _nearest(char: str, rules: UsernameRules) -> str:
    """The character, as the site allows it: itself, small, or in ASCII; else nothing."""
    forms = (char, char.lower(), ascii_form(char), ascii_form(char).lower())
    return next((form for form in forms if form and all(_allows(c, rules) for c in form)), "")
