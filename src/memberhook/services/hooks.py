"""Add hooks, check their roles, print their rules and addresses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from memberhook import addresses
from memberhook.core.errors import UsageError
from memberhook.core.roles import resolve
from memberhook.core.types import Action, Role
from memberhook.engine.clients import OpenHttp, open_site_row
from memberhook.models.connections import Hook, Site
from memberhook.models.hook_rows import MappedField, TagRule, check_distinct, tag_name
from memberhook.services import keys
from memberhook.services.sites import missing_role_hint
from memberhook.services.validation import usage_error

DEFAULT_MAP = {"first_name": "first_name", "last_name": "last_name", "user_email": "email"}


def add(
    hook: Hook, *, mappings: Iterable[str] = (), tag_rules: Iterable[str] = (), http: OpenHttp, now: datetime
) -> str:
    """Save a new hook with the default field map, `mappings` and `tag_rules`; returns its first access key.

    Roles are given by slug or title. Raises `UsageError` for whatever breaks a rule.
    """
    roles = site_roles(hook.site, http)
    hook.default_role = _slug(hook.default_role, roles)
    hook.allowed_roles = sorted({_slug(name, roles) for name in hook.allowed_roles})
    mapped, rules = [parse_mapping(text) for text in mappings], [parse_tag_rule(text, roles) for text in tag_rules]
    own = {row.site_field for row in mapped}
    default = [MappedField(site_field=s, crm_field=c) for s, c in DEFAULT_MAP.items() if s not in own]
    rows: list[MappedField | TagRule] = [*default, *mapped, *rules]
    try:
        hook.confirmed_privileged = check_roles(hook, roles)
        hook.full_clean()
        for row in rows:
            row.hook = hook
            row.full_clean(exclude=["hook"])
        check_distinct([*default, *mapped])
        check_distinct(rules)
    except ValidationError as error:
        raise usage_error(error) from error
    with transaction.atomic():
        hook.save()
        MappedField.objects.bulk_create([*default, *mapped])
        TagRule.objects.bulk_create(rules)
        return keys.new_key(hook, now)


def site_roles(site: Site, http: OpenHttp) -> tuple[Role, ...]:
    """Raises `MemberhookError` if they are not known: the site was never tested, or its password cannot be read."""
    roles = open_site_row(site, http).roles()
    if not roles:
        raise UsageError(
            f"Test the site {site} first, so that its roles are known: memberhook site check {site}, or “Test” in the "
            "console.",
            code="roles_unknown",
        )
    return roles


def _slug(name: str, roles: Sequence[Role]) -> str:
    role = resolve(name, roles)
    return role.slug if role else name


def check_roles(
    hook: Hook,
    roles: Sequence[Role],
    *,
    before: Hook | None = None,
    typed: Collection[str] = (),
    may_confirm: bool = False,
) -> list[str]:
    """The privileged roles that the hook may give, because they are confirmed: by name now (`typed`), or `before`.

    `roles`: those of the site, or none where they are not known; then the hook's own may stay. Raises
    `ValidationError`.
    """
    known = {role.slug for role in roles}
    risky = {role.slug for role in roles if role.privileged}
    stays = set(before.allowed_roles) if before else set()
    if before and not roles:
        stays.add(before.default_role)
    if hook.default_role not in known and (roles or hook.default_role not in stays):
        raise _unknown_role("default_role", hook.default_role, roles, hook.site)
    for slug in hook.allowed_roles:
        if slug not in known and slug not in stays:
            raise _unknown_role("allowed_roles", slug, roles, hook.site)
    if hook.default_role in risky:
        raise _refusal("default_role", f"The role {hook.default_role!r} is privileged, so it cannot be the default.")
    privileged = risky & set(hook.allowed_roles)
    confirmed = set(before.confirmed_privileged if before else ()) & set(hook.allowed_roles)
    fresh = privileged - confirmed
    if missing := sorted(slug for slug in fresh if slug.lower() not in {word.lower() for word in typed}):
        names = ", ".join(missing)
        raise _refusal(
            "confirm_privileged",
            f"Privileged: {names}. Such a role can manage users, settings, code or others' content, so webhooks may "
            f"give it only once it is confirmed: on the hook's page in the console, under “Confirm privileged roles”, "
            f"type: {names}",
        )
    if fresh and not may_confirm:
        raise _refusal("allowed_roles", "Only those who may change users may let a hook give a privileged role.")
    return sorted(privileged if roles else confirmed)


def _refusal(column: str, message: str) -> ValidationError:
    return ValidationError({column: ValidationError(message, code="privileged_role")})


def _unknown_role(column: str, name: str, roles: Sequence[Role], site: Site) -> ValidationError:
    there = ", ".join(role.slug for role in roles if not role.privileged) or "none that is known"
    message = f"The site has no role {name!r}; it has {there}. {missing_role_hint(site, name)}."
    return ValidationError({column: ValidationError(message, code="unknown_role")})


def parse_mapping(text: str) -> MappedField:
    """`SITE_FIELD=CRM_FIELD[:TYPE][:clear]` → a row that is not validated yet."""
    match = re.fullmatch(r"\s*([^=]+?)\s*=\s*([^=:]+?)\s*((?::[\w-]+)*)\s*", text)
    if not match:
        raise UsageError(
            f"There is no mapping in {text!r}; write SITE_FIELD=CRM_FIELD, like phone=phone or renew=renew:date:clear.",
            code="bad_mapping",
        )
    extras = [extra for extra in match[3].split(":") if extra]
    types = [extra for extra in extras if extra != "clear"]
    return MappedField(site_field=match[1], crm_field=match[2], type=":".join(types), clears="clear" in extras)


def parse_tag_rule(text: str, roles: Sequence[Role]) -> TagRule:
    """`TAG=ROLE`, the role by slug or title → a row that is not validated yet."""
    tag, _, role = (part.strip() for part in text.rpartition("="))
    if not (tag and role):
        raise UsageError(f"{text!r} is not a rule; write TAG=ROLE, like Course=student.", code="bad_rule")
    return TagRule(tag=tag, role=_slug(role, roles))


def rules_in_words(hook: Hook) -> list[str]:
    """The hook's tag rules as `Course = student`; a tag that the connection does not know, by its id."""
    tags = list(hook.connection.tags.all())
    return [f"{tag_name(rule.tag, tags)} = {rule.role}" for rule in hook.tag_rules.all()]


def granted_role(hook: Hook, text: str) -> str:
    """The slug of a role that the hook may give. Raises `UsageError` for others."""
    try:
        return hook.granted_role("role", text)
    except ValidationError as error:
        raise usage_error(error) from error


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
