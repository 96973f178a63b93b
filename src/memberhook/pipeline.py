"""The whole way of a webhook, in order. Open this first.

`accept` (web process): 1 receive, 2 inbox. `process` (worker), over a batch of deliveries of one hook: 3 identify,
4 load, 5 plan, 6 apply, 7 follow up, 8 journal. `preview` is 3 to 5 for one request, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction

from memberhook import conf
from memberhook.engine import links
from memberhook import encryption
from memberhook.engine.clients import crm_client, site_of
from memberhook.models.connections import Connection, Hook
from memberhook.models.connections import Site as SiteRow
from memberhook.crms.contract import ContactRef, CrmError, Incoming, WebhookRequest
from memberhook.crms.registry import crm
from memberhook.core.errors import GiveUp, RetryLater
from memberhook.models.followups import FollowUp
from memberhook.engine.followup_rows import followups_of
from memberhook.engine.followups import Tools as FollowUpTools
from memberhook.engine import inbox
from memberhook.models.deliveries import Delivery
from memberhook.engine.retry import after
from memberhook.core.states import State
from memberhook.engine.inbox import Batch, Finish
from memberhook.core.outcome import Outcome, outcome, secret_fields
from memberhook.core.types import Action, Contact, Plan, Wish
from memberhook.core.intents import merge
from memberhook.engine.planning import make_plans
from memberhook.intake.verify import VerifiedRequest
from memberhook.core.types import Applied
from memberhook.sites.contract import Site

ROUNDS = 4
"""How often what turned out stale is planned again in one attempt."""


@dataclass(frozen=True, slots=True)
class Tools(FollowUpTools):
    """What comes from outside: time, chance, network, and new passwords (120 random bits or more)."""

    password: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Group:
    """The deliveries of one contact, oldest first, and what they ask for together."""

    deliveries: tuple[Delivery, ...]
    incoming: Incoming
    wish: Wish


# 1 RECEIVE and 2 INBOX


def accept(requests: Sequence[VerifiedRequest], now: datetime) -> list[Delivery]:
    """Stores verified requests in one transaction. On return they are on disk: now they may be answered 2xx."""
    deliveries = [request.delivery(now) for request in requests]
    inbox.append(deliveries)
    return deliveries


# 3 to 8


def process(batch: Batch, tools: Tools) -> None:
    """Brings every delivery of the batch to its end or to its next attempt. Safe to run twice, or to die in."""
    hook = batch.hook
    groups = identify(batch.deliveries, hook)
    contacts = load(groups, hook, tools)
    ready = []
    for group, contact in zip(groups, contacts, strict=True):
        if isinstance(contact, Contact):
            ready.append((group, contact))
        else:
            postpone(batch, group.deliveries, contact, tools)
    if ready:
        apply(batch, regroup(ready), tools)


def identify(deliveries: Iterable[Delivery], hook: Hook) -> list[Group]:
    """3: whom the deliveries are about. Those of one contact become one group."""
    info = crm(hook.connection.kind)
    lanes: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        lanes.setdefault(delivery.lane, []).append(delivery)
    groups = []
    for group in lanes.values():
        incoming = [info.identify(_request(d)) if d.method else Incoming(ContactRef(d.contact_id)) for d in group]
        newest = max(enumerate(incoming), key=lambda known: (_version(known[1]), known[0]))[1]
        groups.append(Group(tuple(group), newest, _wish(group)))
    return groups


def _wish(deliveries: Iterable[Delivery]) -> Wish:
    return merge([Wish(Action(d.action), (d.role,) if d.role else (), d.notify) for d in deliveries])


def _version(incoming: Incoming) -> str:
    return (incoming.payload and incoming.payload.version) or ""


def _request(delivery: Delivery) -> WebhookRequest:
    return WebhookRequest(
        method=delivery.method,
        query=delivery.query,
        content_type=delivery.content_type,
        user_agent=delivery.user_agent,
        body=bytes(delivery.body),
        contact_id=delivery.contact_id,
    )


def load(groups: Sequence[Group], hook: Hook, tools: Tools) -> list[Contact | CrmError]:
    """4: the contacts as the CRM has them now, or as the webhook tells where the hook trusts it."""
    trusted = [hook.trust_payload and all(d.method for d in group.deliveries) for group in groups]
    refs = {group.incoming.ref: None for group, by_payload in zip(groups, trusted, strict=True) if not by_payload}
    answers = _ask(list(refs), hook, tools) if refs else {}
    return [
        _trusted(group.incoming) if by_payload else answers[group.incoming.ref]
        for group, by_payload in zip(groups, trusted, strict=True)
    ]


def _ask(refs: Sequence[ContactRef], hook: Hook, tools: Tools) -> Mapping[ContactRef, Contact | CrmError]:
    try:
        return crm_client(hook.connection, tools.http).load(refs)
    except GiveUp as error:
        return dict.fromkeys(refs, error)
    except RetryLater as error:
        pause(hook.connection, error, tools)
        return dict.fromkeys(refs, error)


def _trusted(incoming: Incoming) -> Contact | CrmError:
    if incoming.payload is None:
        problem = (
            incoming.payload_problem or "The webhook does not carry the contact's data, and the hook trusts it alone."
        )
        return GiveUp(problem, code="payload_not_usable")
    return incoming.payload


def pause(account: Connection | SiteRow, error: RetryLater, tools: Tools) -> None:
    """The CRM or the site as a whole is not to be had: leave it alone for a moment, or for as long as it asked."""
    seconds = min(error.retry_after or conf.RETRY_FIRST(), 3600.0)
    until = tools.now() + timedelta(seconds=seconds)
    type(account)._default_manager.filter(pk=account.pk).update(paused_until=until)


def regroup(ready: Sequence[tuple[Group, Contact]]) -> list[tuple[Group, Contact]]:
    """A contact whom one webhook knows by id and another by e-mail is one contact once it is loaded."""
    same: dict[str, list[tuple[Group, Contact]]] = {}
    for number, (group, contact) in enumerate(ready):
        same.setdefault(contact.id or f"without id {number}", []).append((group, contact))
    return [pairs[0] if len(pairs) == 1 else (_joined(pairs), pairs[-1][1]) for pairs in same.values()]


def _joined(pairs: Sequence[tuple[Group, Contact]]) -> Group:
    deliveries = sorted((d for group, _ in pairs for d in group.deliveries), key=lambda d: d.pk)
    return Group(tuple(deliveries), pairs[-1][0].incoming, _wish(deliveries))


def postpone(batch: Batch, deliveries: Iterable[Delivery], problem: CrmError, tools: Tools) -> None:
    """Sets the next attempt, or the end when what went wrong won't pass or has lasted too long."""
    now = tools.now()
    ends = []
    for delivery in deliveries:
        due = after(problem, delivery.attempts, now, delivery.first_due_at, tools.jitter)
        state = State.RETRYING if due else State.FAILED
        ends.append(Finish(delivery, state, problem.message, {"code": problem.code}, due))
    inbox.finish(batch, ends, now)


