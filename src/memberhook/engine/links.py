"""Which contact is which member: read and written for many at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from django.db.models import Q, QuerySet

from memberhook import encryption
from memberhook.core.types import Member, Plan
from memberhook.models.connections import Hook, Link


def of_contacts(hook: Hook, contact_ids: Collection[str]) -> dict[str, Link]:
    """The links of these contacts, by contact id."""
    return {link.contact_id: link for link in _links(hook).filter(contact_id__in=contact_ids)}


def _links(hook: Hook) -> QuerySet[Link]:
    return Link.objects.filter(connection_id=hook.connection_id, site_id=hook.site_id)


def attach_links(hook: Hook, members: Mapping[str, Member]) -> dict[str, Member]:
    """The members with what is stored with their link."""
    links = {link.member_id: link for link in _links(hook).filter(member_id__in=list(members))}
    return {
        pk: replace(
            member,
            contact_id=links[pk].contact_id,
            contact_version=links[pk].contact_version,
            password_mark=links[pk].password_mark,
        )
        if pk in links
        else member
        for pk, member in members.items()
    }


def save(hook: Hook, done: Iterable[tuple[Plan, str]]) -> None:
    """Store the links of plans and the ids of their members, with version and fingerprint of the password."""
    links = [link for plan, member_id in done if (link := _link(hook, plan, member_id))]
    by_member = {link.member_id: link for link in links}  # the last one counts, as if each were saved alone
    fresh = list({link.contact_id: link for link in by_member.values()}.values())
    contacts, members = [link.contact_id for link in fresh], [link.member_id for link in fresh]
    _links(hook).filter(Q(contact_id__in=contacts) | Q(member_id__in=members)).delete()
    Link.objects.bulk_create(fresh)


def _link(hook: Hook, plan: Plan, member_id: str) -> Link | None:
    """The link as it should be; None where it is that already."""
    member, contact = plan.member, plan.contact
    contact_id = contact.id or (member.contact_id if member else None)
    if not contact_id:
        return None
    password = plan.changes.password
    mark = encryption.mark("password", password) if password is not None else (member.password_mark if member else None)
    version = contact.version or (member.contact_version if member else None)
    before = (member.contact_id, member.contact_version, member.password_mark) if member else None
    if before == (contact_id, version, mark):
        return None
    return Link(
        connection_id=hook.connection_id,
        site_id=hook.site_id,
        contact_id=contact_id,
        member_id=member_id,
        contact_version=version,
        password_mark=mark,
    )
