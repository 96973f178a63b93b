"""Making and describing hooks: what the command line and the console share."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from memberhook import addresses
from memberhook.core.errors import UsageError
from memberhook.core.roles import resolve
from memberhook.core.types import Action, FieldMapping, FieldType, Role
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.tags import Tag
from memberhook.services.catalog import known_fields
from memberhook.services.sites import missing_role_hint

DEFAULT_MAP = {"first_name": "first_name", "last_name": "last_name", "user_email": "email"}


def parse_mapping(text: str, connection: Connection) -> FieldMapping:
    """`SITE_FIELD=CRM_FIELD[:TYPE][:clear]` → mapping; without a type it is that of the CRM's field.

    Raises `UsageError` for a wrong form, an unknown type, and a field that the CRM does not have.
    """
    match = re.fullmatch(r"\s*([\w.-]+)\s*=\s*([^=:]+?)\s*((?::[\w-]+)*)\s*", text)
    if not match:
        raise UsageError(
            f"{text!r} is no mapping; write SITE_FIELD=CRM_FIELD, like phone=phone or renewal=renewal:date:clear.",
            code="bad_mapping",
        )
    site_field, crm_field, extras = match[1], match[2], [e for e in match[3].split(":") if e]
    clears = "clear" in extras
    types = [extra for extra in extras if extra != "clear"]
    if len(types) > 1 or any(kind not in list(FieldType) for kind in types):
        raise UsageError(f"{text!r} has an unknown type; known are {', '.join(FieldType)}.", code="bad_mapping")
    known = known_fields(connection)
    check_field(crm_field, connection)
    kind = FieldType(types[0]) if types else known[crm_field].type if crm_field in known else FieldType.AUTO
    return FieldMapping(site_field, crm_field, kind, clears)


def check_field(name: str, connection: Connection) -> None:
    """Raises `UsageError` when the connection is known not to have that field."""
    known = known_fields(connection)
    if known and name not in known:
        close = ", ".join(sorted(known))
        raise UsageError(
            f"{connection.name} has no field {name!r}. It has: {close}. (Made it just now? Connect again to reload.)",
            code="unknown_field",
        )


def field_map(mappings: Iterable[FieldMapping], connection: Connection) -> list[dict[str, object]]:
    """The stored form of the default map with these over it."""
    default = [parse_mapping(f"{site}={crm_field}", connection) for site, crm_field in DEFAULT_MAP.items()]
    chosen = {m.site_field: m for m in [*default, *mappings]}
    return [
        {"site": m.site_field, "crm": m.crm_field, "type": m.type.value, "clears": m.clears} for m in chosen.values()
    ]


def check_roles(default: str, allowed: Sequence[str], roles: Sequence[Role], site: Site) -> tuple[str, list[str]]:
    """The slugs of these roles (given by slug or title). Raises `UsageError` for those that the site does not have, and
    for privileged ones."""
    by_name = {name.lower(): role for role in roles for name in (role.title, role.slug)}
    found = []
    for name in (default, *allowed):
        role = by_name.get(name.strip().lower())
        if role is None:
            known = ", ".join(r.slug for r in roles if not r.privileged)
            raise UsageError(
                f"The site has no role {name!r}; it has {known}. {missing_role_hint(site, name)}.",
                code="unknown_role",
            )
        if role.privileged:
            raise UsageError(
                f"The role {role.slug!r} is privileged (it can manage users, settings, code or others' content), so no "
                "webhook may grant it. If that is really wanted, the console allows it with a typed confirmation.",
                code="privileged_role",
            )
        found.append(role.slug)
    return found[0], sorted(set(found[1:]))


def tag_rule(
    text: str, connection: Connection, granted: Collection[str], roles: Sequence[Role], lost: Collection[str] = ()
) -> dict[str, str]:
    """`TAG=ROLE` → a rule as a hook stores it: by the tag's id, which no renaming changes, and the role's slug.

    `granted`: slugs of the roles that the hook gives; `roles`: those of its site; `lost`: ids of tags that are taken
    though the connection does not know them. Raises `UsageError` for a wrong form, an unknown tag, and a role that the
    hook does not give.
    """
    tag, equals, name = (part.strip() for part in text.rpartition("="))
    if not (tag and equals and name):
        raise UsageError(f"{text!r} is no rule; write TAG=ROLE, like Course=student.", code="bad_rule")
    known = find_tag(tag, connection.tags.all())
    if known is None and tag not in lost:
        raise UsageError(_unknown_tag(tag, connection), code="unknown_tag")
    role = resolve(name, roles)
    slug = role.slug if role else name
    if slug not in granted:
        raise UsageError(
            f"The hook does not give the role {slug!r}. Allow it too: --allow-role {slug}, or tick it in the console."
            if role
            else f"The site has no role {name!r}; the hook gives {', '.join(sorted(granted))}.",
            code="role_not_allowed",
        )
    return {"tag": known.crm_id if known else tag, "role": slug}


def find_tag(name: str, tags: Iterable[Tag]) -> Tag | None:
    """The tag that is meant: by the CRM's id, else by slug, else by title, in any case."""
    wanted = name.strip().casefold()
    named = [(tag, [text.strip().casefold() for text in (tag.crm_id, tag.slug, tag.title)]) for tag in tags]
    found = [(names.index(wanted), tag) for tag, names in named if wanted in names]
    return min(found, key=lambda rank: rank[0])[1] if found else None


def tag_rules(hook: Hook) -> list[str]:
    """The hook's rules as people read and write them, `Course = student`; a tag that is not known, by its id."""
    tags = list(hook.connection.tags.all())
    return [f"{_tag_name(rule['tag'], tags)} = {rule['role']}" for rule in hook.tag_roles]


def _tag_name(crm_id: str, tags: Sequence[Tag]) -> str:
    """The title, or the slug where another tag would be found by the title."""
    tag = next((tag for tag in tags if tag.crm_id == crm_id), None)
    return next((name for name in (tag.title, tag.slug) if find_tag(name, tags) == tag), crm_id) if tag else crm_id


def _unknown_tag(name: str, connection: Connection) -> str:
    titles = {tag.title.casefold(): tag.title for tag in connection.tags.all()}
    close = [titles[match] for match in get_close_matches(name.casefold(), titles, cutoff=0.5)]
    hint = f"Close to that: {', '.join(close)}. " if close else ""
    return f"{connection.name} has no tag {name!r}. {hint}(Made it just now? Connect again to reload.)"


def urls(hook: Hook, key: str | None) -> Mapping[str, str]:
    """The addresses to paste into the CRM, by action; none in a project that does not include memberhook.urls."""
    if not addresses.served("memberhook:hook", name=hook.name):
        return {}
    return {action.value: url(action, key=key, hook=hook) for action in Action}


def events_url(hook: Hook) -> str:
    """Where signed requests go."""
    return addresses.events_address(hook.name)


def url(
    action: str, controls: Mapping[str, str] | None = None, *, key: str | None = None, hook: Hook | None = None
) -> str:
    """The address of one action: with a key the short one, where the project serves it, else the hook's own.

    Without a key it is the hook's own, for a key in a header.
    """
    parameters = {"wpf_action": str(action), **({"access_key": key} if key else {}), **(controls or {})}
    short = key is not None and addresses.served(addresses.ROOT_VIEW)
    return addresses.hook_address(None if short or hook is None else hook.name, parameters)
