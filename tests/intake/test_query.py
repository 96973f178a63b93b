from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberhook.core.errors import RequestRejected
from memberhook.intake.query import CONTROL, flag, read

RECORDED = Path(__file__).parents[1] / "crms" / "fluentcrm" / "recorded" / "outgoing-webhooks.jsonl"


def test_control_parameters_end_where_contact_data_begins() -> None:
    query = read("wpf_action=add&access_key=K&role=customer&id=7&first_name=Ada")
    assert dict(query.controls) == {"wpf_action": "add", "access_key": "K", "role": "customer"}
    assert query.data == "id=7&first_name=Ada"
    assert query.problem is None


def test_the_recorded_contact_named_after_a_parameter_is_refused() -> None:
    """FluentCRM 2.9.84, GET: the contact's first name is `Eve&role=administrator&wpf_action=update`."""
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    eve = next(line["path"] for line in lines if "Eve&role=administrator" in line["path"])
    query = read(eve.partition("?")[2])
    assert query.problem is not None
    assert query.problem.code == "doubled_control_parameter"
    assert query.controls == {"wpf_action": "add", "access_key": "K"}


@pytest.mark.parametrize("name", CONTROL)
def test_each_control_parameter_twice_is_refused(name: str) -> None:
    problem = read(f"{name}=1&{name}=1").problem
    assert problem is not None
    assert name in problem.message


@pytest.mark.parametrize("name", CONTROL)
@pytest.mark.parametrize("spelling", ["{}=x", "{}", "%{:02x}{}=x"])
def test_each_control_parameter_after_contact_data_is_refused_however_it_is_spelled(name: str, spelling: str) -> None:
    spelled = spelling.format(ord(name[0]), name[1:]) if "{:02x}" in spelling else spelling.format(name)
    assert read(f"first_name=Eve&{spelled}").problem is not None


def test_a_plus_is_a_space_and_percent_is_utf_8() -> None:
    assert read("role=VIP+Member%C3%A9").controls == {"role": "VIP Memberé"}


def test_what_is_not_utf_8_is_reported() -> None:
    problem = read("role=%ff%fe&id=1").problem
    assert problem is not None
    assert problem.code == "wrong_encoding"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("1", True), ("YES", True), ("on", True), ("false", False), ("0", False), ("", False)],
)
def test_flags(text: str, expected: bool) -> None:
    assert flag(read(f"async={text}"), "async") is expected


def test_a_flag_that_is_neither_is_refused() -> None:
    with pytest.raises(RequestRejected, match="write true or false"):
        flag(read("async=perhaps"), "async")


@given(st.text(), st.text())
def test_contact_data_never_becomes_a_control_parameter(first: str, second: str) -> None:
    owners = "wpf_action=add&access_key=K"
    query = read(f"{owners}&id=5&first_name={first}&last_name={second}")
    assert dict(query.controls) == {"wpf_action": "add", "access_key": "K"}
    assert query.data.startswith("id=5")
