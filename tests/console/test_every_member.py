"""Pages, lists, filters and listings, with every member of every enum that they show."""

from __future__ import annotations

import enum
import html
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from memberhook import console, models, signals
from memberhook.console.labels import ACTIONS, STATES, result_label
from memberhook.console.overview import overview
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.states import STATUSES, State, status
from memberhook.core.types import Action, Contact, FieldType, UsernameFormat
from memberhook.intake import answers
from memberhook.models.connections import Connection, Hook
from memberhook.models.deliveries import Attempt, Delivery, Origin
from memberhook.models.followups import FollowUp, FollowUpState, Kind
from memberhook.services.deliveries import as_data
from tests.cli.conftest import Cli, cli
from tests.conftest import FakeCrm, Send, ended

__all__ = ["cli"]

DELIVERIES = "/console/memberhook/delivery/"
FOLLOW_UPS = "/console/memberhook/followup/"

Deliver = Callable[..., Delivery]
FollowUpOf = Callable[[Kind, FollowUpState], FollowUp]


MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (console, models)
    for module in pkgutil.iter_modules(package.__path__)
]


def tables(module: ModuleType) -> Iterator[tuple[str, list[Any]]]:
    """Mappings and lists of pairs whose keys are members of an enum of ours."""
    for name, value in vars(module).items():
        if isinstance(value, Mapping):
            keys = list(value)
        elif isinstance(value, list | tuple) and value and all(isinstance(p, tuple) and len(p) == 2 for p in value):
            keys = [key for key, _ in value]
        else:
            continue
        if any(isinstance(key, enum.Enum) for key in keys):
            yield name, keys


@pytest.mark.parametrize("module", MODULES)
def test_a_table_over_an_enum_has_all_its_members(module: str) -> None:
    for name, keys in tables(import_module(module)):
        kinds = {type(key) for key in keys}
        assert set(keys) == {member for kind in kinds for member in kind}, name


def test_the_tables_are_found() -> None:
    names = {name for module in MODULES for name, _ in tables(import_module(module))}
    assert {"STATES", "ACTIONS", "FOLLOW_UP_TONES", "IN_STATE", "NEXT_STEPS", "TYPES"} <= names


def text(console: Client, address: str) -> str:
    answer = console.get(address)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def pks(console: Client, address: str) -> list[int]:
    return [row.pk for row in console.get(address).context["cl"].result_list]


def test_a_signal_of_the_host_project_opens_like_any_follow_up(
    console: Client, send: Send, work: Callable[[], int], fake_crm: FakeCrm
) -> None:
    def receiver(**values: object) -> None:
        """Somebody listens."""

    fake_crm.add(Contact("1", "ada@example.com", {"first_name": "Ada"}))
    signals.member_created.connect(receiver)
    try:
        delivery = send()
        work()
    finally:
        signals.member_created.disconnect(receiver)
    assert [row.kind for row in ended(delivery).followups.all()] == [Kind.SIGNALS]
    for address in (f"{DELIVERIES}{delivery.pk}/change/", FOLLOW_UPS):
        assert str(Kind.SIGNALS.label) in text(console, address)


@pytest.mark.parametrize(("state", "attempts"), [*((state, 1) for state in State), (State.WORKING, 2)])
def test_states(console: Client, deliver: Deliver, cli: Cli, state: State, attempts: int) -> None:
    delivery = deliver(state.value, attempts=attempts)
    label = STATES[State(status(state, attempts))]
    shown = f'<span class="mh-badge mh-{label.tone}">{label.text}</span>'
    assert shown in text(console, DELIVERIES)
    assert shown in text(console, f"{DELIVERIES}{delivery.pk}/change/")
    status_word = str(delivery.status)
    assert status_word in STATUSES
    assert pks(console, f"{DELIVERIES}?status={delivery.status}") == [delivery.pk]
    found = overview(timezone.now())
    assert {str(t.text): t.number for t in (*found.finished, *found.in_progress)}[str(label.text)] == "1"
    assert [row["status"] for row in cli.json("deliveries", "--status", status_word)] == [status_word]
    assert status_word in cli("deliveries")
    assert status_word in cli("deliveries", str(delivery.pk))


@pytest.mark.parametrize("result", [*State, "abandoned"])
def test_results_of_attempts(console: Client, deliver: Deliver, cli: Cli, result: str) -> None:
    delivery, now = deliver("retrying"), timezone.now()
    Attempt.objects.create(
        delivery=delivery, number=1, worker="w", started_at=now, finished_at=now, result=result, message="So it went."
    )
    assert f"{result_label(result).text}</span></td><td>So it went." in text(
        console, f"{DELIVERIES}{delivery.pk}/change/"
    )
    assert f"{result}: So it went." in cli("deliveries", str(delivery.pk))


