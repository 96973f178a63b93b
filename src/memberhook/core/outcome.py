"""Turn a plan and its result into the outcome: data and one sentence, without secrets. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

from memberhook.core.closed_fields import is_secret
from memberhook.core.states import State
from memberhook.core.types import Applied, ApplyStatus, Contact, FieldMapping, Plan, Value

HIDDEN = "(hidden)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`state` is a final one; `data` is the JSON stored with the delivery: member, changes, warnings, trail."""

    state: State
    message: str
    data: dict[str, Any]


def outcome(plan: Plan, applied: Applied | None, secret_fields: Container[str], *, dry_run: bool = False) -> Outcome:
    """What happened with one contact. `applied` is None where there was nothing to apply (or in a dry run).

    `secret_fields`: names of fields, on either side, whose values are never shown.
    """
    trail = {"contact": contact_data(plan.contact, secret_fields), "plan": plan_lines(plan, secret_fields)}
    warnings = [*plan.warnings, *(applied.warnings if applied else ())]
    data: dict[str, Any] = {"member": None, "changes": [], "warnings": warnings, "trail": trail}
    reason = plan.failed or (applied.message if applied and applied.status is ApplyStatus.REJECTED else None)
    if reason:
        return Outcome(State.FAILED, reason, data)
    if plan.ignored:
        return Outcome(State.IGNORED, plan.ignored, data)
    if applied is None:
        member = plan.member
        known = (
            Applied(member.id, member.username, member.email)
            if member
            else Applied("", plan.username or "", plan.changes.email or "")
        )
        applied = known if plan.changes_nothing else _as_planned(plan, known)
    data["member"] = {
        "id": applied.member_id or None,
        "login": applied.username,
        "email": applied.email,
        "created": applied.created,
    }
    data["changes"] = list(applied.changes)
    state = State.APPLIED if applied.created or applied.changes else State.UNCHANGED
    return Outcome(state, _sentence(plan, applied, dry_run=dry_run), data)


def _as_planned(plan: Plan, known: Applied) -> Applied:
    return Applied(known.member_id, known.username, known.email, created=plan.creates, changes=plan.changes.names())


def _sentence(plan: Plan, applied: Applied, *, dry_run: bool) -> str:
    who = f"{applied.username} <{applied.email}>" if applied.username != applied.email else applied.username
    would = "Would have " if dry_run else ""
    if applied.created:
        first = [plan.changes.role] if plan.changes.role else sorted(plan.member.roles) if plan.member else []
        roles = ", ".join([*first, *plan.changes.roles_added])
        role = f" as {roles}" if roles else " without a role"
        created = f"{would}created" if would else "Created"
        return f"{created} member {who}{role}{_details(plan)}{_following(plan, would)}."
    if applied.changes:
        updated = f"{would}updated" if would else "Updated"
        return f"{updated} member {who}: {', '.join(applied.changes)}{_details(plan, roles=True)}."
    return f"Member {who} is already up to date."


def _following(plan: Plan, would: str) -> str:
    possible = (("a welcome e-mail", plan.welcome), ("the password to the CRM", plan.return_password))
    extras = [name for name, follows in possible if follows]
    verb = "would follow" if would else "follow" if len(extras) > 1 else "follows"
    return f"; {' and '.join(extras)} {verb}" if extras else ""


def _details(plan: Plan, *, roles: bool = False) -> str:
    """Which tags, and with `roles` which roles, are added and removed."""
    changes = plan.changes
    words = {
        "with role": changes.roles_added if roles else (),
        "without role": changes.roles_removed if roles else (),
        "with tag": [tag.title for tag in changes.tags_applied],
        "without tag": [tag.title for tag in changes.tags_removed],
    }
    parts = [f"{word}{'s' if len(names) > 1 else ''} {', '.join(names)}" for word, names in words.items() if names]
    return f" ({'; '.join(parts)})" if parts else ""


def plan_lines(plan: Plan, secret_fields: Container[str]) -> list[str]:
    """The plan for people, a step a line, without the values of secrets."""
    if plan.failed or plan.ignored:
        return []
    changes = plan.changes
    lines = [f"create a member with the username {plan.username}"] if plan.creates else []
    if changes.email is not None:
        lines.append(f"set the e-mail to {changes.email}")
    if changes.role is not None:
        lines.append(f"set the role to {changes.role}")
    lines += [f"add the role {slug}" for slug in changes.roles_added]
    lines += [f"remove the role {slug}" for slug in changes.roles_removed]
    if plan.generate_password:
        lines.append("generate a password" + (" and return it to the CRM" if plan.return_password else ""))
    elif changes.password is not None:
        lines.append("set the password from the CRM")
    lines += [
        f"clear {key}" if value is None else f"set {key} to {_shown(key, value, secret_fields)}"
        for key, value in sorted(changes.fields.items())
    ]
    lines += [f"add the tag {tag.title}" for tag in changes.tags_applied]
    lines += [f"remove the tag {tag.title}" for tag in changes.tags_removed]
    if plan.link:
        lines.append("link the member with the contact")
    if plan.welcome:
        lines.append("send the welcome e-mail")
    return lines


def _shown(name: str, value: Value, secret_fields: Container[str]) -> str:
    if name in secret_fields or is_secret(name):
        return HIDDEN
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def contact_data(contact: Contact, secret_fields: Container[str]) -> dict[str, Any]:
    """The contact as loaded, for the page and the dry run.

    The values of secret fields are hidden, and of all that have a name like that of a secret.
    """
    fields = {
        key: HIDDEN if key in secret_fields or is_secret(key) else list(value) if isinstance(value, tuple) else value
        for key, value in contact.fields.items()
        if value not in (None, "", ()) and key != "id"
    }
    tags = None if contact.tags is None else [tag.title for tag in contact.tags]
    return {"id": contact.id, "email": contact.email, "fields": fields, "tags": tags, "version": contact.version}


def secret_fields(field_map: Iterable[FieldMapping], return_password_field: str) -> set[str]:
    """The fields of a hook, by their names on either side, whose values are secrets.

    In the CRM: what is mapped to the password, what it is returned to, and what has a name like a secret. On the site:
    what is mapped from one of these.
    """
    mappings = tuple(field_map)
    secret = {m.crm_field for m in mappings if m.site_field == "user_pass" or is_secret(m.crm_field, m.site_field)}
    secret |= {return_password_field} - {""}
    return secret | {m.site_field for m in mappings if m.crm_field in secret}
