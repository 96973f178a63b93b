"""Members of the local site as data, for listings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models.functions import Lower

from memberhook.connections.models import Link
from memberhook.local.models import MemberField, MemberTag
from memberhook.local.roles import group_roles, roles_of
from memberhook.local.setup import LOCAL

AT_ONCE = 500


def members(emails: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """All members, or those with these e-mails (in any case), in the order of their ids."""
    model = get_user_model()
    users = model._default_manager.order_by("pk")
    if emails:
        wanted = [email.lower() for email in emails]
        users = users.annotate(memberhook_email=Lower(model.get_email_field_name())).filter(memberhook_email__in=wanted)
    rows = users.iterator(chunk_size=AT_ONCE)
    while page := list(islice(rows, AT_ONCE)):
        yield from _described(page)


def _described(users: Sequence[Any]) -> Iterator[dict[str, Any]]:
    ids = [user.pk for user in users]
    roles = roles_of(ids, group_roles())
    fields: dict[Any, dict[str, Any]] = defaultdict(dict)
    for row in MemberField.objects.filter(member__in=ids).order_by("key"):
        fields[row.member_id][row.key] = row.value
    tags: dict[Any, list[str]] = defaultdict(list)
    for member_id, slug in (
        MemberTag.objects.filter(member__in=ids).order_by("tag__slug").values_list("member_id", "tag__slug")
    ):
        tags[member_id].append(slug)
    links = Link.objects.filter(site__kind=LOCAL, member_id__in=[str(pk) for pk in ids]).select_related("connection")
    contacts = {link.member_id: {"connection": link.connection.name, "id": link.contact_id} for link in links}
    for user in users:
        known = dict(fields[user.pk])
        first, last = getattr(user, "first_name", ""), getattr(user, "last_name", "")
        yield {
            "site": LOCAL,
            "id": str(user.pk),
            "login": user.get_username(),
            "email": getattr(user, user.get_email_field_name()),
            "first_name": first,
            "last_name": last,
            "display_name": known.pop("display_name", None) or f"{first} {last}".strip() or user.get_username(),
            "roles": sorted(roles[user.pk]),
            "tags": tags[user.pk],
            "fields": known,
            "contact": contacts.get(str(user.pk)),
        }
