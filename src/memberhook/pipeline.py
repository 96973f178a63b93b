"""What happens to a webhook, step by step. Start reading here.

1 receive and 2 inbox run in the web process: `intake` verifies a request and stores it. `process` runs in a worker,
over a claim of deliveries of one hook: 3 identify, 4 load, 5 plan, 6 apply, 7 follow up, 8 outcome. `preview` runs 3
to 5 for one contact and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from django.db import transaction

from memberhook import conf, encryption
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.intents import merge
from memberhook.core.outcome import Outcome, outcome, secret_fields
from memberhook.core.states import State
from memberhook.core.types import Action, Applied, ApplyStatus, Contact, Intent, Plan
from memberhook.crms.contract import ContactEvent, ContactRef, CrmError, WebhookRequest
from memberhook.crms.registry import crm
from memberhook.engine import inbox, links
from memberhook.engine.clients import crm_client, site_of
from memberhook.engine.followup_rows import followups_of
from memberhook.engine.inbox import Claim, Result
from memberhook.engine.planning import make_plans
from memberhook.engine.retry import after
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Connection, Hook
from memberhook.models.connections import Site as SiteRow
from memberhook.models.deliveries import Delivery
from memberhook.models.followups import FollowUp
from memberhook.sites.contract import Site

ROUNDS = 4
"""How often what turned out stale is planned again in one attempt."""


@dataclass(frozen=True, slots=True)
class Group:
    """The deliveries of one contact, oldest first, and what they ask for together."""

    deliveries: tuple[Delivery, ...]
    contact_event: ContactEvent
    intent: Intent


# 3 to 8


def process(claim: Claim, runtime: Runtime) -> None:
    """Brings every delivery of the batch to its end or to its next attempt. Safe to run twice, or to die in."""
    hook = claim.hook
    groups = identify(claim.deliveries, hook)
    contacts = load(groups, hook, runtime)
    ready = []
    for group, contact in zip(groups, contacts, strict=True):
        if isinstance(contact, Contact):
            ready.append((group, contact))
        else:
            postpone(claim, group.deliveries, contact, runtime)
    if ready:
        apply(claim, regroup(ready), runtime)


def identify(deliveries: Iterable[Delivery], hook: Hook) -> list[Group]:
    """3: whom the deliveries are about. Those of one contact become one group."""
    info = crm(hook.connection.kind)
    ordering_keys: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        ordering_keys.setdefault(delivery.ordering_key, []).append(delivery)
    groups = []
    for group in ordering_keys.values():
        contact_event = [
            info.identify(_request(d)) if d.method else ContactEvent(ContactRef(d.contact_id)) for d in group
        ]
        newest = max(enumerate(contact_event), key=lambda known: (_version(known[1]), known[0]))[1]
        groups.append(Group(tuple(group), newest, _intent(group)))
    return groups


def _intent(deliveries: Iterable[Delivery]) -> Intent:
    return merge([Intent(Action(d.action), (d.role,) if d.role else (), d.notify) for d in deliveries])


def _version(contact_event: ContactEvent) -> str:
    return (contact_event.payload and contact_event.payload.version) or ""


def _request(delivery: Delivery) -> WebhookRequest:
    return WebhookRequest(
        method=delivery.method,
        query=delivery.query,
        content_type=delivery.content_type,
        user_agent=delivery.user_agent,
        body=bytes(delivery.body),
        contact_id=delivery.contact_id,
    )


def load(groups: Sequence[Group], hook: Hook, runtime: Runtime) -> list[Contact | CrmError]:
    """4: the contacts as the CRM has them now, or as the webhook tells where the hook trusts it."""
    trusted = [hook.trust_payload and all(d.method for d in group.deliveries) for group in groups]
    refs = {group.contact_event.ref: None for group, by_payload in zip(groups, trusted, strict=True) if not by_payload}
    answers = _ask(list(refs), hook, runtime) if refs else {}
    return [
        _trusted(group.contact_event) if by_payload else answers[group.contact_event.ref]
        for group, by_payload in zip(groups, trusted, strict=True)
    ]


def _ask(refs: Sequence[ContactRef], hook: Hook, runtime: Runtime) -> Mapping[ContactRef, Contact | CrmError]:
    try:
        return crm_client(hook.connection, runtime.http).load(refs)
    except PermanentError as error:
        return dict.fromkeys(refs, error)
    except TransientError as error:
        pause(hook.connection, error, runtime)
        return dict.fromkeys(refs, error)


def _trusted(contact_event: ContactEvent) -> Contact | CrmError:
    if contact_event.payload is None:
        problem = (
            contact_event.payload_problem
            or "The webhook does not carry the contact's data, and the hook trusts it alone."
        )
        return PermanentError(problem, code="payload_not_usable")
    return contact_event.payload


def pause(account: Connection | SiteRow, error: TransientError, runtime: Runtime) -> None:
    """The CRM or the site as a whole is not to be had: leave it alone for a moment, or for as long as it asked."""
    seconds = min(error.retry_after or conf.RETRY_FIRST(), 3600.0)
    until = runtime.now() + timedelta(seconds=seconds)
    type(account)._default_manager.filter(pk=account.pk).update(paused_until=until)


def regroup(ready: Sequence[tuple[Group, Contact]]) -> list[tuple[Group, Contact]]:
    """A contact whom one webhook knows by id and another by e-mail is one contact once it is loaded."""
    same: dict[str, list[tuple[Group, Contact]]] = {}
    for number, (group, contact) in enumerate(ready):
        same.setdefault(contact.id or f"without id {number}", []).append((group, contact))
    return [pairs[0] if len(pairs) == 1 else (_joined(pairs), pairs[-1][1]) for pairs in same.values()]


def _joined(pairs: Sequence[tuple[Group, Contact]]) -> Group:
    deliveries = sorted((d for group, _ in pairs for d in group.deliveries), key=lambda d: d.pk)
    return Group(tuple(deliveries), pairs[-1][0].contact_event, _intent(deliveries))


def postpone(claim: Claim, deliveries: Iterable[Delivery], problem: CrmError, runtime: Runtime) -> None:
    """Sets the next attempt, or the end when what went wrong won't pass or has lasted too long."""
    now = runtime.now()
    ends = []
    for delivery in deliveries:
        due = after(problem, delivery.attempts, now, delivery.first_due_at, runtime.jitter)
        state = State.RETRYING if due else State.FAILED
        ends.append(Result(delivery, state, problem.message, {"code": problem.code}, due))
    inbox.finish(claim, ends, now)


