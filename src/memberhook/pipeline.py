"""What happens to a webhook, step by step. Start reading here.

1 receive and 2 inbox run in the web process: `intake` verifies a request, reads its events and stores a delivery for
each. `process` runs the other steps in a worker, for a claim of deliveries of one hook. `preview` runs 4 and 5 for one
contact and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from memberhook.core.errors import MemberhookError, TransientError
from memberhook.core.outcome import Outcome, outcome, secret_fields
from memberhook.core.types import ApplyStatus, Intent
from memberhook.crms.contract import ContactEvent
from memberhook.engine import claims, inbox
from memberhook.engine.applying import apply_plans, record
from memberhook.engine.claims import Claim
from memberhook.engine.clients import site_of
from memberhook.engine.loading import Group, Loaded, NotLoaded, group_by_contact, load, merge_same_contact, pause
from memberhook.engine.planning import make_plans
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery
from memberhook.sites.contract import Site

ROUNDS = 4
"""How often a plan that conflicts with the site is made again in one attempt."""


def process(claim: Claim[Delivery], runtime: Runtime) -> None:
    """Bring every delivery to its end or to its next attempt. Running it twice, or dying in it, does no harm."""
    hook = claim.rows[0].hook
    groups, unreadable = group_by_contact(claim.rows)  # 3 identify
    for delivery, problem in unreadable:
        postpone(claim, [delivery], problem, runtime)
    loaded = load(groups, hook, runtime)  # 4 load
    for one in loaded:
        if isinstance(one, NotLoaded):
            postpone(claim, one.group.deliveries, one.problem, runtime)
    contacts = merge_same_contact(one for one in loaded if isinstance(one, Loaded))
    if contacts:
        _plan_and_apply(claim, contacts, hook, runtime)


def _plan_and_apply(claim: Claim[Delivery], contacts: Sequence[Loaded], hook: Hook, runtime: Runtime) -> None:
    """5 to 8, as one transaction where the site can; what turns out stale is planned again."""
    problem: MemberhookError
    try:
        site = site_of(hook, runtime.http)
        with site.atomic():
            with transaction.atomic():
                held = claims.lock_claimed(claim, claim.rows)
            contacts = [one for one in contacts if one.group.is_among(held)]
            for _ in range(ROUNDS):
                contacts = _round(claim, contacts, hook, site, runtime)
                if not contacts:
                    return
        problem = TransientError("The site kept changing while this was applied; it is tried again.", code="site_busy")
    except MemberhookError as error:
        if isinstance(error, TransientError):  # only a remote site can be out of reach
            pause(hook.site, error, runtime)
        problem = error
    for one in contacts:
        postpone(claim, one.group.deliveries, problem, runtime)


def _round(
    claim: Claim[Delivery], contacts: Sequence[Loaded], hook: Hook, site: Site, runtime: Runtime
) -> list[Loaded]:
    """Plan and apply once. Returns those whose plans conflict with what has changed on the site meanwhile."""
    plans = make_plans(contacts, hook, site)  # 5 plan
    done = apply_plans(claim, contacts, plans, site, runtime)  # 6 apply
    unfinished = (ApplyStatus.CONFLICT, ApplyStatus.TRY_LATER)
    record(claim, [one for one in done if one.status not in unfinished], site, runtime)  # 7 follow up, 8 outcome
    for one in done:
        if one.applied and one.status is ApplyStatus.TRY_LATER:
            problem = TransientError(one.applied.message, code="site_broke_down")
            postpone(claim, one.group.deliveries, problem, runtime)
    return [Loaded(one.group, one.plan.contact) for one in done if one.status is ApplyStatus.CONFLICT]


def postpone(
    claim: Claim[Delivery], deliveries: Sequence[Delivery], problem: MemberhookError, runtime: Runtime
) -> None:
    """Set the next attempt, or the end when the problem will not pass or has lasted too long."""
    results = [
        claims.try_again_or_fail(delivery, problem, runtime, outcome={"code": problem.code}) for delivery in deliveries
    ]
    inbox.finish(claim, results, runtime.now())


def preview(hook: Hook, event: ContactEvent, intent: Intent, runtime: Runtime) -> Outcome:
    """What would happen to one contact. Raises `MemberhookError` as the steps do."""
    [loaded] = load([Group((), event, intent, has_payload=True)], hook, runtime)
    if isinstance(loaded, NotLoaded):
        raise loaded.problem
    [plan] = make_plans([loaded], hook, site_of(hook, runtime.http))
    return outcome(plan, None, secret_fields(hook.options().field_map, hook.return_password_field), dry_run=True)
