"""Plan what an action changes: contact, intent and member in, plan out. Pure; open this first in this folder.

The table and the rules are those of docs/actions.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from memberhook.core import mapping, roles, usernames
from memberhook.core.mapping import Mapped
from memberhook.core.text import one_line, shown
from memberhook.core.types import (
    Action,
    Changes,
    Contact,
    HookOptions,
    Intent,
    Member,
    Plan,
    Role,
    SiteSnapshot,
    Tag,
    Value,
)

Mark = Callable[[str], str]
"""A keyed fingerprint of a password: see `Member.password_mark`."""

_TO_BE_CREATED = ""
"""Stands in `SiteSnapshot.emails` for a member that an earlier plan of the same batch creates."""

_NO_MEMBER = 'No member of the site has this contact\'s link or e-mail; only "add" creates members.'
_NO_EMAIL = (
    "The contact has no usable e-mail address, so no member can be created: correct it in the CRM and send it again."
)
_NO_TAGS = "The contact came without its tags, so the member's tags stay as they are."
_SAME_CONTACT = "The same contact was handled just before, in the same batch; send it again if something is missing."


@dataclass(frozen=True, slots=True)
class PlanInput:
    """One contact to plan for. `member`: who is linked with it, else the only one who has its e-mail."""

    intent: Intent
    contact: Contact
    mapped: Mapped
    member: Member | None = None


def plan(item: PlanInput, options: HookOptions, site: SiteSnapshot, mark: Mark) -> Plan:
    """What the intent would change, and what follows."""
    contact, member = item.contact, item.member
    if _several_share_email(contact, member, site):
        text = (
            f"Several members of the site have the e-mail {shown(contact.email)}, none of them linked with the contact"
        )
        return Plan(contact, failed=f"{text}: give each its own address, then send the contact again.")
    if item.intent.action is not Action.ADD and (member is None or member.network_user):
        return Plan(contact, ignored=_NO_MEMBER)
    if member is None:
        return _creation(item, options, site)
    if options.trust_payload and _is_stale(contact, member):
        text = f"The webhook is from {contact.version}, but {member.contact_version} has been applied already"
        return Plan(contact, ignored=f"{text}: it came late, and nothing is changed.")
    return _change(item, member, options, site, mark)


@dataclass(slots=True)
class _Reservations:
    """What earlier plans of a batch use. `created`: contact ids by e-mail; `members`: contact ids by member id."""

    emails: dict[str, tuple[str, ...]]
    usernames: set[str]
    created: dict[str, str | None] = field(default_factory=dict)
    members: dict[str, str | None] = field(default_factory=dict)

    def add(self, made: Plan) -> None:
        if made.ignored or made.failed:
            return
        if made.changes.email:
            email = made.changes.email.lower()
            self.emails[email] = (*self.emails.get(email, ()), made.member.id if made.member else _TO_BE_CREATED)
        if made.member:
            self.members[made.member.id] = made.contact.id
        elif made.changes.email and made.username:
            self.created[made.changes.email.lower()] = made.contact.id
            self.usernames.add(made.username.lower())


def plan_batch(items: Sequence[PlanInput], options: HookOptions, site: SiteSnapshot, mark: Mark) -> list[Plan]:
    """A plan for each item, in order. Usernames, e-mails and members of earlier ones are taken for later ones."""
    reserved = _Reservations(dict(site.emails), set(site.taken_usernames))
    plans = []
    for item in items:
        made = _repetition(item, reserved)
        if made is None:
            now = replace(site, emails=reserved.emails, taken_usernames=frozenset(reserved.usernames))
            made = plan(item, options, now, mark)
        reserved.add(made)
        plans.append(made)
    return plans


def _repetition(item: PlanInput, reserved: _Reservations) -> Plan | None:
    """The plan of a contact that comes a second time, or whose member another contact of the batch has.

    Without an id (a webhook may have only the e-mail), a contact is the same as another one with its e-mail.
    """
    contact = item.contact
    if item.member is None:
        email = item.mapped.email.lower()
        if contact.id and contact.id in reserved.created.values():
            return Plan(contact, ignored=_SAME_CONTACT)
        if email in reserved.created and None in (contact.id, reserved.created[email]):
            return Plan(contact, ignored=_SAME_CONTACT)
        return None
    other = reserved.members.get(item.member.id)
    if other is None or contact.id in (None, other):
        return None
    return Plan(contact, failed=_change_one_email(f"The CRM's contact {other} and this one have the same member"))


def _change_one_email(problem: str) -> str:
    return f"{problem}: give one of the two another e-mail address in the CRM, then send it again."


def _several_share_email(contact: Contact, member: Member | None, site: SiteSnapshot) -> bool:
    linked = member is not None and contact.id is not None and member.contact_id == contact.id
    return not linked and len(site.emails.get(contact.email.strip().lower(), ())) > 1


def _is_stale(contact: Contact, member: Member) -> bool:
    """Versions of two different contacts cannot be compared."""
    if contact.id and member.contact_id and contact.id != member.contact_id:
        return False
    return bool(contact.version and member.contact_version and contact.version < member.contact_version)


def _creation(item: PlanInput, options: HookOptions, site: SiteSnapshot) -> Plan:
    intent, contact, mapped = item.intent, item.contact, item.mapped
    if not mapping.usable_email(mapped.email):
        return Plan(contact, failed=_NO_EMAIL)
    if holders := site.emails.get(mapped.email.lower()):
        other = (
            "Another contact that came at the same time" if _TO_BE_CREATED in holders else "Another member of the site"
        )
        return Plan(contact, failed=_change_one_email(f"{other} has the e-mail {shown(mapped.email)}"))
    username, username_warnings = _username(mapped, options, site)
    choice = roles.for_new(roles.RequestedRoles(intent.roles, mapped.roles, contact.tags), options, site.roles)
    applied, removed, tag_warnings = _tags(intent, contact, ())
    welcome, welcome_warnings = _welcome(intent, options, site)
    generate = not mapped.password
    return Plan(
        contact,
        username=username,
        changes=Changes(
            email=mapped.email,
            role=choice.role,
            roles_added=choice.added,
            password=mapped.password or None,
            fields=_with_display_name(mapped, username),
            tags_applied=applied,
            tags_removed=removed,
        ),
        link=contact.id is not None,
        generate_password=generate,
        return_password=generate and options.return_password and contact.id is not None,
        welcome=welcome,
        idempotency_key=intent.idempotency_key,
        warnings=_unique(username_warnings, choice.warnings, mapped.warnings, tag_warnings, welcome_warnings),
    )


def _welcome(intent: Intent, options: HookOptions, site: SiteSnapshot) -> tuple[bool, tuple[str, ...]]:
    """Whether a created member gets the welcome e-mail, and a warning if it should but cannot."""
    if not (intent.notify or options.welcome):
        return False, ()
    return not site.no_welcome, (site.no_welcome,) if site.no_welcome else ()


def _with_display_name(mapped: Mapped, username: str) -> dict[str, Value]:
    """The fields of a new member, with a display name: the mapped one, else both names, else the username.

    None where the owner wants it empty: the next update would empty it again.
    """
    if mapping.DISPLAY_NAME in mapped.cleared:
        return mapped.values
    names = (str(mapped.values.get(name, "")) for name in (mapping.FIRST_NAME, mapping.LAST_NAME))
    both = one_line(" ".join(filter(None, names)))  # two harmless names may make a tag together
    return {mapping.DISPLAY_NAME: both or username} | mapped.values


def _username(mapped: Mapped, options: HookOptions, site: SiteSnapshot) -> tuple[str, tuple[str, ...]]:
    """The first candidate that is free, and a warning if it is not the preferred username."""
    candidates = usernames.candidates(mapped, options.username_format, site.username_rules)
    first = next(candidates)
    taken = first.lower() in site.taken_usernames
    username = next(one for one in candidates if one.lower() not in site.taken_usernames) if taken else first
    preferred = usernames.preferred(mapped, options.username_format)
    if username == preferred:
        return username, ()
    problem = "is too long for the site or has characters that it does not take" if first != preferred else "is taken"
    return username, (f"The username {shown(preferred)} {problem}, so it is {shown(username)}.",)


def _change(item: PlanInput, member: Member, options: HookOptions, site: SiteSnapshot, mark: Mark) -> Plan:
    intent, contact, mapped = item.intent, item.contact, item.mapped
    link = contact.id is not None and member.contact_id != contact.id
    applied, removed, tag_warnings = _tags(intent, contact, member.tags)
    changes, warnings = Changes(tags_applied=applied, tags_removed=removed), _unique(tag_warnings)
    if link and member.contact_id:
        text = f"The member was linked with the CRM's contact {member.contact_id} before; now with {contact.id}."
        warnings = (text, *warnings)
    if intent.action is Action.UPDATE_TAGS:
        requested = roles.RequestedRoles(tags=contact.tags)
    else:
        requested = roles.RequestedRoles(intent.roles, mapped.roles, contact.tags)
        email, email_warnings = _new_email(mapped.email, member, site)
        password, password_warnings = _new_password(mapped.password, contact, member, mark)
        updates = mapping.updates(mapped, member.fields.items(), site.normalize)
        changes = replace(changes, email=email, password=password, fields=updates)
        warnings = _unique(warnings, email_warnings, password_warnings, mapped.warnings)
    if member.network_user:  # becomes a member of this site only now
        choice = roles.for_new(requested, options, site.roles)
    else:
        choice = roles.for_existing(requested, options, site.roles, member)
    changes = replace(changes, role=choice.role, roles_added=choice.added, roles_removed=choice.removed)
    warnings = _unique(warnings, choice.warnings)
    if is_protected(member, site.roles):
        changes, protected_warnings = _protect(changes)
        warnings = _unique(warnings, protected_warnings)
    made = Plan(contact, member, changes=changes, link=link, warnings=warnings, idempotency_key=intent.idempotency_key)
    return _retry_of_creation(made, intent, options, site) if _is_retry(intent, member) else made


def _is_retry(intent: Intent, member: Member) -> bool:
    key = intent.idempotency_key
    return intent.action is Action.ADD and bool(key) and member.idempotency_key == key


def _retry_of_creation(made: Plan, intent: Intent, options: HookOptions, site: SiteSnapshot) -> Plan:
    """An attempt that broke off has created the member; what follows a creation is still to be done."""
    welcome, welcome_warnings = _welcome(intent, options, site)
    return replace(
        made,
        is_retry=True,
        welcome=welcome,
        return_password=intent.password_kept and options.return_password and made.contact.id is not None,
        warnings=_unique(made.warnings, welcome_warnings),
    )


def is_protected(member: Member, site_roles: Sequence[Role]) -> bool:
    """Whether only the site's owner may change the member's e-mail, password and roles: it has privileges.

    Sites check this again when they apply a plan; the connector plugin does so in `memberhook_is_protected()`.
    """
    return member.protected or roles.is_privileged(member, site_roles)


def _protect(changes: Changes) -> tuple[Changes, tuple[str, ...]]:
    """The changes without those that only the site's owner makes to a protected member, and a warning if any.

    The connector has the same rule: `memberhook_is_protected()` in its `protection.php`.
    """
    names = changes.names()
    words = (("e-mail", "user_email"), ("role", "role"), ("password", "user_pass"))
    left_out = ", ".join(word for word, name in words if name in names)
    if not left_out:
        return changes, ()
    warning = f"The member is protected (it has a privileged role or is staff). Left as it is: {left_out}."
    return replace(changes, email=None, role=None, roles_added=(), roles_removed=(), password=None), (warning,)


def _new_email(email: str, member: Member, site: SiteSnapshot) -> tuple[str | None, tuple[str, ...]]:
    """The address to change to, or None. The site's spelling stays when only capitals differ."""
    if not email or email.lower() == member.email.lower():
        return None, ()
    if not mapping.usable_email(email):
        return None, (f"The contact's e-mail {shown(email)} is no usable address; the member keeps the one it has.",)
    if any(holder != member.id for holder in site.emails.get(email.lower(), ())):
        return None, (f"Another member has the e-mail {shown(email)}; this one keeps its own.",)
    return email, ()


def _new_password(password: str, contact: Contact, member: Member, mark: Mark) -> tuple[str | None, tuple[str, ...]]:
    """The password to set, or None. It must have changed in the CRM: a member's own choice is not undone.

    The mark stored with the link shows that; without an id there is no link.
    """
    if not password or mark(password) == member.password_mark:
        return None, ()
    if contact.id is None and member.contact_id is None:
        return None, (
            "The contact came without its id, so whether its password has changed is not known; it is not set.",
        )
    return password, ()


def _tags(
    intent: Intent, contact: Contact, held: Sequence[Tag]
) -> tuple[tuple[Tag, ...], tuple[Tag, ...], tuple[str, ...]]:
    """Tags to apply, tags to remove, and a warning. Tags are identified by their ids."""
    if contact.tags is None:
        return (), (), () if intent.action is Action.UPDATE else (_NO_TAGS,)
    new, old = {tag.id: tag for tag in contact.tags}, {tag.id: tag for tag in held}
    applied = tuple(tag for key, tag in new.items() if key not in old)
    removed = tuple(tag for key, tag in old.items() if key not in new)
    return applied, removed, ()


def _unique(*warnings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for group in warnings for text in group))
