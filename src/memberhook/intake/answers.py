"""Build the answers to webhooks: JSON for programs, a page for people."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.template.loader import render_to_string

from memberhook import addresses, encryption
from memberhook.core.errors import MemberhookError, RequestRejected, TransientError
from memberhook.core.outcome import Outcome
from memberhook.core.states import FINISHED, State
from memberhook.crms.contract import Skipped
from memberhook.intake.verify import VerifiedRequest
from memberhook.models.deliveries import Delivery

_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address of the page may have an access key in it
}


@dataclass(frozen=True, slots=True)
class Answer:
    """`trail`: contact and plan of one outcome, for the page alone."""

    status: int
    data: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    trail: Mapping[str, Any] | None = None

    def render(self, *, as_page: bool) -> Rendered:
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **self.headers}
        if as_page and "deliveries" not in self.data:
            context = {"answer": self.data, "status": self.status, "trail": self.trail}
            context["contact_fields"] = _contact_fields(self.trail) if self.trail else {}
            page = render_to_string("memberhook/answer.html", context).encode()
            return Rendered(self.status, {**headers, **_PAGE_HEADERS, "Content-Type": "text/html; charset=utf-8"}, page)
        body = json.dumps(self.data, ensure_ascii=False).encode()
        return Rendered(self.status, {**headers, "Content-Type": "application/json; charset=utf-8"}, body)


@dataclass(frozen=True, slots=True)
class Rendered:
    status: int
    headers: Mapping[str, str]
    body: bytes


def _contact_fields(trail: Mapping[str, Any]) -> dict[str, str]:
    """The contact's fields as text."""
    fields = trail["contact"]["fields"]
    return {name: ", ".join(value) if isinstance(value, list) else str(value) for name, value in fields.items()}


def wants_page(accept: str) -> bool:
    """Whether a browser asks: it accepts `text/html` first, while FluentCRM accepts `*/*`."""
    kinds = [kind.split(";")[0].strip().lower() for kind in accept.split(",")]
    return "text/html" in kinds and "application/json" not in kinds[: kinds.index("text/html")]


def rejected(error: RequestRejected) -> Answer:
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.allow:
        headers["Allow"] = error.allow
    return Answer(error.status, {"error": _error(error)}, headers)


def _error(error: RequestRejected) -> dict[str, str]:
    return {"code": error.code, "message": error.message}


def accepted(request: VerifiedRequest, deliveries: Sequence[Delivery]) -> Answer:
    """The answer to a request, given its deliveries as they are now."""
    if request.is_test:
        message = "The address and its key are right. A test stores nothing."
        return Answer(200, {**_NOTHING, "action": "test", "status": "ok", "message": message})
    if request.is_signed:
        errors = [{"index": one.index, "error": _error(one.error)} for one in request.rejected]
        ids = [delivery.pk for delivery in deliveries]
        return Answer(202, {"accepted": len(ids), "deliveries": ids, "refused": errors})
    return of_events([stored(delivery) for delivery in deliveries], request.skipped)


def of_events(answers: Sequence[Answer], skipped: Sequence[Skipped]) -> Answer:
    """The answer of the only event, or those of all and what was skipped; 200 when all have finished."""
    if len(answers) == 1 and not skipped:
        return answers[0]
    data = {"deliveries": [answer.data for answer in answers], "skipped": [asdict(event) for event in skipped]}
    return Answer(max((answer.status for answer in answers), default=200), data)


def stored(delivery: Delivery, *, first_answer: bool = True) -> Answer:
    """200 with the outcome, or 202 with the address to ask again. The first answer calls it pending, tried or not."""
    finished = delivery.state in FINISHED
    data: dict[str, Any] = {
        "delivery": delivery.pk,
        "action": delivery.action,
        "status": delivery.status if finished or not first_answer else State.PENDING.value,
        "message": delivery.message if finished else _pending_message(delivery),
        "member": delivery.outcome.get("member"),
        "changes": delivery.outcome.get("changes", []),
        "warnings": delivery.outcome.get("warnings", []),
    }
    if finished:
        return Answer(200, data, trail=delivery.outcome.get("trail"))
    data["location"] = location(delivery.pk)
    return Answer(202, data, {"Location": data["location"]})


def _pending_message(delivery: Delivery) -> str:
    last = f" Last attempt: {delivery.message}" if delivery.message else ""
    return f"Stored; it will be applied.{last}"


_NOTHING: Mapping[str, Any] = {"delivery": None, "member": None, "changes": [], "warnings": []}


def previewed(action: str, result: Outcome | MemberhookError) -> Answer:
    """What a dry run found: the outcome as it would be, and the plan line by line."""
    if isinstance(result, MemberhookError):
        state = State.RETRYING if isinstance(result, TransientError) else State.FAILED
        return Answer(200, {**_NOTHING, "action": action, "dry_run": True, "status": state, "message": result.message})
    trail = result.data["trail"]
    data = {
        "delivery": None,
        "action": action,
        "dry_run": True,
        "status": result.state,
        "message": result.message,
        **{key: result.data[key] for key in ("member", "changes", "warnings")},
        "contact": trail["contact"],
        "plan": trail["plan"],
    }
    return Answer(200, data, trail=trail)


def location(delivery_id: int) -> str:
    """The address of a delivery's outcome; the token in it is the only key it takes."""
    return addresses.address_of("memberhook:delivery", pk=delivery_id, query={"token": _token(delivery_id)})


def _token(delivery_id: int) -> str:
    return encryption.mark("delivery", str(delivery_id))[:32]


def is_token(delivery_id: int, token: str) -> bool:
    return hmac.compare_digest(token.encode(), _token(delivery_id).encode())
