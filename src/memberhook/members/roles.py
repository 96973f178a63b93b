"""5 PLAN: which role a member gets. Decides what a hook may grant.

A role is granted when the site has it and it is the hook's default role or on its allow list. A privileged one must be
on that list and confirmed by the owner besides; it is never given as the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from memberhook.members.text import one_line, shown
from memberhook.members.types import HookOptions, Member, Role


@dataclass(frozen=True, slots=True)
class Choice:
    """`role`: the slug to give, None for no role (new) or for leaving it (existing)."""

    role: str | None
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


def for_new(asked: Sequence[str], mapped: Sequence[str], options: HookOptions, roles: Sequence[Role]) -> Choice:
    """`asked`: by URLs, oldest first; `mapped`: the contact's own. Else the default."""
    role, refusals = _granted((asked, mapped), options, roles)
    if role is None:
        default = next((role for role in roles if role.slug == options.default_role), None)
        if default is None or _is_privileged(default, roles):
            problem = "does not exist on the site" if default is None else "is a privileged one"
            refusals.append(
                f"The hook's default role {shown(options.default_role)} {problem}, so no role is given. "
                "Choose another default role for the hook."
            )
            return Choice(None, _told(refusals, "no role is given"))
        role = default
    return Choice(role.slug, _told(refusals, f"the role {shown(role.slug)} is given"))


def for_joining(
    asked: Sequence[str], mapped: Sequence[str], options: HookOptions, roles: Sequence[Role], member: Member
) -> Choice:
    """Somebody of the site's network who becomes a member of the site gets the role of a new member."""
    return for_new(asked, mapped, options, roles)


def for_existing(
    asked: Sequence[str], mapped: Sequence[str], options: HookOptions, roles: Sequence[Role], member: Member
) -> Choice:
    """A change only where a role is granted and the member does not hold exactly that one."""
    held = [text for text in (*asked, *mapped) if (role := resolve(text, roles)) and role.slug in member.roles]
    role, refusals = _granted((asked, mapped), options, roles, silent=held)
    if role is None or member.roles == {role.slug}:
        return Choice(None, _told(refusals, "the member's role stays as it is"))
    return Choice(role.slug, _told(refusals, f"the role {shown(role.slug)} is given"))


def is_privileged(member: Member, roles: Sequence[Role]) -> bool:
    """Whether the member holds a privileged role, whatever else was found out about it."""
    held = {_key(slug) for slug in member.roles}
    return any(role.privileged and _key(role.slug) in held for role in roles)


def _granted(
    sources: Iterable[Sequence[str]], options: HookOptions, roles: Sequence[Role], silent: Sequence[str] = ()
) -> tuple[Role | None, list[str]]:
    """The last role that may be granted of the first source that has one, and why others were refused.

    `silent`: texts whose refusal changes nothing for the member, and so is not worth a warning.
    """
    refusals: list[str] = []
    for texts in sources:
        found = None
        for text in texts:
            role = resolve(text, roles)
            problem = _problem(text, role, options, roles)
            if problem is None:
                found = role
            elif text not in silent:
                refusals.append(problem)
        if found:
            return found, refusals
    return None, refusals


def _problem(text: str, role: Role | None, options: HookOptions, roles: Sequence[Role]) -> str | None:
    """Why the role is not granted, and what to do about it; None when it is."""
    name = shown(text)
    if role is None:
        return f"The site has no role {name}: make one there, or correct the name in the webhook's address or the CRM."
    if _is_privileged(role, roles) and role.slug not in options.allowed_roles & options.confirmed_privileged:
        return f"The role {name} is privileged, so no webhook can give it: give it by hand if it is meant."
    if role.slug != options.default_role and role.slug not in options.allowed_roles:
        return f"The hook may not give the role {name}: add it to the hook's allowed roles if it is meant."
    return None


def _told(refusals: Iterable[str], consequence: str) -> tuple[str, ...]:
    return tuple(f"{refusal} For now, {consequence}." for refusal in dict.fromkeys(refusals))


def _is_privileged(role: Role, roles: Sequence[Role]) -> bool:
    """Also when only a namesake is: plan and site name roles by their slug alone."""
    return any(other.privileged for other in roles if _key(other.slug) == _key(role.slug))


def _key(text: str) -> str:
    return one_line(text).casefold()
