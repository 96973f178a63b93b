"""The simulator's WordPress: how texts and e-mail addresses are cleaned, and how a slug is made of a title.

Its one decision: only the rules that change what a site owner's contacts look like are kept.
Measured on FluentCRM 2.9.84 with WordPress 6.1.9.
"""

from __future__ import annotations

import random
import re
import unicodedata

MAX_LENGTH = 192

_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)


def sanitize_text(value: str) -> str:
    """Mark-up and `%20`-like escapes go, runs of white space become one space, and what is over 192 characters."""
    value = re.sub(r"<[^>]*>", "", value)
    value = re.sub(r"%[0-9A-Fa-f]{2}", "", value)
    return re.sub(r"\s+", " ", value).strip()[:MAX_LENGTH]


def is_email(value: str) -> bool:
    return bool(_EMAIL.fullmatch(value)) and ".." not in value


def sanitize_email(value: str) -> str:
    """Characters that WordPress allows in no address are dropped; "" if what remains is none."""
    local, at, domain = value.strip().rpartition("@")
    local = re.sub(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]", "", local)
    cleaned = f"{local}{at}{re.sub(r'[^A-Za-z0-9.-]', '', domain)}"
    return cleaned if is_email(cleaned) else ""


def fold(value: str) -> str:
    """A text as the database compares it (utf8mb4_unicode_520_ci): without case, accents and spaces at the end."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", value) if not unicodedata.combining(c))
    return plain.casefold().rstrip(" ")


def like(pattern: str, value: str) -> bool:
    """SQL's LIKE: `%` stands for any text, `_` for any character."""
    regex = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in fold(pattern))
    return re.fullmatch(regex, fold(value), re.DOTALL) is not None


def slugify(title: str, rng: random.Random) -> str:
    """`Course One` → `course-one`; a title with signs or letters beyond Latin gets an invented slug."""
    latin = all(c in "-_ " or c.isnumeric() or "LATIN" in unicodedata.name(c, "") for c in title)
    slug = re.sub(r"[^a-z0-9_-]", "-", fold(title))
    slug = re.sub(r"[-_]{2,}", "-", slug).strip("-_")
    if latin and slug:
        return slug
    letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=5))
    return f"{rng.randrange(16**5):05x}-{letters}"