def apply(batch: Batch, ready: Sequence[tuple[Group, Contact]], tools: Tools) -> None:
    """5 to 8: plan, apply, note what follows and what happened, as one transaction where the site can."""
    site = site_of(batch.hook, tools.http)
    todo = list(ready)
    try:
        with site.atomic():
            with transaction.atomic():
                todo = _held(batch, ready)
            for _ in range(ROUNDS):
                results = _plan_and_apply(batch, todo, site, tools)
                todo = [(group, contact) for group, contact, _, applied in results if applied and applied.stale]
                _settle(batch, site, [result for result in results if not (result[3] and result[3].stale)], tools)
                if not todo:
                    return
            problem = RetryLater("The site kept changing while this was applied; it is tried again.", code="site_busy")
    except RetryLater as error:  # only a site that is elsewhere can be out of reach
        pause(batch.hook.site, error, tools)
        problem = error
    for group, _ in todo:
        postpone(batch, group.deliveries, problem, tools)


Result = tuple[Group, Contact, Plan, Applied | None]
ItemT = TypeVar("ItemT", tuple[Group, Contact], tuple[Group, Plan, Applied | None])


def _held(batch: Batch, items: Sequence[ItemT]) -> list[ItemT]:
    """Those whose deliveries are still this worker's. Each begins with its group."""
    held = inbox.hold(batch, (d for group, *_ in items for d in group.deliveries))
    return [item for item in items if all(d.pk in held for d in item[0].deliveries)]


def _plan_and_apply(batch: Batch, todo: Sequence[tuple[Group, Contact]], site: Site, tools: Tools) -> list[Result]:
    hook = batch.hook
    made = make_plans([(group.wish, contact) for group, contact in todo], hook, site)
    plans = [_complete(plan, group, hook, site) for (group, _), plan in zip(todo, made, strict=True)]
    plans = _with_passwords(batch, plans, [_carrier(group) for group, _ in todo], site, tools)
    site.remember({tag.id: tag for _, contact in todo for tag in contact.tags or ()}.values())
    to_apply = [index for index, plan in enumerate(plans) if _has_to_be_applied(plan, site)]
    applied = dict(zip(to_apply, site.apply([plans[i] for i in to_apply]), strict=True)) if to_apply else {}
    return [(*pair, plan, applied.get(i)) for i, (pair, plan) in enumerate(zip(todo, plans, strict=True))]


def _has_to_be_applied(plan: Plan, site: Site) -> bool:
    """Sites that are elsewhere keep the link as well."""
    if plan.ignored or plan.failed:
        return False
    unsettled = plan.member is not None and plan.member.unsettled
    return plan.creates or plan.resumes or unsettled or not plan.changes_nothing or (plan.link and site.is_remote)


def _carrier(group: Group) -> Delivery:
    """The delivery that a member is created for, and that tells of it."""
    return next((d for d in group.deliveries if d.action == Action.ADD), group.deliveries[-1])


