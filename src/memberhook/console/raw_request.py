"""The raw request of a delivery in readable form, with everything that looks like a secret hidden."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext

from memberhook.core.closed_fields import is_secret
from memberhook.core.errors import RequestRejected
from memberhook.core.outcome import HIDDEN
from memberhook.crms import payload
from memberhook.crms.contract import WebhookRequest
from memberhook.models.deliveries import Delivery, Origin

LONGEST_SHOWN = 100_000


@dataclass(frozen=True, slots=True)
class ReadableRequest:
    """`data` is the contact data as indented JSON; `problem` says why it cannot be shown."""

    method: str
    content_type: str
    size: int
    data: str = ""
    problem: str = ""


def readable_request(delivery: Delivery, secret_fields: Collection[str]) -> ReadableRequest | None:
    """Return None for an import or a resync, which have no request."""
    if delivery.origin != Origin.WEBHOOK:
        return None
    body = bytes(delivery.body)
    request = WebhookRequest(delivery.method, delivery.query, delivery.content_type, body=body)
    data, problem = "", ""
    try:
        shown = hide(payload.read(request).data, secret_fields)
        data = json.dumps(shown, indent=2, ensure_ascii=False) if shown else ""
    except RequestRejected as error:
        reason = gettext("The request cannot be read. It is not shown because it might contain a password.")
        problem = f"{reason} {error.message}"
    if len(data) > LONGEST_SHOWN:
        more = gettext("(%(number)d more characters)") % {"number": len(data) - LONGEST_SHOWN}
        data = f"{data[:LONGEST_SHOWN]}\n… {more}"
    return ReadableRequest(delivery.method, delivery.content_type, len(body), data, problem)


def hide(value: object, secret_fields: Collection[str], name: str = "") -> object:
    """Return the value with every field hidden that is in `secret_fields` or whose name looks like a secret."""
    if name and value not in (None, "", [], {}) and (name in secret_fields or is_secret(name)):
        return HIDDEN
    if isinstance(value, dict):
        return {key: hide(inner, secret_fields, str(key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [hide(inner, secret_fields) for inner in value]
    return value
