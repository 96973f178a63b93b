"""5 PLAN, for many contacts at once: finds members, asks the site what the plan needs to know, plans. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from memberhook import encryption
from memberhook.core.mapping import member_email
from memberhook.core.plan import plan_batch
from memberhook.core.types import Action, Contact, HookOptions, Intent, Member, Plan, SiteSnapshot
from memberhook.core.usernames import wanted
from memberhook.engine import links
from memberhook.models.connections import Hook
from memberhook.sites.contract import MemberQuery, Site

USERNAME_CHOICES = 20
"""How many logins a site is asked about for a new member whose first choice is taken."""


def make_plans(items: Sequence[tuple[Intent, Contact]], hook: Hook, site: Site) -> list[Plan]:
    """A plan for each, in order."""
    options = hook.options()
    known = links.of_contacts(hook, [contact.id for _, contact in items if contact.id])
    unknown = [(intent, contact) for intent, contact in items if contact.id not in known]
    firsts = {_first_username(contact, options, site) for intent, contact in unknown if intent.action is Action.ADD}
    found = site.find(
        MemberQuery(
            member_ids={link.member_id for link in known.values()},
            contact_ids={contact.id for _, contact in unknown if contact.id},
            emails={email for _, contact in items for email in _emails(contact, options)},
            usernames=firsts,
            fields={mapping.site_field.strip() for mapping in options.field_map},
        )
    )
    linked = {contact_id: link.member_id for contact_id, link in known.items()} | dict(found.contacts)
    members = links.attach_links(hook, found.members)
    asked = [(intent, contact, _member(contact, options, linked, members, found.emails)) for intent, contact in items]
    new = [contact for intent, contact, member in asked if member is None and intent.action is Action.ADD]
    taken = found.taken_usernames | _taken_usernames(new, options, site, firsts, found.taken_usernames)
    capabilities = SiteSnapshot(site.roles(), site.username_rules, found.emails, taken, site.normalize, site.no_welcome)
    return plan_batch(asked, options, capabilities, lambda password: encryption.mark("password", password))


def _first_username(contact: Contact, options: HookOptions, site: Site) -> str:
    return wanted(contact, options, site.username_rules, 1)[0]


def _taken_usernames(
    new: Sequence[Contact], options: HookOptions, site: Site, asked: Collection[str], taken: Collection[str]
) -> frozenset[str]:
    """Asks the site about more logins for those new members whose first choice is taken, or was not asked about."""
    firsts = [(contact, _first_username(contact, options, site)) for contact in new]
    unsure = [contact for contact, username in firsts if username.lower() in taken or username not in asked]
    others = {
        username for contact in unsure for username in wanted(contact, options, site.username_rules, USERNAME_CHOICES)
    }
    return site.find(MemberQuery(usernames=others)).taken_usernames if others else frozenset()


def _emails(contact: Contact, options: HookOptions) -> set[str]:
    """All addresses that could be the member's, in lower case."""
    mapped = {str(contact.fields.get(m.crm_field) or "") for m in options.field_map if m.site_field == "user_email"}
    return {email.strip().lower() for email in {contact.email, *mapped} if email.strip()}


def _member(
    contact: Contact,
    options: HookOptions,
    linked: Mapping[str, str],
    members: Mapping[str, Member],
    emails: Mapping[str, tuple[str, ...]],
) -> Member | None:
    """By link, else by e-mail (the one that the member has or would get, then the contact's) where one alone has it."""
    linked_member = linked.get(contact.id or "")
    if linked_member and linked_member in members:
        return members[linked_member]
    for email in (member_email(contact, options), contact.email):
        holders = emails.get(email.strip().lower(), ())
        if len(holders) == 1:
            return members[holders[0]]
    return None
