"""Verify a request: key, limits of the key, action, events, in this order. Nothing else makes a `VerifiedRequest`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from memberhook.core.errors import RequestRejected
from memberhook.core.types import Action, Intent
from memberhook.crms.contract import ContactEvent, Skipped, WebhookRequest
from memberhook.crms.registry import crm
from memberhook.engine import inbox
from memberhook.intake import keys, signatures, signed_events
from memberhook.intake.inbound import InboundRequest
from memberhook.intake.query import Query, flag
from memberhook.intake.signatures import Signature
from memberhook.models.connections import AccessKey, Hook
from memberhook.models.deliveries import Delivery

TEST = "test"


@dataclass(frozen=True, slots=True)
class Event:
    """One contact, what to do for it, and the request that is stored with the delivery."""

    action: Action
    contact: ContactEvent
    request: WebhookRequest


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """One of several events that cannot be read, by its place in the request."""

    index: int
    error: RequestRejected


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A request with a valid key, and its events. A test has none and `is_test`."""

    key: AccessKey
    remote: str
    events: list[Event] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    rejected: list[RejectedEvent] = field(default_factory=list)
    role: str | None = None
    notify: bool = False
    in_background: bool = False
    dry_run: bool = False
    is_test: bool = False
    is_signed: bool = False

    @property
    def hook(self) -> Hook:
        return self.key.hook

    def add_events(self, action: Action, request: WebhookRequest) -> None:
        """Read a request as the CRM of the hook does. Nobody reads it again: what is found is stored."""
        for event in crm(self.hook.connection.kind).read(request):
            if isinstance(event, Skipped):
                self.skipped.append(event)
            else:
                self.events.append(Event(action, event, request))

    def intent(self, event: Event) -> Intent:
        return Intent(event.action, (self.role,) if self.role else (), self.notify)

    def deliveries(self, now: datetime) -> list[Delivery]:
        """The unsaved deliveries of this request; none for a dry run."""
        return [] if self.dry_run else [self._delivery(event, now) for event in self.events]

    def _delivery(self, event: Event, now: datetime) -> Delivery:
        request, part = event.request, event.contact.body
        return inbox.new_delivery(
            self.hook,
            event.action,
            event.contact,
            now,
            key_hint=self.key.hint,
            role=self.role,
            notify=self.notify,
            method=request.method,
            query=request.query,
            content_type=request.content_type[:200],
            user_agent=request.user_agent[:300],
            body=request.body if part is None else part,
            remote=self.remote,
        )


def verify(inbound: InboundRequest, candidates: Sequence[AccessKey], now: datetime) -> VerifiedRequest:
    """Verify a request against the keys that it may have been made with (see `keys.candidates`).

    Raises `RequestRejected`. Nothing is said about the rest of a request before its key is known to be valid.
    """
    current = [key for key in candidates if keys.is_current(key, now)]
    if inbound.signature is not None:
        return _verify_signed(inbound, inbound.signature, current, now)
    key, query = _opening_key(inbound, current), inbound.query
    if query.problem:
        raise query.problem
    action = _action(query)
    request = VerifiedRequest(
        key=key,
        remote=inbound.remote,
        role=(query.controls.get("role") or "").strip() or None,
        notify=flag(query, "send_notification"),
        in_background=flag(query, "async"),
        dry_run=flag(query, "dry_run"),
        is_test=action is None,
    )
    keys.check_limits(key, action, request.role, inbound.remote)
    if action:
        contact_id = (query.controls.get("contact_id") or "").strip() or None
        request.add_events(
            action,
            WebhookRequest(
                inbound.method, query.data, inbound.content_type, inbound.user_agent, inbound.body, contact_id
            ),
        )
    return request


def _verify_signed(
    inbound: InboundRequest, signature: Signature, current: Sequence[AccessKey], now: datetime
) -> VerifiedRequest:
    by_secret = {signatures.secret_bytes(keys.signing_secret(key)): key for key in current}
    key = by_secret[signatures.check(signature, inbound.body, by_secret, now.timestamp())]
    keys.check_limits(key, None, None, inbound.remote)
    contacts = signed_events.read(inbound.body, inbound.user_agent)
    request = VerifiedRequest(key, inbound.remote, in_background=True, is_test=contacts is None, is_signed=True)
    for index, contact in enumerate(contacts or ()):
        try:
            if isinstance(contact, RequestRejected):
                raise contact
            keys.check_limits(key, contact.action, None, inbound.remote)
            request.add_events(contact.action, contact.request)
        except RequestRejected as error:
            request.rejected.append(RejectedEvent(index, error))
    return request


def _opening_key(inbound: InboundRequest, current: Sequence[AccessKey]) -> AccessKey:
    for key in current:
        if inbound.hook_name in (None, key.hook.name):
            return key
    raise RequestRejected(
        "The access key is missing, wrong, revoked or expired. Copy the address again: memberhook hook url NAME.",
        code="invalid_access_key",
        status=403,
    )


def _action(query: Query) -> Action | None:
    """None is the action `test`."""
    name = query.controls.get("wpf_action", "").strip().lower()
    if name == TEST:
        return None
    known = ", ".join([*Action, TEST])
    if not name:
        raise RequestRejected(f"The address has no wpf_action; put one of {known} there.", code="missing_action")
    if name not in list(Action):
        raise RequestRejected(
            f"wpf_action is {name[:40]!r}, which is unknown; known are {known}.", code="unknown_action"
        )
    return Action(name)
