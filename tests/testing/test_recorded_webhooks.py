"""Recorded Outgoing Webhooks, sent again by a contact and an automation made from the recording.

Custom data and headers are not simulated: Memberhook's demo and tests send raw data.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from memberhook.testing.fluentcrm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.outgoing import Answer, OutgoingRequest
from memberhook.testing.fluentcrm.records import COLUMNS, Format

from .helpers import RECORDED, Clock

RAW = ("json", "form", "get", "bg-json", "bg-form", "bg-get")

EVE = {
    "id": 1245,
    "first_name": "Eve&role=administrator&wpf_action=update",
    "last_name": "Mallory",
    "email": "eve1@example.com",
    "created_at": "2026-11-23 10:25:30",
    "updated_at": "2026-11-23 10:25:30",
}
"""Recorded in GET only, where nobody can tell her name from the parameters in it."""


def case(line: dict[str, Any]) -> str:
    found = re.search(r"case=([\w-]+)", line["path"])
    assert found
    return found[1]


LINES = [json.loads(line) for line in (RECORDED / "outgoing-webhooks.jsonl").read_text().splitlines()]
RAW_LINES = [line for line in LINES if case(line) in RAW]


def unslashed(value: Any) -> Any:
    if isinstance(value, str):
        return re.sub(r"\\(.)", r"\1", value)
    if isinstance(value, list):
        return [unslashed(item) for item in value]
    return {key: unslashed(item) for key, item in value.items()} if isinstance(value, dict) else value


def contacts() -> dict[int, dict[str, Any]]:
    """By id, from the recorded raw JSON bodies, without what the background process did to them."""
    found = {1245: EVE}
    for line in LINES:
        if case(line) in ("json", "bg-json"):
            data = json.loads(line["body"])
            data = unslashed(data) if case(line) == "bg-json" else data
            found[int(data["id"])] = data | {"id": int(data["id"])}
    return found


def contact_of(line: dict[str, Any]) -> dict[str, Any]:
    """A recorded request names its contact by id, in the body or in the query."""
    query = urlsplit(line["path"]).query
    ids = re.findall(r'(?:^|[&{,]"?)(?:contact_)?id"?[=:]"?(\d+)', f"{query}&{line['body']}")
    assert len(ids) == 1
    return contacts()[int(ids[0])]


def recorded_headers(line: dict[str, Any]) -> dict[str, str]:
    """The hosts in the recordings were renamed, and three lengths no longer fit their bodies."""
    headers: dict[str, str] = line["headers"]
    return headers | ({"Content-Length": str(len(line["body"].encode()))} if "Content-Length" in headers else {})


def crm_with(data: dict[str, Any], site_url: str, sent: list[OutgoingRequest]) -> SimulatedFluentCRM:
    def send(request: OutgoingRequest) -> Answer:
        sent.append(request)
        return Answer(200, "")

    crm = SimulatedFluentCRM(Clock(), site_url=site_url, send=send)
    for slug, kind in (("username", "text"), ("interests", "select-multi"), ("renewal", "date")):
        crm.add_field(slug, kind, slug.title())
    crm.add_tag("Trigger")
    columns = {name: data[name] for name in COLUMNS if name in data and name not in ("hash", "email")}
    crm.add_contact(data["email"], custom_values=dict(data.get("custom_field") or {}), **columns)
    return crm


@pytest.mark.parametrize("line", RAW_LINES, ids=[f"{number}-{case(line)}" for number, line in enumerate(RAW_LINES, 1)])
def test_sends_as_recorded(line: dict[str, Any]) -> None:
    """Method, URL, headers in their order and body, byte for byte."""
    data, name = contact_of(line), case(line)
    sent: list[OutgoingRequest] = []
    crm = crm_with(data, line["headers"]["User-Agent"].partition("; ")[2], sent)
    formats: dict[str, Format] = {"json": "json", "form": "form", "get": "get"}
    url = f"http://bridge.example/?wpf_action=add&access_key=K&case={name}"
    crm.add_automation("trigger", url, formats[name.removeprefix("bg-")], name.startswith("bg-"))

    crm.apply_tag(data["id"], "trigger")
    crm.close()

    (request,) = sent
    assert request.method == line["method"]
    assert request.url == "http://bridge.example" + line["path"]
    assert request.body.decode() == line["body"]
    assert list(request.headers) == list(recorded_headers(line).items())


def test_the_recordings_show_every_variant() -> None:
    assert {case(line) for line in RAW_LINES} == set(RAW)


def sent_by(data: dict[str, Any], format: Format, *, background: bool = False) -> OutgoingRequest:
    sent: list[OutgoingRequest] = []
    crm = crm_with({"id": 7, "email": "ada@example.com"} | data, "http://site-a.example", sent)
    crm.add_automation("trigger", "http://bridge.example/hooks/main?k=1", format, background)
    crm.apply_tag(7, "trigger")
    crm.close()
    return sent[0]


class TestUnrecorded:
    """What no recording shows: measured with WordPress's own functions, or read in FluentCRM's source."""

    def test_a_hash_in_a_name_ends_the_address(self) -> None:
        assert sent_by({"first_name": "C# fan"}, "get").url.endswith("&first_name=C")

    def test_an_empty_value_is_a_bare_name_in_get(self) -> None:
        assert "&city&total_points=0" in sent_by({"city": ""}, "get").url

    def test_percent_signs_in_get(self) -> None:
        assert "first_name=50%25%20off%20A%20%25zz&" in sent_by({"first_name": "50% off %41 %zz"}, "get").url

    def test_an_empty_custom_field_vanishes_in_the_background(self) -> None:
        assert json.loads(sent_by({}, "json").body)["custom_field"] == []
        assert "custom_field" not in json.loads(sent_by({}, "json", background=True).body)
        assert not sent_by({}, "get", background=True).url.endswith("&")
