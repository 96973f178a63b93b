"""6 apply and 8 outcome, for many plans at once: passwords, the site's answers, links, follow-ups, outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db import transaction

from memberhook import encryption
from memberhook.core.errors import TransientError
from memberhook.core.outcome import Outcome, outcome, secret_fields
from memberhook.core.types import Applied, ApplyStatus, Plan
from memberhook.engine import claims, followups, inbox, links
from memberhook.engine.claims import Claim, Result
from memberhook.engine.loading import Group, Loaded
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery
from memberhook.models.followups import FollowUp
from memberhook.sites.contract import Site


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a plan. `applied` is None where there was nothing to apply."""

    group: Group
    plan: Plan
    applied: Applied | None

    @property
    def status(self) -> ApplyStatus:
        return self.applied.status if self.applied else ApplyStatus.DONE

    @property
    def member_id(self) -> str | None:
        """The member to link with the contact; None for nobody."""
        if self.applied:
            return self.applied.member_id if self.applied.done else None
        return self.plan.member.id if self.plan.member and not (self.plan.ignored or self.plan.failed) else None


def apply_plans(
    claim: Claim[Delivery], contacts: Sequence[Loaded], plans: Sequence[Plan], site: Site, runtime: Runtime
) -> list[Done]:
    groups = [one.group for one in contacts]
    plans = _with_passwords(claim, groups, plans, site, runtime)
    site.upsert_tags({tag.id: tag for one in contacts for tag in one.contact.tags or ()}.values())
    to_apply = [plan for plan in plans if _has_to_be_applied(plan, site)]
    answers = iter(site.apply(to_apply) if to_apply else ())
    return [
        Done(group, plan, next(answers) if _has_to_be_applied(plan, site) else None)
        for group, plan in zip(groups, plans, strict=True)
    ]


def _has_to_be_applied(plan: Plan, site: Site) -> bool:
    """Remote sites store the link as well."""
    if plan.ignored or plan.failed:
        return False
    needs_repair = plan.member is not None and plan.member.needs_repair
    return plan.creates or plan.is_retry or needs_repair or not plan.changes_nothing or (plan.link and site.is_remote)


def _with_passwords(
    claim: Claim[Delivery], groups: Sequence[Group], plans: Sequence[Plan], site: Site, runtime: Runtime
) -> list[Plan]:
    """Generate passwords, and store those to return with their deliveries before a remote site gets them.

    Should this attempt break off, the next one returns the password that the member really has.
    """
    ready, to_keep = [], []
    for group, plan in zip(groups, plans, strict=True):
        if plan.generate_password:
            delivery = group.primary
            password = encryption.decrypt(delivery.secret) if delivery.secret else runtime.password()
            if plan.return_password and not delivery.secret:
                delivery.secret = encryption.encrypt(password)
                to_keep.append(delivery)
            plan = replace(plan, changes=replace(plan.changes, password=password))
        ready.append(plan)
    if site.is_remote and to_keep and not inbox.keep_secrets(claim, to_keep):
        raise TransientError("Another worker has claimed this delivery.", code="site_busy")
    return ready


def record(claim: Claim[Delivery], done: Sequence[Done], site: Site, runtime: Runtime) -> None:
    """Store links, follow-ups and outcomes in one transaction, as far as the deliveries are still this worker's."""
    hook: Hook = claim.rows[0].hook
    hidden = secret_fields(hook.options().field_map, hook.return_password_field)
    now = runtime.now()
    with transaction.atomic():
        if site.is_remote:  # that took a while: the lease may have expired
            held = claims.lock_claimed(claim, claim.rows)
            done = [one for one in done if one.group.is_among(held)]
        links.save(hook, [(one.plan, one.member_id) for one in done if one.member_id])
        rows = [
            row
            for one in done
            if one.applied
            for row in followups.following(one.group.primary, one.plan, one.applied, site, now)
        ]
        FollowUp.objects.bulk_create(rows)
        results = [result for one in done for result in _results(one, outcome(one.plan, one.applied, hidden))]
        inbox.finish(claim, results, now)


def _results(done: Done, result: Outcome) -> list[Result[Delivery]]:
    """All deliveries of a contact share the outcome; only the primary one created the member."""
    primary = done.group.primary
    member = result.data["member"]
    shared = {**result.data, "member": member and {**member, "created": False}}
    message = f"{result.message} (Together with delivery {primary.pk}.)"
    return [
        Result(delivery, result.state, result.message, values={"outcome": result.data})
        if delivery is primary
        else Result(delivery, result.state, message, values={"outcome": shared})
        for delivery in done.group.deliveries
    ]
