"""The recordings, as requests and answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from memberhook.crms.contract import WebhookRequest
from memberhook.intake.query import Query, read
from tests.loopback import Reply

RECORDED = Path(__file__).parent / "recorded"


def webhooks() -> list[dict[str, Any]]:
    """Every recorded outgoing webhook, in order."""
    lines = (RECORDED / "outgoing-webhooks.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line]


def recorded_request(number: int) -> tuple[WebhookRequest, Query]:
    """The recorded webhook of that line (from 1) as the receiving step hands it on, and its control parameters."""
    webhook = webhooks()[number - 1]
    query = read(webhook["path"].partition("?")[2])
    request = WebhookRequest(
        method=webhook["method"],
        query=query.data,
        content_type=webhook["headers"].get("Content-Type", ""),
        user_agent=webhook["headers"]["User-Agent"],
        body=webhook["body"].encode(),
        contact_id=query.controls.get("contact_id"),
    )
    return request, query


def recorded_body(name: str) -> Any:
    """The body of a recorded REST answer."""
    return _recorded(name)["body"]


def recorded_answer(name: str) -> Reply:
    """A recorded REST answer, with its status and headers."""
    recording = _recorded(name)
    headers = dict(recording["headers"])
    content_type = headers.pop("Content-Type")
    return Reply(recording["status"], json.dumps(recording["body"]).encode(), content_type, headers)


def _recorded(name: str) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
    return recording
