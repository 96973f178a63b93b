"""What a webhook is answered: JSON for programs, a page for people. The contract of both is DESIGN's HTTP table."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.template.loader import render_to_string

from memberhook import addresses, encryption
from memberhook.core.errors import MemberhookError, RequestRejected, TransientError
from memberhook.core.outcome import Outcome
from memberhook.core.states import FINISHED, State
from memberhook.intake.verify import VerifiedEvents
from memberhook.models.deliveries import Delivery

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address of the page may hold an access key
}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    data: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    def render(self, *, as_page: bool) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **self.headers}
        if as_page:
            context = {"answer": self.data, "status": self.status, "contact_fields": _contact_fields(self.data)}
            page = render_to_string("memberhook/answer.html", context).encode()
            return self.status, {**headers, **_PAGE_HEADERS, "Content-Type": "text/html; charset=utf-8"}, page
        shown = {key: value for key, value in self.data.items() if key != "trail"}
        body = json.dumps(shown, ensure_ascii=False)
        return self.status, {**headers, "Content-Type": "application/json; charset=utf-8"}, body.encode()


def _contact_fields(data: Mapping[str, Any]) -> dict[str, str]:
    """The contact's fields as text."""
    fields = data["trail"]["contact"]["fields"] if data.get("trail") else {}
    return {name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in fields.items()}


def wants_page(accept: str) -> bool:
    """A browser says `text/html` first; FluentCRM says `*/*`."""
    kinds = [kind.split(";")[0].strip().lower() for kind in accept.split(",")]
    return "text/html" in kinds and "application/json" not in kinds[: kinds.index("text/html")]


def refused(error: RequestRejected) -> Answer:
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.allow:
        headers["Allow"] = error.allow
    return Answer(error.status, {"error": _told(error)}, headers)


def _told(error: RequestRejected) -> dict[str, str]:
    return {"code": error.code, "message": error.message}


def stored(delivery: Delivery, *, first_answer: bool = True) -> Answer:
    """200 with the outcome, or 202 with the address to ask again. The first answer calls it pending, tried or not."""
    finished = delivery.state in FINISHED
    data: dict[str, Any] = {
        "delivery": delivery.pk,
        "action": delivery.action,
        "status": delivery.status if finished or not first_answer else State.PENDING.value,
        "message": delivery.message if finished else _under_way(delivery),
        "member": delivery.outcome.get("member"),
        "changes": delivery.outcome.get("changes", []),
        "warnings": delivery.outcome.get("warnings", []),
        "trail": delivery.outcome.get("trail"),
    }
    if not finished:
        data["location"] = location(delivery.pk)
        return Answer(202, data, {"Location": data["location"]})
    return Answer(200, data)


def _under_way(delivery: Delivery) -> str:
    last = f" Last attempt: {delivery.message}" if delivery.message else ""
    return f"Stored; it will be applied.{last}"


def accepted(events: VerifiedEvents, deliveries: Sequence[Delivery]) -> Answer:
    """202 for a signed request: which contacts are stored, and why others are not. Nothing is waited for."""
    if events.requests is None:
        return tested()
    told = [{"index": index, "error": _told(error)} for index, error in events.refused.items()]
    return Answer(
        202, {"accepted": len(deliveries), "deliveries": [delivery.pk for delivery in deliveries], "refused": told}
    )


def tested() -> Answer:
    message = "The address and its key are right. A test stores nothing."
    return Answer(200, {**_NOTHING, "action": "test", "status": "ok", "message": message})


_NOTHING: Mapping[str, Any] = {"delivery": None, "member": None, "changes": [], "warnings": []}


def previewed(action: str, result: Outcome | MemberhookError) -> Answer:
    """What a dry run found: the outcome as it would be, and the plan line by line."""
    if isinstance(result, MemberhookError):
        state = State.RETRYING if isinstance(result, TransientError) else State.FAILED
        return Answer(200, {**_NOTHING, "action": action, "dry_run": True, "status": state, "message": result.message})
    trail = result.data["trail"]
    shown = {key: result.data[key] for key in ("member", "changes", "warnings")}
    return Answer(
        200,
        {
            "delivery": None,
            "action": action,
            "dry_run": True,
            "status": result.state,
            "message": result.message,
            **shown,
            "contact": trail["contact"],
            "plan": trail["plan"],
            "trail": trail,
        },
    )


def location(delivery_id: int) -> str:
    """The address under which the outcome can be asked for; the token in it is all the key it needs."""
    return addresses.address_of("memberhook:delivery", pk=delivery_id, query={"token": _token(delivery_id)})


def _token(delivery_id: int) -> str:
    return encryption.mark("delivery", str(delivery_id))[:32]


def is_token(delivery_id: int, token: str) -> bool:
    return hmac.compare_digest(token.encode(), _token(delivery_id).encode())
