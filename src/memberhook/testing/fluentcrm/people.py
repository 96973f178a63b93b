"""Invented people for the demo, the tests and the benchmarks.

The same seed gives the same people in the same order, without end, each with an e-mail address of their own at
example.com or example.org. Their names contain what breaks careless code: accents, apostrophes, emoji and more.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

NAMES: tuple[tuple[str, str], ...] = (
    ("Ada", "Winter"),
    ("Zoë", "Faktor"),
    ("Siobhán", "O'Malley"),
    ("Jürgen", "Größer"),
    ("Ana María", "Núñez"),
    ("François", "d'Aubigny"),
    ("Łukasz", "Żółty"),
    ("Åsa", "Sjöström"),
    ("Noël", "Lefèvre"),
    ("Mia", "van der Berg"),
    ("Tomás", "Ó Briain"),
    ("Ingrid", "Ærøskov"),
    ("Dvořáková", "Běla"),
    ("Ștefan", "Țepeș"),
    ("İpek", "Çağlar"),
    ("Nguyễn", "Thị Hạnh"),
    ("Yuki 🌸", "Tanaka"),
    ("美咲", "佐藤"),
    ("明", "李"),
    ("Иван", "Тестов"),
    ("Ольга", "Примерова"),
    ("Ελένη", "Δοκιμή"),
    ("ليلى", "المثال"),
    ("דנה", "לדוגמה"),
    ("Priya", "Nair"),
    ("Kwame", "Mensah"),
    ("Thandiwe", "Ndlovu"),
    ("Mele", "Tu'ipulotu"),
    ("Keahi", "Ka'aukai"),
    ("Jean-Luc", "Saint-Exemple"),
    ("Mary-Jane", "Smith-Jones"),
    ("Sir Reginald", "Featherstonehaugh-Cholmondeley"),
    ("Li", "Wu"),
    ("Bo", "Ek"),
    ("Madonna", ""),
    ("", "Anonymous"),
    ("Pia & Pat", "Plus"),
    ('Robert "Bob"', "Quote"),
    ("Back\\slash", "Brown"),
    ("Percy 100%", "Percent"),
    ("Hash #1", "Number"),
    ("Eve=Equal", "Sign"),
    ("Tim 🎉🎂", "Party"),
    ("Rosa 🌹", "Flores"),
    ("Max", "Null"),
    ("Test", "True"),
    ("Björk", "Jónsdóttir"),
    ("Chloé", "L'Étoile"),
    ("Renée", "D\u2019Apostrophe"),
    ("Juan Carlos", "de la Cruz y Peña"),
    ("Fatima", "al-Zahra"),
    ("Oisín", "Mac Giolla"),
    ("Mateja", "Šušteršič"),
    ("Ilse", "Ijsbrand"),
    ("Sunita", "Deshpande"),
    ("Hồng", "Phạm"),
    ("Aino", "Yli-Näätä"),
    ("Grace", "Hill"),
    ("Omar", "Reed"),
    ("Nia", "Okafor"),
)

_CITIES = (
    ("Lisbon", "PT"),
    ("São Paulo", "BR"),
    ("Köln", "DE"),
    ("Reykjavík", "IS"),
    ("Kraków", "PL"),
    ("Lagos", "NG"),
    ("Kyoto", "JP"),
    ("Saint John's", "CA"),
)
_DOMAINS = ("example.com", "example.org")


@dataclass(frozen=True, slots=True)
class Person:
    """The fields are arguments of `add_contact`: `crm.add_contact(**asdict(person))`."""

    email: str
    first_name: str
    last_name: str
    phone: str
    city: str
    country: str


def people(seed: int) -> Iterator[Person]:
    """Every name in `NAMES` once, in an order that depends on the seed, then again with other addresses."""
    rng = random.Random(seed)  # noqa: S311 - invented people, nothing secret
    for turn in count():
        names = list(enumerate(NAMES))
        rng.shuffle(names)
        for index, (first_name, last_name) in names:
            number = turn * len(NAMES) + index + 1
            city, country = rng.choice(_CITIES)
            suffix = rng.choice(("", "", "+shop", "+news"))
            email = f"{_local(first_name, last_name)}.{number}{suffix}@{rng.choice(_DOMAINS)}"
            yield Person(email, first_name, last_name, f"+1 555 01{number % 100:02d}", city, country)


def _local(first_name: str, last_name: str) -> str:
    """The part before the `@`: ASCII letters, sometimes an apostrophe."""
    plain = unicodedata.normalize("NFKD", f"{first_name}.{last_name}").lower()
    local = "".join(c for c in plain if c.isascii() and (c.isalnum() or c in ".'"))
    return local.strip(".'") or "someone"
