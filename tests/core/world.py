"""What the tests of the plan share: short makers, a site's roles, and a site that is only a Member (`apply_to`)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from memberhook.core import mapping
from memberhook.core.plan import PlanInput, plan
from memberhook.core.types import (
    Action,
    Contact,
    FieldMapping,
    FieldType,
    HookOptions,
    Intent,
    Member,
    Plan,
    Role,
    SiteSnapshot,
    Tag,
    UsernameRules,
    Value,
)

ADD, UPDATE, UPDATE_TAGS = Intent(Action.ADD), Intent(Action.UPDATE), Intent(Action.UPDATE_TAGS)
RULES = UsernameRules(150, r"\w.@+-")
ROLES = (
    Role("subscriber", "Subscriber"),
    Role("customer", "Customer"),
    Role("vip", "VIP members"),
    Role("administrator", "Administrator", privileged=True),
    Role("shop-keeper", "customer", privileged=True),
)
SNAPSHOT = SiteSnapshot(ROLES, RULES)
NAMES = (
    FieldMapping("first_name", "first_name"),
    FieldMapping("last_name", "last_name"),
    FieldMapping("user_email", "email"),
)
OPTIONS = HookOptions(allowed_roles=frozenset({"customer"}), field_map=NAMES)
GENERATED = "a-generated-password-of-enough-bits"
GOLD, NEWS, OLD = Tag("1", "gold", "Gold"), Tag("2", "news", "News"), Tag("3", "old", "Old")


def mark(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def contact(email: str = "ada@example.com", id: str | None = "7", **more: Any) -> Contact:
    """Fields not named: names and e-mail; tags: none."""
    values: dict[str, Value] = {"first_name": "Ada", "last_name": "King", "email": email, **more.pop("fields", {})}
    return Contact(id, email, values, **{"tags": (), **more})


def member(email: str = "ada@example.com", **more: Any) -> Member:
    """Linked with contact 7, up to date with `contact()`."""
    held = {"first_name": "Ada", "last_name": "King", **more.pop("fields", {})}
    defaults = {"id": "1", "username": email, "roles": frozenset({"subscriber"}), "contact_id": "7"}
    return Member(email=email, fields=held, **{**defaults, **more})


def options(*mappings: FieldMapping | tuple[Any, ...], **more: Any) -> HookOptions:
    """The usual options with more mappings."""
    extra = tuple(m if isinstance(m, FieldMapping) else FieldMapping(*m) for m in mappings)
    return replace(OPTIONS, field_map=NAMES + extra, **more)


def made(
    intent: Intent = ADD,
    who: Contact | None = None,
    m: Member | None = None,
    opts: HookOptions = OPTIONS,
    snapshot: SiteSnapshot = SNAPSHOT,
) -> Plan:
    """The plan for contact 7 (or `who`) and the member `m`."""
    return plan(item(intent, who or contact(), m, opts), opts, snapshot, mark)


def item(intent: Intent, who: Contact, m: Member | None, opts: HookOptions) -> PlanInput:
    return PlanInput(intent, who, mapping.read(who, opts), m)


def typed(type: FieldType, *, clears: bool = False, site: str = "thing", crm: str = "thing") -> FieldMapping:
    return FieldMapping(site, crm, type, clears)


def apply_to(plan: Plan, member: Member | None, new_id: str = "99") -> Member | None:
    """The member as it is once the plan is made true: what a site and the links between them have to do."""
    if plan.ignored or plan.failed:
        return member
    changes = plan.changes
    if member is None:
        assert plan.username is not None
        member = Member(new_id, plan.username, changes.email or "")
    password = GENERATED if plan.generate_password else changes.password
    removed = {tag.id for tag in changes.tags_removed}
    linked = plan.contact.id or member.contact_id
    return replace(
        member,
        email=changes.email or member.email,
        roles=(frozenset({changes.role}) if changes.role else member.roles)
        .union(changes.roles_added)
        .difference(changes.roles_removed),
        fields={k: v for k, v in {**member.fields, **changes.fields}.items() if v is not None},
        tags=tuple(tag for tag in member.tags if tag.id not in removed) + changes.tags_applied,
        network_user=False,
        contact_id=linked,
        contact_version=(plan.contact.version or member.contact_version) if linked else None,
        password_mark=(mark(password) if password is not None else member.password_mark) if linked else None,
    )


def snapshot_with(snapshot: SiteSnapshot, member: Member | None) -> SiteSnapshot:
    """The snapshot once the site has this member."""
    if member is None:
        return snapshot
    others = {email: tuple(i for i in ids if i != member.id) for email, ids in snapshot.emails.items()}
    key = member.email.lower()
    emails = {**others, key: (*others.get(key, ()), member.id)}
    return replace(snapshot, emails=emails, taken_usernames=snapshot.taken_usernames | {member.username.lower()})
