"""5 plan, for many contacts at once: find members, ask the site what the plan needs to know, plan. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from memberhook import encryption
from memberhook.core import mapping, usernames
from memberhook.core.plan import PlanInput, plan_batch
from memberhook.core.types import Action, HookOptions, Member, Plan, SiteSnapshot
from memberhook.engine import links
from memberhook.engine.loading import Loaded
from memberhook.models.connections import Hook
from memberhook.sites.contract import MemberQuery, Site

USERNAME_CANDIDATES = 20
"""How many usernames to check at the site for a new member whose first one is taken."""


def make_plans(loaded: Sequence[Loaded], hook: Hook, site: Site) -> list[Plan]:
    """A plan for each, in order."""
    options = hook.options()
    items = [PlanInput(one.group.intent, one.contact, mapping.read(one.contact, options)) for one in loaded]
    known = links.of_contacts(hook, [item.contact.id for item in items if item.contact.id])
    unlinked = [item for item in items if item.contact.id not in known]
    checked = {_candidates(item, options, site, 1)[0] for item in unlinked if item.intent.action is Action.ADD}
    found = site.find(
        MemberQuery(
            member_ids={link.member_id for link in known.values()},
            contact_ids={item.contact.id for item in unlinked if item.contact.id},
            emails={email for item in items for email in _emails(item)},
            usernames=checked,
            fields={mapping.site_field.strip() for mapping in options.field_map},
        )
    )
    linked = {contact_id: link.member_id for contact_id, link in known.items()} | dict(found.contacts)
    members = links.attach_links(hook, found.members)
    items = [replace(item, member=_member(item, linked, members, found.emails)) for item in items]
    new = [item for item in items if item.member is None and item.intent.action is Action.ADD]
    taken = found.taken_usernames | _more_taken(new, options, site, checked, found.taken_usernames)
    snapshot = SiteSnapshot(site.roles(), site.username_rules, found.emails, taken, site.normalize, site.no_welcome)
    return plan_batch(items, options, snapshot, lambda password: encryption.mark("password", password))


def _candidates(item: PlanInput, options: HookOptions, site: Site, count: int) -> list[str]:
    return list(islice(usernames.candidates(item.mapped, options.username_format, site.username_rules), count))


def _more_taken(
    new: Sequence[PlanInput],
    options: HookOptions,
    site: Site,
    checked: Collection[str],
    taken: Collection[str],
) -> frozenset[str]:
    """Check more usernames of new members whose first one is taken, or was not checked."""
    names: set[str] = set()
    for item in new:
        [first] = _candidates(item, options, site, 1)
        if first.lower() in taken or first not in checked:
            names.update(_candidates(item, options, site, USERNAME_CANDIDATES))
    return site.find(MemberQuery(usernames=names)).taken_usernames if names else frozenset()


def _emails(item: PlanInput) -> list[str]:
    """The addresses that find the member, best first: the one that it has or would get, the contact's own."""
    return [email for one in (item.mapped.email, item.contact.email) if (email := one.strip().lower())]


def _member(
    item: PlanInput,
    linked: Mapping[str, str],
    members: Mapping[str, Member],
    emails: Mapping[str, tuple[str, ...]],
) -> Member | None:
    """By link, else by an e-mail that only one member has."""
    linked_member = linked.get(item.contact.id or "")
    if linked_member and linked_member in members:
        return members[linked_member]
    for email in _emails(item):
        holders = emails.get(email, ())
        if len(holders) == 1:
            return members[holders[0]]
    return None