@pytest.mark.parametrize("action", Action)
def test_actions(console: Client, deliver: Deliver, cli: Cli, action: Action) -> None:
    delivery = deliver("failed", action=action.value)
    deliver("failed", action=next(other for other in Action if other is not action).value)
    label = str(ACTIONS[action])
    assert pks(console, f"{DELIVERIES}?action={action.value}") == [delivery.pk]
    assert [row["action"] for row in cli.json("deliveries", str(delivery.pk))] == [action.value]
    [cell] = re.findall(
        r"field-action_name[^>]*>\s*<span[^>]*>([^<]+)<", text(console, f"{DELIVERIES}?action={action.value}")
    )
    assert cell == label
    for page in (f"{delivery.pk}/change/", f"replay/?id={delivery.pk}"):
        assert f"<td>{label}" in text(console, f"{DELIVERIES}{page}")
    assert action.value in cli("deliveries", str(delivery.pk))


@pytest.mark.parametrize("origin", Origin)
def test_origins(console: Client, deliver: Deliver, origin: Origin) -> None:
    delivery = deliver(origin=origin.value, method="POST" if origin is Origin.WEBHOOK else "")
    deliver(origin=next(other for other in Origin if other is not origin).value)
    assert pks(console, f"{DELIVERIES}?origin={origin.value}") == [delivery.pk]
    assert str(origin.label) in text(console, f"{DELIVERIES}{delivery.pk}/change/")


@pytest.fixture
def follow_up(deliver: Deliver) -> FollowUpOf:
    delivery = deliver()

    def make(kind: Kind, state: FollowUpState) -> FollowUp:
        ended = {FollowUpState.WAITING: "pending", FollowUpState.FAILED: "failed", FollowUpState.DONE: "applied"}
        return FollowUp.objects.create(
            delivery=delivery,
            kind=kind,
            member_id=f"{kind}-{state}",
            email="ada@example.com",
            state=ended[state],
            finished_at=None if state is FollowUpState.WAITING else timezone.now(),
        )

    return make


@pytest.mark.parametrize("state", FollowUpState)
@pytest.mark.parametrize("kind", Kind)
def test_follow_ups(console: Client, follow_up: FollowUpOf, cli: Cli, kind: Kind, state: FollowUpState) -> None:
    everything = {(k, s): follow_up(k, s) for k in Kind for s in FollowUpState}
    row = everything[kind, state]
    query = "" if state is FollowUpState.WAITING else f"state={state.value}&"
    assert pks(console, f"{FOLLOW_UPS}?{query}kind__exact={kind.value}") == [row.pk]
    assert len(pks(console, f"{FOLLOW_UPS}?state=all")) == len(everything)
    of_kind, badge = str(kind.label), f"{state.label}</span>"
    page = text(console, f"{DELIVERIES}{row.delivery_id}/change/")
    for shown in (text(console, f"{FOLLOW_UPS}?{query}"), text(console, f"{FOLLOW_UPS}{row.pk}/change/"), page):
        assert of_kind in shown
        assert badge in shown
    FollowUp.objects.exclude(pk=row.pk).delete()
    assert f"{of_kind}: {state.value}." in cli("deliveries", str(row.delivery_id))


@pytest.mark.parametrize("kind", FieldType)
def test_field_types(console: Client, shop: Connection, hook: Hook, kind: FieldType) -> None:
    Connection.objects.update(fields=[{"name": "x", "title": "Odd one", "type": kind.value, "options": []}])
    hook.mapped_fields.create(site_field="x", crm_field="x", type=kind.value)
    assert "Odd one" in text(console, f"/console/memberhook/connection/{shop.pk}/change/")
    assert f'value="{kind.value}" selected' in text(console, f"/console/memberhook/hook/{hook.pk}/change/")


@pytest.mark.parametrize("form", UsernameFormat)
def test_username_formats(console: Client, hook: Hook, form: UsernameFormat) -> None:
    Hook.objects.update(username_format=form.value)
    assert f'value="{form.value}" selected' in text(console, f"/console/memberhook/hook/{hook.pk}/change/")
    assert hook.name in text(console, "/console/memberhook/hook/")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_answers_as_pages(deliver: Deliver, state: State, action: Action) -> None:
    delivery = deliver(state.value, action=action.value)
    page = answers.stored(delivery).render(as_page=True)
    body = page.body
    assert page.status == (200 if delivery.finished_at else 202)
    assert f">{as_data(delivery)['status'] if delivery.finished_at else 'pending'}</span>" in body.decode()
    assert action.value in body.decode()


@pytest.mark.parametrize("error", [PermanentError, TransientError])
@pytest.mark.parametrize("action", Action)
def test_dry_runs_that_fail_as_pages(action: Action, error: type[PermanentError] | type[TransientError]) -> None:
    answer = answers.previewed(action.value, error("The CRM is down.", code="down"))
    assert "The CRM is down." in answer.render(as_page=True).body.decode()
