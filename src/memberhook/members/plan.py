"""5 PLAN: contact, wish and member in, plan out. Pure. Decides what an action does; open this first in this folder.

The table and the rules are those of the design's section "What an action does".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from memberhook.members import logins, mapping, roles
from memberhook.members.text import one_line, shown
from memberhook.members.types import (
    Action,
    Changes,
    Contact,
    HookOptions,
    Member,
    Plan,
    SiteFacts,
    Tag,
    Value,
    Wish,
)

Mark = Callable[[str], str]
"""A keyed fingerprint of a password, as `Member.password_mark` holds it."""

_COMING = ""
"""Stands in `SiteFacts.emails` for a member that an earlier plan of the same batch creates."""

_NO_MEMBER = 'No member of the site has this contact\'s link or e-mail; only "add" creates members.'
_NO_EMAIL = (
    "The contact has no usable e-mail address, so no member can be created: correct it in the CRM and send it again."
)
_NO_TAGS = "The contact came without its tags, so the member's tags stay as they are."
_SAME_CONTACT = "The same contact was handled just before, in the same batch; send it again if something is missing."


def plan(
    wish: Wish, options: HookOptions, contact: Contact, member: Member | None, facts: SiteFacts, mark: Mark
) -> Plan:
    """What `wish` would change. `member`: who has the contact's link, else the only one who has its e-mail."""
    if _several_share_email(contact, member, facts):
        text = (
            f"Several members of the site have the e-mail {shown(contact.email)}, none of them linked with the contact"
        )
        return Plan(contact, failed=f"{text}: give each its own address, then send the contact again.")
    if wish.action is not Action.ADD and (member is None or member.elsewhere):
        return Plan(contact, ignored=_NO_MEMBER)
    if member is None:
        return _creation(wish, options, contact, facts)
    if options.trust_payload and _is_stale(contact, member):
        text = f"The webhook is from {contact.version}, but {member.contact_version} has been applied already"
        return Plan(contact, ignored=f"{text}: it came late, and nothing is changed.")
    return _change(wish, options, contact, member, facts, mark)


@dataclass(slots=True)
class _Given:
    """What earlier plans of a batch have given out. `created`: contact ids by e-mail; `members`: by member id."""

    emails: dict[str, tuple[str, ...]]
    logins: set[str]
    created: dict[str, str | None] = field(default_factory=dict)
    members: dict[str, str | None] = field(default_factory=dict)

    def note(self, made: Plan) -> None:
        if made.ignored or made.failed:
            return
        if made.changes.email:
            email = made.changes.email.lower()
            self.emails[email] = (*self.emails.get(email, ()), made.member.id if made.member else _COMING)
        if made.member:
            self.members[made.member.id] = made.contact.id
        elif made.changes.email and made.login:
            self.created[made.changes.email.lower()] = made.contact.id
            self.logins.add(made.login.lower())


def plan_batch(
    items: Sequence[tuple[Wish, Contact, Member | None]], options: HookOptions, facts: SiteFacts, mark: Mark
) -> list[Plan]:
    """A plan for each item, in order. What earlier ones give out (logins, e-mails, members) is taken for later ones."""
    given = _Given(dict(facts.emails), set(facts.logins))
    plans = []
    for wish, contact, member in items:
        made = _repetition(contact, member, options, given)
        if made is None:
            now = replace(facts, emails=given.emails, logins=frozenset(given.logins))
            made = plan(wish, options, contact, member, now, mark)
        given.note(made)
        plans.append(made)
    return plans