def apply(claim: Claim, ready: Sequence[tuple[Group, Contact]], runtime: Runtime) -> None:
    """5 to 8: plan, apply, note what follows and what happened, as one transaction where the site can."""
    site = site_of(claim.hook, runtime.http)
    todo = list(ready)
    try:
        with site.atomic():
            with transaction.atomic():
                todo = _still_claimed(claim, ready)
            for _ in range(ROUNDS):
                results = _plan_and_apply(claim, todo, site, runtime)
                todo = [(group, contact) for group, contact, _, applied in results if _conflicts(applied)]
                _record(claim, site, [result for result in results if not _conflicts(result[3])], runtime)
                if not todo:
                    return
            problem = TransientError(
                "The site kept changing while this was applied; it is tried again.", code="site_busy"
            )
    except TransientError as error:  # only a site that is elsewhere can be out of reach
        pause(claim.hook.site, error, runtime)
        problem = error
    for group, _ in todo:
        postpone(claim, group.deliveries, problem, runtime)


def _conflicts(applied: Applied | None) -> bool:
    return applied is not None and applied.status is ApplyStatus.CONFLICT


def _is_postponed(applied: Applied | None) -> bool:
    return applied is not None and applied.status is ApplyStatus.TRY_LATER


PlannedGroup = tuple[Group, Contact, Plan, Applied | None]
ItemT = TypeVar("ItemT", tuple[Group, Contact], tuple[Group, Plan, Applied | None])


def _still_claimed(claim: Claim, items: Sequence[ItemT]) -> list[ItemT]:
    """Those whose deliveries are still this worker's. Each begins with its group."""
    held = inbox.lock_claimed(claim, (d for group, *_ in items for d in group.deliveries))
    return [item for item in items if all(d.pk in held for d in item[0].deliveries)]


def _plan_and_apply(
    claim: Claim, todo: Sequence[tuple[Group, Contact]], site: Site, runtime: Runtime
) -> list[PlannedGroup]:
    hook = claim.hook
    made = make_plans([(group.intent, contact) for group, contact in todo], hook, site)
    plans = [_complete(plan, group, hook, site) for (group, _), plan in zip(todo, made, strict=True)]
    plans = _with_passwords(claim, plans, [_primary(group) for group, _ in todo], site, runtime)
    site.upsert_tags({tag.id: tag for _, contact in todo for tag in contact.tags or ()}.values())
    to_apply = [index for index, plan in enumerate(plans) if _has_to_be_applied(plan, site)]
    applied = dict(zip(to_apply, site.apply([plans[i] for i in to_apply]), strict=True)) if to_apply else {}
    return [(*pair, plan, applied.get(i)) for i, (pair, plan) in enumerate(zip(todo, plans, strict=True))]


def _has_to_be_applied(plan: Plan, site: Site) -> bool:
    """Sites that are elsewhere keep the link as well."""
    if plan.ignored or plan.failed:
        return False
    needs_repair = plan.member is not None and plan.member.needs_repair
    return plan.creates or plan.is_retry or needs_repair or not plan.changes_nothing or (plan.link and site.is_remote)


def _primary(group: Group) -> Delivery:
    """The delivery that a member is created for, and that tells of it."""
    return next((d for d in group.deliveries if d.action == Action.ADD), group.deliveries[-1])


