"""Members of the local site as data, for listings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models.functions import Lower

from memberhook.models.members import MemberField, MemberTag
from memberhook.sites.contract import MemberSummary
from memberhook.sites.local.group_roles import group_roles, roles_of

AT_ONCE = 500


def summaries(emails: Collection[str] = ()) -> Iterator[MemberSummary]:
    """All members, or those with these e-mails (in any case), in the order of their ids."""
    model = get_user_model()
    users = model._default_manager.order_by("pk")
    if emails:
        wanted = [email.lower() for email in emails]
        users = users.annotate(memberhook_email=Lower(model.get_email_field_name())).filter(memberhook_email__in=wanted)
    rows = users.iterator(chunk_size=AT_ONCE)
    while page := list(islice(rows, AT_ONCE)):
        yield from _described(page)


def _described(users: Sequence[Any]) -> Iterator[MemberSummary]:
    ids = [user.pk for user in users]
    roles = roles_of(ids, group_roles())
    fields: dict[Any, dict[str, Any]] = defaultdict(dict)
    for row in MemberField.objects.filter(member__in=ids).order_by("key"):
        fields[row.member_id][row.key] = row.value
    tags: dict[Any, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for member_id, connection, slug in (
        MemberTag.objects.filter(member__in=ids)
        .order_by("tag__slug")
        .values_list("member_id", "tag__connection__name", "tag__slug")
    ):
        tags[member_id][connection].append(slug)
    for user in users:
        known = dict(fields[user.pk])
        first, last = getattr(user, "first_name", ""), getattr(user, "last_name", "")
        yield MemberSummary(
            id=str(user.pk),
            username=user.get_username(),
            email=getattr(user, user.get_email_field_name()),
            first_name=first,
            last_name=last,
            display_name=known.pop("display_name", None) or f"{first} {last}".strip() or user.get_username(),
            roles=tuple(sorted(roles[user.pk])),
            tags={connection: tuple(slugs) for connection, slugs in tags[user.pk].items()},
            fields=known,
        )
