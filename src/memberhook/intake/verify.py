"""The sole maker of `VerifiedRequest`: key, hook, limits of the key, action, contact — in this order.

A request brings one contact and its key, or is signed with a key and brings many contacts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from memberhook.core.errors import RequestRejected
from memberhook.core.types import Action, Intent
from memberhook.crms.contract import ContactEvent, ContactRef, WebhookRequest
from memberhook.crms.registry import crm
from memberhook.encryption import digest
from memberhook.intake import keys, signatures, signed_events
from memberhook.intake.query import Query, flag
from memberhook.intake.signatures import Signature
from memberhook.intake.signed_events import Event
from memberhook.models.connections import AccessKey, Hook
from memberhook.models.deliveries import Delivery

TEST = "test"
NOBODY = ContactEvent(ContactRef())
LONGEST_ROLE = 100


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """A request as it came in, nothing believed yet. `key`: as sent in a header, when it was.

    `hook_name`: from the path, None for the root path. `signature`: of a request to a hook's address for signed ones;
    it needs no other key, and its query means nothing.
    """

    method: str
    query: Query
    hook_name: str | None
    key: str | None = field(default=None, repr=False)
    content_type: str = ""
    user_agent: str = ""
    body: bytes = field(default=b"", repr=False)
    remote: str = ""
    signature: Signature | None = None

    @property
    def sent_key(self) -> str:
        """The address's key counts first: headers may be meant for a gateway on the way."""
        return self.query.controls.get("access_key") or self.key or ""


@dataclass(frozen=True, slots=True)
class VerifiedRequest:
    """A request whose key opens its hook, and that says what to do. `action` is None for `test`: about nobody."""

    hook: Hook
    key: AccessKey
    action: Action | None
    role: str | None
    notify: bool
    in_background: bool
    dry_run: bool
    request: WebhookRequest
    contact_event: ContactEvent
    remote: str

    def intent(self, action: Action) -> Intent:
        return Intent(action, (self.role,) if self.role else (), self.notify)

    def delivery(self, now: datetime) -> Delivery:
        """The unsaved delivery of this request."""
        ref = self.contact_event.ref
        return Delivery(
            hook=self.hook,
            key_hint=self.key.hint,
            action=self.action or TEST,
            role=self.role,
            notify=self.notify,
            method=self.request.method,
            query=self.request.query,
            content_type=self.request.content_type[:200],
            user_agent=self.request.user_agent[:300],
            body=self.request.body,
            remote=self.remote,
            contact_id=ref.id,
            email=ref.email,
            ordering_key=self.hook.ordering_key(ref.id, ref.email),
            due_at=now,
            received_at=now,
            first_due_at=now,
        )


@dataclass(frozen=True, slots=True)
class VerifiedEvents:
    """A signed request: the contacts that it brings, and by their place in it those that are refused.

    `requests` is None for a test.
    """

    key: AccessKey
    requests: tuple[VerifiedRequest, ...] | None
    refused: Mapping[int, RequestRejected]


def verify(inbound: InboundRequest, found: Mapping[str, AccessKey], now: datetime) -> VerifiedRequest:
    """Checks a request against the keys that were looked up for it. Raises `Refused`."""
    key = _key(inbound, found, now)
    query = inbound.query
    if query.problem:
        raise query.problem
    action = _action(query)
    role = (query.controls.get("role") or "").strip() or None
    _limits(key, action, role, inbound.remote)
    request = WebhookRequest(
        method=inbound.method,
        query=query.data,
        content_type=inbound.content_type,
        user_agent=inbound.user_agent,
        body=inbound.body,
        contact_id=(query.controls.get("contact_id") or "").strip() or None,
    )
    return VerifiedRequest(
        hook=key.hook,
        key=key,
        action=action,
        role=role,
        notify=flag(query, "send_notification"),
        in_background=flag(query, "async"),
        dry_run=flag(query, "dry_run"),
        request=request,
        contact_event=crm(key.hook.connection.kind).identify(request) if action else NOBODY,
        remote=inbound.remote,
    )


def verify_signed(inbound: InboundRequest, found: Mapping[str, Sequence[AccessKey]], now: datetime) -> VerifiedEvents:
    """Checks a signed request against the signing keys of each hook's name. Raises `Refused`."""
    valid = [key for key in found.get(inbound.hook_name or "", ()) if keys.is_current(key, now)]
    secrets = [signatures.secret_bytes(keys.signing_secret(key)) for key in valid]
    key = valid[signatures.check(inbound.signature or Signature(), inbound.body, secrets, now.timestamp())]
    _limits(key, None, None, inbound.remote)
    brought = signed_events.read(inbound.body, inbound.user_agent)
    if brought is None:
        return VerifiedEvents(key, None, {})
    checked = [
        event if isinstance(event, RequestRejected) else _contact(event, key, inbound.remote) for event in brought
    ]
    return VerifiedEvents(
        key,
        tuple(one for one in checked if isinstance(one, VerifiedRequest)),
        {index: one for index, one in enumerate(checked) if isinstance(one, RequestRejected)},
    )


def _contact(event: Event, key: AccessKey, remote: str) -> VerifiedRequest | RequestRejected:
    try:
        _limits(key, event.action, None, remote)
        contact_event = crm(key.hook.connection.kind).identify(event.request)
    except RequestRejected as refused:
        return refused
    return VerifiedRequest(
        hook=key.hook,
        key=key,
        action=event.action,
        role=None,
        notify=False,
        in_background=True,
        dry_run=False,
        request=event.request,
        contact_event=contact_event,
        remote=remote,
    )


def _key(inbound: InboundRequest, found: Mapping[str, AccessKey], now: datetime) -> AccessKey:
    key = found.get(digest(inbound.sent_key))
    opens = keys.opens(key, inbound.sent_key, now)
    right_hook = inbound.hook_name is None or (key is not None and key.hook.name == inbound.hook_name)
    if key is None or not opens or not right_hook:
        raise RequestRejected(
            "The access key is missing, wrong, revoked or expired. Copy the address again: memberhook hook url NAME.",
            code="invalid_access_key",
            status=403,
        )
    return key


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


def _limits(key: AccessKey, action: Action | None, role: str | None, remote: str) -> None:
    if not keys.allows_address(key, remote):
        raise RequestRejected(
            "This access key may not be used from this network address.", code="address_not_allowed", status=403
        )
    if key.actions and action and action not in key.actions:
        raise RequestRejected(
            f"This access key is not for the action {action!r}, only for {', '.join(key.actions)}.",
            code="action_not_allowed",
            status=403,
        )
    if role and len(role) > LONGEST_ROLE:
        raise RequestRejected(f"The role is longer than {LONGEST_ROLE} characters.", code="bad_parameter")
    if role and key.roles and role.lower() not in {allowed.lower() for allowed in key.roles}:
        raise RequestRejected(
            f"This access key is not for the role {role!r}, only for {', '.join(key.roles)}.",
            code="role_not_allowed",
            status=403,
        )
