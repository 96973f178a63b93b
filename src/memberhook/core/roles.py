"""5 PLAN: which roles a member gets. Decides what a hook may grant, and what its rules for tags give and take away.

A role is granted when the site has it and it is the hook's default role or on its allow list. A privileged one must be
on that list and confirmed by the owner besides; it is never given as the default.

A role that a rule names (while the contact has the tag, the member has the role) follows the contact's tags alone: who
asks for it without the tag does not get it, and it stays beside one that is asked for. Where the tags are not known,
rules give nothing and take nothing away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from memberhook.core.text import one_line, shown
from memberhook.core.types import HookOptions, Member, Role, Tag


@dataclass(frozen=True, slots=True)
class RequestedRoles:
    """What speaks for a role: `urls`, oldest first; `mapped`, the contact's own; its `tags`, None where not known."""

    urls: Sequence[str] = ()
    mapped: Sequence[str] = ()
    tags: Sequence[Tag] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Slugs, as `Changes` has them. `role`: None for no role (new) or for leaving those there are (existing)."""

    role: str | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the hook's rules say of one contact: slugs of roles that they give and of those that they withhold."""

    given: tuple[str, ...] = ()
    withheld: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


def resolve(text: str, roles: Sequence[Role]) -> Role | None:
    """The role that is meant: by slug, else by title; case and white space around do not count.

    Where several share a title, one without privileges is meant.
    """
    name = _key(text)
    if not name:
        return None
    by_slug = [role for role in roles if _key(role.slug) == name]
    by_title = [role for role in roles if _key(role.title) == name]
    return min(by_slug or by_title, key=lambda role: role.privileged, default=None)


def for_new(requested: RequestedRoles, options: HookOptions, roles: Sequence[Role]) -> Choice:
    """The role that is asked for, else the default, and those that the contact's tags give.

    A default role that a rule withholds is given only to who would have none.
    """
    rules = _rules(requested.tags, frozenset(), options, roles)
    role, refusals, overruled = _granted(requested, rules.withheld, options, roles)
    first = role.slug if role else None
    if first is None:
        first, problem = _default(options, roles)
        refusals += problem
        if rules.given and (first is None or first in rules.withheld):
            first = rules.given[0]
    refusals += [_overruled(slug) for slug in overruled if slug != first]
    consequence = f"the role {shown(first)} is given" if first else "no role is given"
    added = tuple(slug for slug in rules.given if slug != first)
    return Choice(first, added, warnings=_told(refusals, consequence) + rules.warnings)


def for_joining(requested: RequestedRoles, options: HookOptions, roles: Sequence[Role], member: Member) -> Choice:
    """Somebody of the site's network who becomes a member of the site gets the roles of a new member."""
    return for_new(requested, options, roles)


def for_existing(requested: RequestedRoles, options: HookOptions, roles: Sequence[Role], member: Member) -> Choice:
    """A change only where the member does not hold exactly the role that is granted, beside those that tags give.

    Without a granted one, tags alone give and take away. Who would lose the last role gets the default.
    """
    held = member.roles
    silent = [
        text for text in (*requested.urls, *requested.mapped) if (role := resolve(text, roles)) and role.slug in held
    ]
    rules = _rules(requested.tags, held, options, roles)
    role, refusals, overruled = _granted(requested, rules.withheld, options, roles, silent)
    meant = frozenset(rules.given) | ({role.slug} if role else held - rules.withheld)
    if held and not meant:
        default, problem = _default(options, roles)
        refusals += problem
        meant = frozenset({default} if default else ())
    refusals += [_overruled(slug) for slug in overruled if slug not in meant]
    gained, lost = meant - held, held - meant
    if role and (role.slug in gained or lost - rules.withheld):
        choice, consequence = Choice(role.slug, _sorted(meant - {role.slug})), f"the role {shown(role.slug)} is given"
    else:
        choice = Choice(None, _sorted(gained), _sorted(lost))
        consequence = "the member's roles follow the tags" if gained or lost else "the member's role stays as it is"
    return Choice(choice.role, choice.added, choice.removed, _told(refusals, consequence) + rules.warnings)


