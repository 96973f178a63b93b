"""3 identify and 4 load: deliveries grouped by contact, and the contacts as the CRM has them now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from memberhook import conf, encryption
from memberhook.core.errors import MemberhookError, PermanentError, TransientError
from memberhook.core.intents import merge
from memberhook.core.types import Action, Contact, Intent
from memberhook.crms.contract import ContactEvent, ContactRef
from memberhook.engine import inbox
from memberhook.engine.clients import crm_client
from memberhook.engine.retry import requested_delay
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery


@dataclass(frozen=True, slots=True)
class Group:
    """The deliveries of one contact, oldest first, and what they ask for together. A dry run has no deliveries.

    `has_payload`: the contact's data came with every one of them.
    """

    deliveries: Sequence[Delivery]
    event: ContactEvent
    intent: Intent
    has_payload: bool

    @property
    def primary(self) -> Delivery:
        """The delivery that a member is created for; the others refer to its outcome."""
        return _primary(self.deliveries)

    def is_among(self, ids: Collection[int]) -> bool:
        return all(delivery.pk in ids for delivery in self.deliveries)


@dataclass(frozen=True, slots=True)
class Loaded:
    group: Group
    contact: Contact


@dataclass(frozen=True, slots=True)
class NotLoaded:
    group: Group
    problem: MemberhookError


def group_by_contact(deliveries: Iterable[Delivery]) -> tuple[list[Group], list[tuple[Delivery, PermanentError]]]:
    """The groups, and the deliveries that cannot be read, each with the reason."""
    by_contact: dict[str, list[tuple[Delivery, ContactEvent]]] = {}
    unreadable = []
    for delivery in deliveries:
        try:
            event = inbox.event_of(delivery)
        except PermanentError as problem:
            unreadable.append((delivery, problem))
        else:
            by_contact.setdefault(delivery.ordering_key, []).append((delivery, event))
    return [_group(read) for read in by_contact.values()], unreadable


def _group(read: Sequence[tuple[Delivery, ContactEvent]]) -> Group:
    deliveries = [delivery for delivery, _ in read]
    # The newest version of the contact counts; the last one where versions are equal or missing.
    newest = max(
        (event for _, event in reversed(read)), key=lambda event: (event.payload and event.payload.version) or ""
    )
    return Group(deliveries, newest, _intent(deliveries), all(delivery.payload for delivery in deliveries))


def _primary(deliveries: Sequence[Delivery]) -> Delivery:
    return next((delivery for delivery in deliveries if delivery.action == Action.ADD), deliveries[-1])


def _intent(deliveries: Sequence[Delivery]) -> Intent:
    merged = merge([Intent(Action(d.action), (d.role,) if d.role else (), d.notify) for d in deliveries])
    primary = _primary(deliveries)
    # With the time in it, a replay has a key of its own.
    key = encryption.mark("creation", f"{primary.pk} {primary.first_due_at.isoformat()}")[:32]
    return replace(merged, idempotency_key=key, password_kept=bool(primary.secret))


def load(groups: Sequence[Group], hook: Hook, runtime: Runtime) -> list[Loaded | NotLoaded]:
    """Each contact as the CRM has it now, or as the webhook gave it where the hook trusts the payload.

    Imports and resyncs bring no payload, so they always ask the CRM.
    """
    to_ask = [group.event.ref for group in groups if not (hook.trust_payload and group.has_payload)]
    answers = _ask_crm(list(dict.fromkeys(to_ask)), hook, runtime) if to_ask else {}
    loaded: list[Loaded | NotLoaded] = []
    for group in groups:
        answer = _payload(group.event) if hook.trust_payload and group.has_payload else answers[group.event.ref]
        loaded.append(Loaded(group, answer) if isinstance(answer, Contact) else NotLoaded(group, answer))
    return loaded


def _payload(event: ContactEvent) -> Contact | MemberhookError:
    without = "The webhook does not carry the contact's data, and the hook trusts it alone."
    return event.payload or PermanentError(event.payload_problem or without, code="payload_not_usable")


def _ask_crm(
    refs: Sequence[ContactRef], hook: Hook, runtime: Runtime
) -> Mapping[ContactRef, Contact | MemberhookError]:
    try:
        return crm_client(hook.connection, runtime.http).load(refs)
    except MemberhookError as error:
        if isinstance(error, TransientError):
            pause(hook.connection, error, runtime)
        return dict.fromkeys(refs, error)


def pause(account: Connection | Site, error: TransientError, runtime: Runtime) -> None:
    """The CRM or the site as a whole cannot be used: leave it alone for a moment, or for as long as it asked."""
    until = runtime.now() + timedelta(seconds=requested_delay(error) or conf.RETRY_FIRST())
    type(account)._default_manager.filter(pk=account.pk).update(paused_until=until)


def merge_same_contact(loaded: Iterable[Loaded]) -> list[Loaded]:
    """A contact that one webhook knows by id and another by e-mail is one contact once it is loaded."""
    by_id: dict[str, list[Loaded]] = {}
    for number, one in enumerate(loaded):
        by_id.setdefault(one.contact.id or f"without id {number}", []).append(one)
    return [same[0] if len(same) == 1 else _merged(same) for same in by_id.values()]


def _merged(same: Sequence[Loaded]) -> Loaded:
    deliveries = sorted((d for one in same for d in one.group.deliveries), key=lambda delivery: delivery.pk)
    return Loaded(replace(same[-1].group, deliveries=deliveries, intent=_intent(deliveries)), same[-1].contact)