def _repetition(contact: Contact, member: Member | None, options: HookOptions, given: _Given) -> Plan | None:
    """The plan of a contact that comes a second time, or that is after a member of another contact of the batch.

    Without an id (a webhook may know only the e-mail), a contact is taken for the one that has the same e-mail.
    """
    if member is None:
        email = mapping.member_email(contact, options).lower()
        if contact.id and contact.id in given.created.values():
            return Plan(contact, ignored=_SAME_CONTACT)
        if email in given.created and None in (contact.id, given.created[email]):
            return Plan(contact, ignored=_SAME_CONTACT)
        return None
    other = given.members.get(member.id)
    if other is None or contact.id in (None, other):
        return None
    return Plan(contact, failed=_told(f"The CRM's contact {other} and this one have the same member"))


def _told(problem: str) -> str:
    return f"{problem}: give one of the two another e-mail address in the CRM, then send it again."


def _several_share_email(contact: Contact, member: Member | None, facts: SiteFacts) -> bool:
    linked = member is not None and contact.id is not None and member.contact_id == contact.id
    return not linked and len(facts.emails.get(contact.email.strip().lower(), ())) > 1


def _is_stale(contact: Contact, member: Member) -> bool:
    """Versions of two different contacts say nothing about each other."""
    if contact.id and member.contact_id and contact.id != member.contact_id:
        return False
    return bool(contact.version and member.contact_version and contact.version < member.contact_version)


def _creation(wish: Wish, options: HookOptions, contact: Contact, facts: SiteFacts) -> Plan:
    mapped = mapping.read(contact, options)
    if not mapping.usable_email(mapped.email):
        return Plan(contact, failed=_NO_EMAIL)
    if holders := facts.emails.get(mapped.email.lower()):
        who = "Another contact that came at the same time" if _COMING in holders else "Another member of the site"
        return Plan(contact, failed=_told(f"{who} has the e-mail {shown(mapped.email)}"))
    login, login_warnings = _login(contact, options, facts)
    choice = roles.for_new(roles.Asked(wish.roles, mapped.roles, contact.tags), options, facts.roles)
    applied, removed, tag_warnings = _tags(wish, contact, ())
    generate = not mapped.password
    welcome = wish.notify or options.welcome
    no_welcome = (facts.no_welcome,) if welcome and facts.no_welcome else ()
    return Plan(
        contact,
        login=login,
        changes=Changes(
            email=mapped.email,
            role=choice.role,
            roles_added=choice.added,
            password=mapped.password or None,
            fields=_named(mapped, login),
            tags_applied=applied,
            tags_removed=removed,
        ),
        link=contact.id is not None,
        generate_password=generate,
        return_password=generate and options.return_password and contact.id is not None,
        welcome=welcome and not no_welcome,
        warnings=_unique(login_warnings, choice.warnings, mapped.warnings, tag_warnings, no_welcome),
    )


def _named(mapped: mapping.Mapped, login: str) -> dict[str, Value]:
    """The fields of a new member, with a display name: the mapped one, else both names, else the login.

    None is made up where the owner wants it empty: the next update would empty it again.
    """
    if mapping.DISPLAY_NAME in mapped.cleared:
        return mapped.values
    names = (str(mapped.values.get(name, "")) for name in (mapping.FIRST_NAME, mapping.LAST_NAME))
    both = one_line(" ".join(filter(None, names)))  # two harmless names may make a tag together
    return {mapping.DISPLAY_NAME: both or login} | mapped.values


def _login(contact: Contact, options: HookOptions, facts: SiteFacts) -> tuple[str, tuple[str, ...]]:
    choices = logins.candidates(contact, options, facts.login_rules)
    first = next(choices)
    login = first if first.lower() not in facts.logins else next(c for c in choices if c.lower() not in facts.logins)
    wished = logins.wished(contact, options)
    if login == wished:
        return login, ()
    problem = "is too long for the site or has characters that it does not take" if first != wished else "is taken"
    return login, (f"The login {shown(wished)} {problem}, so it is {shown(login)}.",)