def is_privileged(member: Member, roles: Sequence[Role]) -> bool:
    """Whether the member holds a privileged role, whatever else was found out about it."""
    held = {_key(slug) for slug in member.roles}
    return any(role.privileged and _key(role.slug) in held for role in roles)


def _rules(tags: Sequence[Tag] | None, held: Collection[str], options: HookOptions, roles: Sequence[Role]) -> _Rules:
    """Several rules may name one role: any of their tags gives it. `held`: what stays where the tags are not known."""
    if not options.tag_roles:
        return _Rules()
    names = {_key(text) for tag in tags or () for text in (tag.id, tag.slug, tag.title)} - {""}
    there = {rule.role for rule in options.tag_roles if _key(rule.tag) in names}
    given, named, refusals = [], [], []
    for name in dict.fromkeys(rule.role for rule in options.tag_roles):
        role = resolve(name, roles)
        problem = _problem(name, role, options, roles)
        has = role is not None and role.slug in held
        if role and problem is None:
            named.append(role.slug)
            given += [role.slug] if (has if tags is None else name in there) else []
        elif problem and tags is not None and has != (name in there):
            refusals.append(problem)
    return _Rules(
        tuple(dict.fromkeys(given)),
        frozenset(named) - frozenset(given),
        _told(refusals, "the hook's rule for it does nothing"),
    )


def _granted(
    requested: RequestedRoles,
    withheld: Collection[str],
    options: HookOptions,
    roles: Sequence[Role],
    silent: Collection[str] = (),
) -> tuple[Role | None, list[str], list[str]]:
    """The last role that may be granted of the first source that has one; why others were refused; and the slugs of
    those that would have been granted, were they not withheld by a rule.

    `silent`: texts whose refusal changes nothing for the member, and so is not worth a warning.
    """
    refusals: list[str] = []
    overruled: list[str] = []
    for texts in (requested.urls, requested.mapped):
        found = None
        for text in texts:
            role = resolve(text, roles)
            problem = _problem(text, role, options, roles)
            if problem:
                refusals += [] if text in silent else [problem]
            elif role and role.slug in withheld:
                overruled.append(role.slug)
            else:
                found = role
        if found:
            return found, refusals, overruled
    return None, refusals, overruled


def _default(options: HookOptions, roles: Sequence[Role]) -> tuple[str | None, list[str]]:
    """The slug of the hook's default role, or None and why it is not given."""
    default = next((role for role in roles if role.slug == options.default_role), None)
    if default and not _is_privileged(default, roles):
        return default.slug, []
    problem = "is a privileged one" if default else "does not exist on the site"
    name = shown(options.default_role)
    return None, [f"The hook's default role {name} {problem}, so it is not given. Choose another one for the hook."]


def _problem(text: str, role: Role | None, options: HookOptions, roles: Sequence[Role]) -> str | None:
    """Why the role is not granted, and what to do about it; None when it is."""
    name = shown(text)
    if role is None:
        where = "the webhook's address, the CRM or the hook's rules for tags"
        return f"The site has no role {name}: make one there, or correct the name in {where}."
    if _is_privileged(role, roles) and role.slug not in options.allowed_roles & options.confirmed_privileged:
        return f"The role {name} is privileged, so no webhook can give it: give it by hand if it is meant."
    if role.slug != options.default_role and role.slug not in options.allowed_roles:
        return f"The hook may not give the role {name}: add it to the hook's allowed roles if it is meant."
    return None


def _overruled(slug: str) -> str:
    return (
        f"A rule of the hook gives the role {shown(slug)} by tag alone, and the contact came without such a tag: give "
        "it the tag in the CRM, or take the rule out of the hook."
    )


def _told(refusals: Iterable[str], consequence: str) -> tuple[str, ...]:
    return tuple(f"{refusal} For now, {consequence}." for refusal in dict.fromkeys(refusals))


def _is_privileged(role: Role, roles: Sequence[Role]) -> bool:
    """Also when only a namesake is: plan and site name roles by their slug alone."""
    return any(other.privileged for other in roles if _key(other.slug) == _key(role.slug))


def _sorted(slugs: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(slugs))


def _key(text: str) -> str:
    return one_line(text).casefold()
