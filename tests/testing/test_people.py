"""The invented people: the same for a seed, all different, all at addresses that nobody has."""

from __future__ import annotations

import re
from dataclasses import asdict
from itertools import islice

from memberhook.testing.fluentcrm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.people import NAMES, people


def test_a_seed_gives_the_same_people_again() -> None:
    assert list(islice(people(7), 200)) == list(islice(people(7), 200))
    assert list(islice(people(7), 60)) != list(islice(people(8), 60))


def test_every_name_comes_once_before_any_comes_again() -> None:
    assert len(NAMES) == len(set(NAMES)) == 60
    first = list(islice(people(1), 60))
    assert {(person.first_name, person.last_name) for person in first} == set(NAMES)


def test_the_crm_takes_them_all(crm: SimulatedFluentCRM) -> None:
    """Addresses differ, without case and accents too; a thousand are not too many."""
    invented = list(islice(people(1), 1000))
    for person in invented:
        crm.add_contact(**asdict(person))
    assert len(crm.store.contacts) == 1000
    address = re.compile(r"[a-z0-9.'+]+@example\.(com|org)")
    assert [person.email for person in invented if not address.fullmatch(person.email)] == []
    assert all(re.fullmatch(r"\+1 555 01\d\d", person.phone) for person in invented)


def test_they_are_varied() -> None:
    names = " ".join(f"{first} {last}" for first, last in NAMES)
    for sign in ("'", "\u2019", "é", "🎉", "&", "=", "#", "%", '"', "\\", "佐", "И"):
        assert sign in names
    emails = [person.email for person in islice(people(1), 60)]
    assert any("+" in email for email in emails)
    assert any("'" in email for email in emails)