def _complete(plan: Plan, group: Group, hook: Hook, site: Site) -> Plan:
    """The plan with the key of its delivery, and whether an earlier attempt at it has created the member."""
    if group.intent.action is not Action.ADD or plan.ignored or plan.failed:
        return plan
    primary = _primary(group)
    key = encryption.mark("creation", f"{primary.pk} {primary.first_due_at.isoformat()}")[:32]  # a replay has another
    if plan.member is None or plan.member.idempotency_key != key:
        return replace(plan, key=key)
    returns = bool(primary.secret) and hook.options().return_password
    welcome = group.intent.notify or hook.welcome
    warnings = (*plan.warnings, site.no_welcome) if welcome and site.no_welcome else plan.warnings
    welcome = welcome and not site.no_welcome
    return replace(plan, key=key, is_retry=True, return_password=returns, welcome=welcome, warnings=warnings)


def _with_passwords(
    claim: Claim, plans: Sequence[Plan], primaries: Sequence[Delivery], site: Site, runtime: Runtime
) -> list[Plan]:
    """Generated passwords, where they are needed. Those that are to be returned are kept before a remote site gets
    them: should this attempt break off, the next one returns the password that the member really has."""
    done, kept = [], []
    for plan, primary in zip(plans, primaries, strict=True):
        if plan.generate_password:
            known = encryption.decrypt(primary.secret) if primary.secret else None
            password = known or runtime.password()
            if site.is_remote and plan.return_password and not known:
                primary.secret = encryption.encrypt(password)
                kept.append(primary)
            plan = replace(plan, changes=replace(plan.changes, password=password))
        done.append(plan)
    if kept and not inbox.keep_secrets(claim, kept):
        raise TransientError("Another worker has taken this over.", code="site_busy")
    return done


def _record(claim: Claim, site: Site, results: Sequence[PlannedGroup], runtime: Runtime) -> None:
    """What was applied is linked, followed up and told in one transaction; what broke the site down comes later."""
    later = [(group, applied.message) for group, _, _, applied in results if applied and _is_postponed(applied)]
    ended = [(group, plan, applied) for group, _, plan, applied in results if not _is_postponed(applied)]
    with transaction.atomic():
        if site.is_remote:  # it took its time, and this worker may have been taken for dead
            ended = _still_claimed(claim, ended)
        linked = [(plan, pk) for _, plan, applied in ended if (pk := _linked_member(plan, applied))]
        links.save(claim.hook, linked)
        _record_outcomes(claim, site, ended, runtime)
    for group, message in later:
        postpone(claim, group.deliveries, TransientError(message, code="site_broke_down"), runtime)


def _linked_member(plan: Plan, applied: Applied | None) -> str | None:
    """Whom the contact is to be linked with now, or nobody."""
    if applied:
        return applied.member_id if applied.done else None
    return plan.member.id if plan.member and not (plan.ignored or plan.failed) else None


def _record_outcomes(
    claim: Claim, site: Site, results: Sequence[tuple[Group, Plan, Applied | None]], runtime: Runtime
) -> None:
    """7 (what is to follow) and 8, in the transaction of the change."""
    hook, now = claim.hook, runtime.now()
    hidden = secret_fields(hook.options().field_map, hook.return_password_field)
    ends, follow = [], []
    for group, plan, applied in results:
        primary = _primary(group)
        if applied:
            follow += followups_of(primary, _with_returned_password(plan, primary), applied, site, now)
        result = outcome(plan, applied, hidden)
        ends += [_finish(delivery, primary, result) for delivery in group.deliveries]
    FollowUp.objects.bulk_create(follow)
    inbox.finish(claim, ends, now)


def _with_returned_password(plan: Plan, primary: Delivery) -> Plan:
    """The plan with the password that an earlier attempt has given the member."""
    if not (plan.is_retry and plan.return_password):
        return plan
    return replace(plan, changes=replace(plan.changes, password=encryption.decrypt(primary.secret)))


def _finish(delivery: Delivery, primary: Delivery, result: Outcome) -> Result:
    """All deliveries of a contact share the outcome; only one of them made the member."""
    data, message = result.data, result.message
    if delivery.pk != primary.pk:
        message = f"{message} (Together with delivery {primary.pk}.)"
        if data.get("member"):
            data = {**data, "member": {**data["member"], "created": False}}
    return Result(delivery, result.state, message, data)


def preview(hook: Hook, event: ContactEvent, intent: Intent, runtime: Runtime) -> Outcome:
    """3 to 5 for one contact: what would happen. Raises `TransientError` or `PermanentError` as the steps do."""
    contact = load([Group((), event, intent)], hook, runtime)[0]
    if not isinstance(contact, Contact):
        raise contact
    plan = make_plans([(intent, contact)], hook, site_of(hook, runtime.http))[0]
    return outcome(plan, None, secret_fields(hook.options().field_map, hook.return_password_field), dry_run=True)
