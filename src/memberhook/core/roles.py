"""Which roles a member gets: what a hook may grant, and what its tag rules grant and revoke. Pure.

A role is granted when the site has it and it is the hook's default role or on its allow list. A privileged one must be
on that list and be confirmed by the owner; it is never granted as the default.

A role in a tag rule (while the contact has the tag, the member has the role) follows the contact's tags alone: it is
not granted on request without the tag, and a requested role does not replace it. Where the tags are not known, rules
grant and revoke nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from memberhook.core.text import one_line, shown
from memberhook.core.types import HookOptions, Member, Role, Tag


@dataclass(frozen=True, slots=True)
class RequestedRoles:
    """Roles requested by `urls`, oldest first, and by the contact: `mapped` ones, and `tags` (None if not known)."""

    urls: Sequence[str] = ()
    mapped: Sequence[str] = ()
    tags: Sequence[Tag] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Slugs, as in `Changes`. `role`: None for no role (new member) or for leaving the roles (existing one)."""

    role: str | None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rules:
    """What the tag rules say of one contact: slugs of roles that they grant, and of those that they withhold."""

    granted: tuple[str, ...] = ()
    withheld: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


def resolve(text: str, roles: Sequence[Role]) -> Role | None:
    """The role with this slug, else with this title; case and surrounding white space do not count.

    Where several share a title, one without privileges.
    """
    name = _key(text)
    if not name:
        return None
    by_slug = [role for role in roles if _key(role.slug) == name]
    by_title = [role for role in roles if _key(role.title) == name]
    return min(by_slug or by_title, key=lambda role: role.privileged, default=None)


def for_new(requested: RequestedRoles, options: HookOptions, roles: Sequence[Role]) -> Choice:
    """The requested role, else the default, and those that the contact's tags grant.

    A default role that a rule withholds is granted only where there would be none.
    """
    rules = _rules(requested.tags, frozenset(), options, roles)
    granted = _granted(requested, rules.withheld, options, roles)
    refusals = granted.refusals
    first = granted.role.slug if granted.role else None
    if first is None:
        first, problem = _default(options, roles)
        refusals += problem
        if rules.granted and (first is None or first in rules.withheld):
            first = rules.granted[0]
    refusals += [_overruled(slug) for slug in granted.overruled if slug != first]
    consequence = f"the role {shown(first)} is given" if first else "no role is given"
    added = tuple(slug for slug in rules.granted if slug != first)
    return Choice(first, added, warnings=_warnings(refusals, consequence) + rules.warnings)


def for_existing(requested: RequestedRoles, options: HookOptions, roles: Sequence[Role], member: Member) -> Choice:
    """A change only where the member does not have exactly the granted role and those that tags grant.

    Without a granted one, only tags change roles. Where the last role would go, the default is granted.
    """
    held = member.roles
    silent = [
        text for text in (*requested.urls, *requested.mapped) if (role := resolve(text, roles)) and role.slug in held
    ]
    rules = _rules(requested.tags, held, options, roles)
    granted = _granted(requested, rules.withheld, options, roles, silent)
    role, refusals = granted.role, granted.refusals
    target = frozenset(rules.granted) | ({role.slug} if role else held - rules.withheld)
    if held and not target:
        default, problem = _default(options, roles)
        refusals += problem
        target = frozenset({default} if default else ())
    refusals += [_overruled(slug) for slug in granted.overruled if slug not in target]
    gained, lost = target - held, held - target
    if role and (role.slug in gained or lost - rules.withheld):
        choice, consequence = Choice(role.slug, _sorted(target - {role.slug})), f"the role {shown(role.slug)} is given"
    else:
        choice = Choice(None, _sorted(gained), _sorted(lost))
        consequence = "the member's roles follow the tags" if gained or lost else "the member's role stays as it is"
    return Choice(choice.role, choice.added, choice.removed, _warnings(refusals, consequence) + rules.warnings)


def is_privileged(member: Member, roles: Sequence[Role]) -> bool:
    """Whether the member has a privileged role, whatever the site says of it."""
    held = {_key(slug) for slug in member.roles}
    return any(role.privileged and _key(role.slug) in held for role in roles)


def _rules(tags: Sequence[Tag] | None, held: Collection[str], options: HookOptions, roles: Sequence[Role]) -> _Rules:
    """Several rules may name one role: any of their tags grants it. `held`: what stays where tags are not known."""
    if not options.tag_roles:
        return _Rules()
    names = {_key(text) for tag in tags or () for text in (tag.id, tag.slug, tag.title)} - {""}
    tagged = {rule.role for rule in options.tag_roles if _key(rule.tag) in names}
    granted, named, refusals = [], [], []
    for name in dict.fromkeys(rule.role for rule in options.tag_roles):
        role = resolve(name, roles)
        problem = _problem(name, role, options, roles)
        has = role is not None and role.slug in held
        if role and problem is None:
            named.append(role.slug)
            granted += [role.slug] if (has if tags is None else name in tagged) else []
        elif problem and tags is not None and has != (name in tagged):
            refusals.append(problem)
    return _Rules(
        tuple(dict.fromkeys(granted)),
        frozenset(named) - frozenset(granted),
        _warnings(refusals, "the hook's rule for it does nothing"),
    )


@dataclass(frozen=True, slots=True)
class _Granted:
    """`refusals`: why others were refused. `overruled`: slugs that only a tag rule withholds."""

    role: Role | None
    refusals: list[str]
    overruled: list[str]


def _granted(
    requested: RequestedRoles,
    withheld: Collection[str],
    options: HookOptions,
    roles: Sequence[Role],
    silent: Collection[str] = (),
) -> _Granted:
    """The last role that may be granted of the first source that has one.

    `silent`: texts whose refusal changes nothing for the member, so it is not worth a warning.
    """
    found = _Granted(None, [], [])
    for texts in (requested.urls, requested.mapped):
        for text in texts:
            role = resolve(text, roles)
            problem = _problem(text, role, options, roles)
            if problem:
                found.refusals.extend([] if text in silent else [problem])
            elif role and role.slug in withheld:
                found.overruled.append(role.slug)
            else:
                found = replace(found, role=role)
        if found.role:
            break
    return found


def _default(options: HookOptions, roles: Sequence[Role]) -> tuple[str | None, list[str]]:
    """The slug of the hook's default role, or None and why it is not granted."""
    default = next((role for role in roles if role.slug == options.default_role), None)
    if default and not _is_privileged(default, roles):
        return default.slug, []
    problem = "is a privileged one" if default else "does not exist on the site"
    name = shown(options.default_role)
    return None, [f"The hook's default role {name} {problem}, so it is not given. Choose another one for the hook."]


def _problem(text: str, role: Role | None, options: HookOptions, roles: Sequence[Role]) -> str | None:
    """Why the role cannot be granted, and what to do about it; None when it can."""
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


def _warnings(refusals: Iterable[str], consequence: str) -> tuple[str, ...]:
    return tuple(f"{refusal} For now, {consequence}." for refusal in dict.fromkeys(refusals))


def _is_privileged(role: Role, roles: Sequence[Role]) -> bool:
    """Also when only another role with its slug is: plan and site name roles by slug alone."""
    return any(other.privileged for other in roles if _key(other.slug) == _key(role.slug))


def _sorted(slugs: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(slugs))


def _key(text: str) -> str:
    return one_line(text).casefold()
