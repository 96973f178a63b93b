"""The members of any site as data, each with the contact that it is linked with."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from memberhook.engine.clients import OpenHttp, open_site_row
from memberhook.models.connections import Link, Site
from memberhook.models.hook_rows import MappedField
from memberhook.sites.local.setup import LOCAL

AT_ONCE = 500


def members(
    emails: Collection[str] = (), site: Site | None = None, http: OpenHttp | None = None
) -> Iterator[dict[str, Any]]:
    """All members of the site (`local` by default), or those with these e-mails, in the order of their ids.

    Remote sites need `http`.
    """
    site = site or Site.objects.get(name=LOCAL)
    mapped = set(MappedField.objects.filter(hook__site=site).values_list("site_field", flat=True))
    rows = open_site_row(site, http).members(emails, mapped)
    while page := list(islice(rows, AT_ONCE)):
        links = Link.objects.filter(site=site, member_id__in=[member.id for member in page])
        contacts = {
            link.member_id: {"connection": link.connection.name, "id": link.contact_id}
            for link in links.select_related("connection")
        }
        for member in page:
            yield {
                "site": site.name,
                "id": member.id,
                "login": member.username,
                "email": member.email,
                "first_name": member.first_name,
                "last_name": member.last_name,
                "display_name": member.display_name,
                "roles": list(member.roles),
                "tags": sorted(slug for slugs in member.tags.values() for slug in slugs),
                "fields": dict(member.fields),
                "contact": contacts.get(member.id),
            }
