"""Recorded REST calls, replayed against a simulator in the state that the recording implies.

Only calls that Memberhook makes are simulated; the other recordings are facts about FluentCRM for whoever needs them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from memberhook.testing.fluentcrm import SimulatedFluentCRM

from .helpers import RECORDED, Clock, basic, call

NOT_SIMULATED = (
    *("add-tags", "add-tags-by-id", "add-tags-by-slug-on-update", "add-tags-unknown-subscriber", "remove-tags"),
    *("add-unknown-tag-by-slug", "create-subscriber", "create-subscriber-duplicate", "create-subscriber-force-update"),
    *("create-subscriber-invalid", "create-tag", "create-tag-duplicate", "search-subscriber-by-email"),
    *("search-subscriber-by-email-no-match", "search-subscriber-by-email-wrong-contact-first", "search-tag-by-slug"),
)
CALLS = sorted({path.stem for path in RECORDED.glob("*.json")} - set(NOT_SIMULATED))
NOT_ASKED_FOR = frozenset({"__bench", "subscribersCount", "totalCount"})
"""Keys that Memberhook does not use: times and counts."""
ADA = 1246
CREATED = "11:07:57"

State = Callable[[SimulatedFluentCRM, Clock], None]


def ada(crm: SimulatedFluentCRM, clock: Clock, **changes: Any) -> None:
    """Ada Facts as she was created, and then changed at 11:09:36."""
    clock.at(CREATED)
    values = {"interests": ["a", "b"], "renewal": "2027-01-31"}
    columns = {"phone": "+1 555 0100", "city": "Lisbon", "country": "PT"}
    crm.add_contact("facts-ada@example.com", "Ada", "Facts", values, **columns)
    if changes:
        clock.at("11:09:36")
        crm.update_contact(ADA, **changes)


def ada_and_grand(crm: SimulatedFluentCRM, clock: Clock) -> None:
    ada(crm, clock)
    clock.at("11:08:49")
    crm.add_contact("x.facts-ada@example.com", "Grand", "Facts")


def recorded_tags(crm: SimulatedFluentCRM, clock: Clock) -> None:
    clock.at(CREATED)
    crm.add_tag("facts-members", "facts-members")
    crm.add_tag("facts-course", "facts-course")


def zoe(crm: SimulatedFluentCRM, clock: Clock) -> None:
    recorded_tags(crm, clock)
    clock.at("11:10:49")
    columns = {
        "prefix": "Ms",
        "address_line_1": "1 Rua da Prova",
        "address_line_2": "Floor 2",
        "postal_code": "1000-001",
        "city": "São Pedro",
        "state": "Lisboa",
        "country": "PT",
        "phone": "+351 555 0199",
        "source": "facts",
        "date_of_birth": "1990-04-01",
    }
    values = {"interests": ["a", "b"], "renewal": "2027-01-31"}
    crm.add_contact("facts-zoe@example.com", "Zoë", "Faktor", values, ("facts-members",), id=1248, **columns)
    times = {"form": 50, "get": 51, "custom-json": 51, "custom-form": 52, "headers": 53, "json": 59}
    for name, second in times.items():
        clock.at(f"11:10:{second}")
        crm.apply_tag(1248, f"trigger-{name}")
    clock.at("11:10:57")
    crm.update_contact(1248, city="Porto")


def una(crm: SimulatedFluentCRM, clock: Clock) -> None:
    clock.at("11:10:54")
    crm.add_contact("facts-una@example.com", "Una", tags=("trigger-json",), id=1249, status="unsubscribed")


def bea(crm: SimulatedFluentCRM, clock: Clock) -> None:
    clock.at("11:10:55")
    crm.add_contact("facts-bea@example.com", "Bea", tags=("trigger-json",), id=1250)


def newsletter(crm: SimulatedFluentCRM, clock: Clock) -> None:
    clock.at(CREATED)
    crm.add_list("facts-newsletter", "facts-newsletter")


def became(**changes: Any) -> State:
    return lambda crm, clock: ada(crm, clock, **changes)


STATES: dict[str, State] = {
    "get-subscriber": zoe,
    "get-subscriber-with-custom-values": zoe,
    "get-subscriber-unsubscribed": una,
    "get-subscriber-no-custom-values": bea,
    "list-lists": newsletter,
    "list-subscribers-page-1": ada_and_grand,
    "list-subscribers-page-past-end": ada_and_grand,
    "list-tags-page-1": recorded_tags,
    "list-tags-page-2": recorded_tags,
    "list-tags-page-past-end": recorded_tags,
    "update-subscriber-email-taken": ada_and_grand,
    "update-subscriber-clear-custom-field": became(first_name="Augusta", last_name="King"),
    "update-subscriber-unknown-custom-field": became(last_name="King", city=""),
}
"""By default, Ada Facts is there as she was created."""

NOW = {"update-subscriber": "11:09:36"}

AUTHORIZATION = {
    "bad-credentials": basic(password="wrong"),
    "bad-credentials-unknown-user": basic("nobody-here"),
    "no-credentials": None,
    "no-credentials-update": None,
}


def before(crm: SimulatedFluentCRM, clock: Clock) -> None:
    """The site before the recorded people: nine tags and 1,244 contacts."""
    for title in ("Everybody", "Website Access", "Course One"):
        crm.add_tag(title)
    clock.at("10:11:08")
    for name in ("json", "form", "get", "custom-json", "custom-form", "headers"):
        crm.add_tag(f"Trigger {name}", f"trigger-{name}", description=None)
    held = {"website-access": 637, "course-one": 602, "trigger-get": 3}
    held |= {f"trigger-{name}": 2 for name in ("json", "form", "custom-json", "custom-form", "headers")}
    for number in range(2, ADA):
        crm.add_contact(f"filler{number}@example.org", id=number, tags=[t for t, n in held.items() if number - 2 < n])


def differences(recorded: Any, answered: Any, where: str = "") -> list[str]:
    """What is not the same: keys and their order, types, values."""
    if type(recorded) is not type(answered):
        return [f"{where}: {recorded!r} was recorded, {answered!r} answered"]
    if isinstance(recorded, dict):
        keys = [key for key in recorded if key not in NOT_ASKED_FOR]
        if keys != list(answered):
            return [f"{where}: keys {keys} were recorded, {list(answered)} answered"]
        return [found for key in keys for found in differences(recorded[key], answered[key], f"{where}/{key}")]
    if isinstance(recorded, list) and len(recorded) == len(answered):
        pairs = enumerate(zip(recorded, answered, strict=True))
        return [found for index, (one, other) in pairs for found in differences(one, other, f"{where}/{index}")]
    return [] if recorded == answered else [f"{where}: {recorded!r} was recorded, {answered!r} answered"]


@pytest.mark.parametrize("name", CALLS)
def test_answers_as_recorded(name: str, crm: SimulatedFluentCRM, clock: Clock) -> None:
    recorded = json.loads((RECORDED / f"{name}.json").read_text())
    request = recorded["request"]
    before(crm, clock)
    STATES.get(name, ada)(crm, clock)
    if name in NOW:
        clock.at(NOW[name])
    authorization = AUTHORIZATION.get(name, "admin")

    reply = call(crm, request["method"], request["path"], request["query"], request["body"], authorization)

    assert reply.status == recorded["status"]
    assert differences(recorded["body"], reply.body) == []


def test_every_state_belongs_to_a_recording() -> None:
    assert set(STATES) | set(NOW) | set(AUTHORIZATION) <= set(CALLS)
    assert len(CALLS) + len(NOT_SIMULATED) == 47
