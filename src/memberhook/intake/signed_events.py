"""The body of a signed request: many contacts, each with its action, or a test. Pure.

A contact stays data: its JSON becomes the body of a request of its own, as if the CRM had sent it alone, and nothing in
it is read as a control parameter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from memberhook.core.errors import RequestRejected
from memberhook.core.types import Action
from memberhook.crms import payload as payloads
from memberhook.crms.contract import WebhookRequest
from memberhook.crms.payload import Json

MOST_CONTACTS = 500
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class SignedContact:
    action: Action
    request: WebhookRequest


def read(body: bytes, user_agent: str) -> list[SignedContact | RequestRejected] | None:
    """For each contact, in order, the contact or the reason why it cannot be read; None for a test.

    Raises `RequestRejected` (400, 413) when the request as a whole cannot be read.
    """
    data = payloads.read(WebhookRequest("POST", content_type=JSON_TYPE, body=body)).data
    kind = data.get("type")
    if kind == "test":
        return None
    if kind != "contacts":
        raise RequestRejected("'type' is not one of: contacts, test.", code="unknown_type")
    contacts = data.get("contacts")
    if not isinstance(contacts, list) or not contacts:
        raise RequestRejected("'contacts' is not a list with at least one contact in it.", code="no_contact")
    if len(contacts) > MOST_CONTACTS:
        raise RequestRejected(
            f"The request brings more than {MOST_CONTACTS} contacts; send them in several.",
            code="too_many_contacts",
            status=413,
        )
    return [_contact(item, user_agent) for item in contacts]


def _contact(item: Json, user_agent: str) -> SignedContact | RequestRejected:
    if not isinstance(item, dict):
        return RequestRejected("This is not an object with 'action' and 'contact'.", code="no_contact")
    action, contact = item.get("action"), item.get("contact")
    known: Sequence[str] = list(Action)
    if not isinstance(action, str) or action not in known:
        return RequestRejected(f"'action' is not one of: {', '.join(known)}.", code="unknown_action")
    if not isinstance(contact, dict):
        return RequestRejected("'contact' is not an object with the contact's data.", code="no_contact")
    # Escaped to ASCII: half a surrogate pair, which is no valid text, stays as it came.
    body = json.dumps(contact, separators=(",", ":")).encode()
    return SignedContact(
        Action(action), WebhookRequest("POST", content_type=JSON_TYPE, user_agent=user_agent, body=body)
    )
