"""5 PLAN, for many contacts at once: finds members, asks the site what the plan needs to know, plans. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from memberhook.connections import links, secrets
from memberhook.connections.models import Hook, Link
from memberhook.members.logins import wanted
from memberhook.members.mapping import member_email
from memberhook.members.plan import plan_batch
from memberhook.members.types import Action, Contact, HookOptions, Member, Plan, SiteFacts, Wish
from memberhook.sites.base import Site

LOGIN_CHOICES = 20
"""How many logins a site is asked about for a new member whose first choice is taken."""


def make_plans(items: Sequence[tuple[Wish, Contact]], hook: Hook, site: Site) -> list[Plan]:
    """A plan for each, in order."""
    options = hook.options()
    known = links.of_contacts(hook, [contact.id for _, contact in items if contact.id])
    emails = {email for _, contact in items for email in _emails(contact, options)}
    found = site.find([link.member_id for link in known.values()], emails)
    members = links.dress(hook, found.members)
    asked = [(wish, contact, _member(contact, options, known, members, found.emails)) for wish, contact in items]
    new = [contact for wish, contact, member in asked if member is None and wish.action is Action.ADD]
    taken = _taken_logins(new, options, site)
    facts = SiteFacts(site.roles(), site.login_rules, found.emails, taken)
    return plan_batch(asked, options, facts, lambda password: secrets.mark("password", password))


def _taken_logins(new: Sequence[Contact], options: HookOptions, site: Site) -> frozenset[str]:
    """Asks the site about the first choice of each new member, and about more where that one is taken."""
    firsts = {wanted(contact, options, site.login_rules, 1)[0]: contact for contact in new}
    taken = site.taken(firsts) if firsts else frozenset()
    refused = [contact for login, contact in firsts.items() if login.lower() in taken]
    others = {login for contact in refused for login in wanted(contact, options, site.login_rules, LOGIN_CHOICES)}
    return taken | site.taken(others) if others else taken


def _emails(contact: Contact, options: HookOptions) -> set[str]:
    """All addresses that could be the member's, in lower case."""
    mapped = {str(contact.fields.get(m.crm_field) or "") for m in options.field_map if m.site_field == "user_email"}
    return {email.strip().lower() for email in {contact.email, *mapped} if email.strip()}


def _member(
    contact: Contact,
    options: HookOptions,
    known: Mapping[str, Link],
    members: Mapping[str, Member],
    emails: Mapping[str, tuple[str, ...]],
) -> Member | None:
    """By link, else by e-mail (the one that the member has or would get, then the contact's) where one alone has it."""
    link = known.get(contact.id or "")
    if link and link.member_id in members:
        return members[link.member_id]
    for email in (member_email(contact, options), contact.email):
        holders = emails.get(email.strip().lower(), ())
        if len(holders) == 1:
            return members[holders[0]]
    return None
