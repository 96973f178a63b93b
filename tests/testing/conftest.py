from __future__ import annotations

from collections.abc import Iterator

import pytest

from memberhook.testing.fluentcrm import SimulatedFluentCRM

from .helpers import PASSWORD, USERNAME, Clock, Receiver, receiving


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def crm(clock: Clock) -> Iterator[SimulatedFluentCRM]:
    """A CRM with its administrator and the custom fields of the recordings."""
    crm = SimulatedFluentCRM(clock, site_url="http://site-a.example")
    crm.add_user(USERNAME, PASSWORD)
    for slug, label in (("wp_password", "WP Password"), ("username", "Username"), ("user_password", "User password")):
        crm.add_field(slug, "text", label)
    crm.add_field("interests", "select-multi", "Interests", ("a", "b"))
    crm.add_field("renewal", "date", "Renewal")
    yield crm
    crm.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def people(crm: SimulatedFluentCRM) -> SimulatedFluentCRM:
    """Five contacts: all but the fifth have custom values; odd ones have `customer`, even ones `newsletter`."""
    crm.add_tag("Customer")
    crm.add_tag("Newsletter")
    crm.add_list("Main List")
    for number in range(1, 6):
        values = {"username": f"user{number}"} if number < 5 else {}
        tag = "customer" if number % 2 else "newsletter"
        crm.add_contact(f"person{number}@example.com", f"First{number}", "Last", values, [tag], ["main-list"])
    return crm