def _change(wish: Wish, options: HookOptions, contact: Contact, member: Member, facts: SiteFacts, mark: Mark) -> Plan:
    link = contact.id is not None and member.contact_id != contact.id
    applied, removed, tag_warnings = _tags(wish, contact, member.tags)
    changes, warnings = Changes(tags_applied=applied, tags_removed=removed), _unique(tag_warnings)
    if link and member.contact_id:
        text = f"The member was linked with the CRM's contact {member.contact_id} before; now with {contact.id}."
        warnings = (text, *warnings)
    if wish.action is Action.UPDATE_TAGS:
        asked = roles.Asked(tags=contact.tags)
    else:
        mapped = mapping.read(contact, options)
        asked = roles.Asked(wish.roles, mapped.roles, contact.tags)
        email, email_warnings = _new_email(mapped.email, member, facts)
        password, password_warnings = _new_password(mapped.password, contact, member, mark)
        updates = mapping.updates(mapped, member.fields.items(), facts.stored)
        changes = replace(changes, email=email, password=password, fields=updates)
        warnings = _unique(warnings, email_warnings, password_warnings, mapped.warnings)
    choose = roles.for_joining if member.elsewhere else roles.for_existing
    choice = choose(asked, options, facts.roles, member)
    changes = replace(changes, role=choice.role, roles_added=choice.added, roles_removed=choice.removed)
    warnings = _unique(warnings, choice.warnings)
    if member.protected or roles.is_privileged(member, facts.roles):
        changes, held_back = _protect(changes)
        warnings = _unique(warnings, held_back)
    return Plan(contact, member, changes=changes, link=link, warnings=warnings)


def _protect(changes: Changes) -> tuple[Changes, tuple[str, ...]]:
    """Without what nobody but the site's owner changes of a protected member; says so if that is anything.

    The connector has the same rule: `memberhook_is_protected()` in its `protection.php`.
    """
    names = changes.names()
    words = (("e-mail", "user_email"), ("role", "role"), ("password", "user_pass"))
    held_back = ", ".join(word for word, name in words if name in names)
    if not held_back:
        return changes, ()
    warning = f"The member is protected (it has a privileged role or is staff). Left as it is: {held_back}."
    return replace(changes, email=None, role=None, roles_added=(), roles_removed=(), password=None), (warning,)


def _new_email(email: str, member: Member, facts: SiteFacts) -> tuple[str | None, tuple[str, ...]]:
    """The address to change to, or None. The site's spelling stays when only capitals differ."""
    if not email or email.lower() == member.email.lower():
        return None, ()
    if not mapping.usable_email(email):
        return None, (f"The contact's e-mail {shown(email)} is no usable address; the member keeps the one it has.",)
    if any(holder != member.id for holder in facts.emails.get(email.lower(), ())):
        return None, (f"Another member has the e-mail {shown(email)}; this one keeps its own.",)
    return email, ()


def _new_password(password: str, contact: Contact, member: Member, mark: Mark) -> tuple[str | None, tuple[str, ...]]:
    """The password to set, or None. It has to have changed in the CRM: a member's own choice is not undone.

    That is known from the mark kept with the link; without an id there is no link, so nothing can be told.
    """
    if not password or mark(password) == member.password_mark:
        return None, ()
    if contact.id is None and member.contact_id is None:
        return None, ("The contact came without its id, so a change of its password can't be told; it is not set.",)
    return password, ()


def _tags(
    wish: Wish, contact: Contact, held: Sequence[Tag]
) -> tuple[tuple[Tag, ...], tuple[Tag, ...], tuple[str, ...]]:
    """What to apply, what to remove, and a warning. Tags are known by their ids."""
    if contact.tags is None:
        return (), (), () if wish.action is Action.UPDATE else (_NO_TAGS,)
    meant, has = {tag.id: tag for tag in contact.tags}, {tag.id: tag for tag in held}
    applied = tuple(tag for key, tag in meant.items() if key not in has)
    removed = tuple(tag for key, tag in has.items() if key not in meant)
    return applied, removed, ()


def _unique(*warnings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for group in warnings for text in group))
