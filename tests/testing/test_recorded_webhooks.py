"""Every recorded Outgoing Webhook, sent again by a contact and an automation made from the recording."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from memberhook.testing.fluentcrm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.outgoing import Answer, OutgoingRequest
from memberhook.testing.fluentcrm.records import COLUMNS, Body, Format

from .helpers import RECORDED, Clock

LINES = [json.loads(line) for line in (RECORDED / "outgoing-webhooks.jsonl").read_text().splitlines()]

EVE = {
    "id": 1245,
    "first_name": "Eve&role=administrator&wpf_action=update",
    "last_name": "Mallory",
    "email": "eve1@example.com",
    "created_at": "2026-11-23 10:25:30",
    "updated_at": "2026-11-23 10:25:30",
}
"""Recorded in GET only, where nobody can tell her name from the parameters in it."""

CUSTOM = (("contact_id", "{{contact.id}}"), ("email", "{{contact.email}}"), ("city", "{{contact.city}}"))


def case(line: dict[str, Any]) -> str:
    found = re.search(r"case=([\w-]+)", line["path"])
    assert found
    return found[1]


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
        return Answer(200, "", 0.0)

    crm = SimulatedFluentCRM(Clock(), site_url=site_url, send=send)
    for slug, kind in (("username", "text"), ("interests", "select-multi"), ("renewal", "date")):
        crm.add_field(slug, kind, slug.title())
    crm.add_tag("Trigger")
    columns = {name: data[name] for name in COLUMNS if name in data and name not in ("hash", "email")}
    crm.add_contact(data["email"], custom_values=dict(data.get("custom_field") or {}), **columns)
    return crm


@pytest.mark.parametrize("line", LINES, ids=[f"{number}-{case(line)}" for number, line in enumerate(LINES, 1)])
def test_sends_as_recorded(line: dict[str, Any]) -> None:
    """Method, address, headers in their order and body, byte for byte."""
    data, name = contact_of(line), case(line)
    plain = name.removeprefix("bg-")
    sent: list[OutgoingRequest] = []
    crm = crm_with(data, line["headers"]["User-Agent"].partition("; ")[2], sent)
    url = f"http://bridge.example/?wpf_action=add&access_key=K&case={name}"
    formats: dict[str, Format] = {"form": "form", "custom-form": "form", "get": "get"}
    body: Body = "custom" if plain.startswith("custom") else "raw"
    typed = (("Authorization", line["headers"].get("Authorization", "")), ("X-Contact", "{{contact.email}}"))
    headers = typed if plain == "headers" else ()
    crm.add_automation("trigger", url, formats.get(plain, "json"), body, CUSTOM, headers, name.startswith("bg-"))

    crm.apply_tag(data["id"], "trigger")
    crm.close()

    (request,) = sent
    assert request.method == line["method"]
    assert request.url == "http://bridge.example" + line["path"]
    assert request.body.decode() == line["body"]
    assert list(request.headers) == list(recorded_headers(line).items())


def test_the_recordings_show_every_variant() -> None:
    variants = ("json", "form", "get", "custom-json", "custom-form", "headers")
    assert {case(line) for line in LINES} == {*variants, *(f"bg-{name}" for name in variants)}
    assert len(LINES) == 18


def sent_by(data: dict[str, Any], format: Format, *, background: bool = False, **more: Any) -> OutgoingRequest:
    sent: list[OutgoingRequest] = []
    crm = crm_with({"id": 7, "email": "ada@example.com"} | data, "http://site-a.example", sent)
    crm.add_automation("trigger", "http://bridge.example/hooks/main?k=1", format, background=background, **more)
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

    def test_a_merge_code_may_have_a_default(self) -> None:
        custom = (("a", "{{contact.city|nowhere}}"), ("b", "{{contact.custom.interests}}"), ("c", "{{wp.name}}"))
        request = sent_by({"custom_field": {"interests": ["a", "b"]}}, "json", body="custom", custom=custom)
        assert json.loads(request.body) == {"a": "nowhere", "b": "a, b", "c": "{{wp.name}}"}

    def test_dates_of_custom_fields_are_written_out(self) -> None:
        custom = (("renewal", "{{contact.custom.renewal}}"),)
        request = sent_by({"custom_field": {"renewal": "2027-01-31"}}, "json", body="custom", custom=custom)
        assert json.loads(request.body) == {"renewal": "January 31, 2027"}

    def test_newer_versions_add_tags(self) -> None:
        tag = {"id": 1, "title": "Trigger", "slug": "trigger"}
        assert json.loads(sent_by({}, "json", with_tags=True).body)["tags"] == [tag]
        in_background = sent_by({}, "json", with_tags=True, background=True)
        assert json.loads(in_background.body)["tags"] == [tag | {"id": "1"}]
        form = parse_qs(sent_by({}, "form", with_tags=True).body.decode())
        assert [form[f"tags[0][{name}]"] for name in tag] == [["1"], ["Trigger"], ["trigger"]]

    def test_an_empty_custom_field_vanishes_in_the_background(self) -> None:
        assert json.loads(sent_by({}, "json").body)["custom_field"] == []
        assert "custom_field" not in json.loads(sent_by({}, "json", background=True).body)
        assert not sent_by({}, "get", background=True).url.endswith("&")