def _complete(plan: Plan, group: Group, hook: Hook, site: Site) -> Plan:
    """The plan with the key of its delivery, and whether an earlier attempt at it has created the member."""
    if group.wish.action is not Action.ADD or plan.ignored or plan.failed:
        return plan
    carrier = _carrier(group)
    key = encryption.mark("creation", f"{carrier.pk} {carrier.first_due_at.isoformat()}")[:32]  # a replay has another
    if plan.member is None or plan.member.created_for != key:
        return replace(plan, key=key)
    returns = bool(carrier.secret) and hook.options().return_password
    welcome = group.wish.notify or hook.welcome
    warnings = (*plan.warnings, site.no_welcome) if welcome and site.no_welcome else plan.warnings
    welcome = welcome and not site.no_welcome
    return replace(plan, key=key, resumes=True, return_password=returns, welcome=welcome, warnings=warnings)


def _with_passwords(
    batch: Batch, plans: Sequence[Plan], carriers: Sequence[Delivery], site: Site, tools: Tools
) -> list[Plan]:
    """Generated passwords, where they are needed. Those that are to be returned are kept before a remote site gets
    them: should this attempt break off, the next one returns the password that the member really has."""
    done, kept = [], []
    for plan, carrier in zip(plans, carriers, strict=True):
        if plan.generate_password:
            known = encryption.decrypt(carrier.secret) if carrier.secret else None
            password = known or tools.password()
            if site.is_remote and plan.return_password and not known:
                carrier.secret = encryption.encrypt(password)
                kept.append(carrier)
            plan = replace(plan, changes=replace(plan.changes, password=password))
        done.append(plan)
    if kept and not inbox.keep_secrets(batch, kept):
        raise RetryLater("Another worker has taken this over.", code="site_busy")
    return done


def _settle(batch: Batch, site: Site, results: Sequence[Result], tools: Tools) -> None:
    """What was applied is linked, followed up and told in one transaction; what broke the site down comes later."""
    later = [(group, applied.later) for group, _, _, applied in results if applied and applied.later]
    ended = [(group, plan, applied) for group, _, plan, applied in results if not (applied and applied.later)]
    with transaction.atomic():
        if site.is_remote:  # it took its time, and this worker may have been taken for dead
            ended = _held(batch, ended)
        linked = [(plan, pk) for _, plan, applied in ended if (pk := _settled_member(plan, applied))]
        links.save(batch.hook, linked)
        _journal(batch, site, ended, tools)
    for group, message in later:
        postpone(batch, group.deliveries, RetryLater(message or "", code="site_broke_down"), tools)


def _settled_member(plan: Plan, applied: Applied | None) -> str | None:
    """Whom the contact is to be linked with now, or nobody."""
    if applied:
        return applied.member_id if applied.done else None
    return plan.member.id if plan.member and not (plan.ignored or plan.failed) else None


def _journal(batch: Batch, site: Site, results: Sequence[tuple[Group, Plan, Applied | None]], tools: Tools) -> None:
    """7 (what is to follow) and 8, in the transaction of the change."""
    hook, now = batch.hook, tools.now()
    hidden = secret_fields(hook.options().field_map, hook.return_password_field)
    ends, follow = [], []
    for group, plan, applied in results:
        carrier = _carrier(group)
        if applied:
            follow += followups_of(carrier, _told_password(plan, carrier), applied, site, now)
        result = outcome(plan, applied, hidden)
        ends += [_finish(delivery, carrier, result) for delivery in group.deliveries]
    FollowUp.objects.bulk_create(follow)
    inbox.finish(batch, ends, now)


def _told_password(plan: Plan, carrier: Delivery) -> Plan:
    """The plan with the password that an earlier attempt has given the member."""
    if not (plan.resumes and plan.return_password):
        return plan
    return replace(plan, changes=replace(plan.changes, password=encryption.decrypt(carrier.secret)))


def _finish(delivery: Delivery, carrier: Delivery, result: Outcome) -> Finish:
    """All deliveries of a contact share the outcome; only one of them made the member."""
    data, message = result.data, result.message
    if delivery.pk != carrier.pk:
        message = f"{message} (Together with delivery {carrier.pk}.)"
        if data.get("member"):
            data = {**data, "member": {**data["member"], "created": False}}
    return Finish(delivery, result.state, message, data)


def preview(request: VerifiedRequest, action: Action, tools: Tools) -> Outcome:
    """3 to 5 for one request: what would happen. Raises `RetryLater`, `GiveUp` or `Refused` as the steps do."""
    hook = request.hook
    wish = Wish(action, (request.role,) if request.role else (), request.notify)
    group = Group((), request.incoming, wish)
    contact = load([group], hook, tools)[0]
    if not isinstance(contact, Contact):
        raise contact
    plan = make_plans([(wish, contact)], hook, site_of(hook, tools.http))[0]
    return outcome(plan, None, secret_fields(hook.options().field_map, hook.return_password_field), dry_run=True)
