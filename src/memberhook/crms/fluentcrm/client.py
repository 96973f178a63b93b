"""FluentCRM's REST API as a `CrmClient`.

Many contacts are loaded in one call. Every answer is compared with what was requested: FluentCRM ignores filters that
it does not understand and returns other contacts with status 200 (measured on FluentCRM 2.9.84).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from memberhook.core.check_result import CheckResult
from memberhook.core.error_codes import POSSIBLY_ONE_RECORD, ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import HttpClient
from memberhook.core.json_access import BadFieldError, JsonCursor, whole_number
from memberhook.core.types import Contact, Tag
from memberhook.crms.contract import Account, Catalog, ContactPage, ContactRef, CrmError, CrmField, FieldWrite
from memberhook.crms.fluentcrm.account_check import check
from memberhook.crms.fluentcrm.api import FluentCrmApi
from memberhook.crms.fluentcrm.contacts import BUILT_IN, contact_of, custom_fields_of, tags_of
from memberhook.crms.fluentcrm.each_contact import call_each
from memberhook.crms.fluentcrm.field_writes import write_fields
from memberhook.sites.wordpress.rest.rest_client import Params

PAGE_SIZE = 100
_MAX_LIST_LENGTH = 5000
"""Characters of a URL-encoded list of values; web servers accept URLs of about 8,000."""
_WITH_CUSTOM = ("with[]", "subscriber.custom_values")


class FluentCrmClient:
    """See `CrmClient`. Logs in as a WordPress user with an application password. Safe to share between threads."""

    def __init__(self, account: Account, http: HttpClient) -> None:
        self._api = FluentCrmApi(account, http)

    def check(self) -> list[CheckResult]:
        return check(self._api)

    def catalog(self) -> Catalog:
        return Catalog(
            tags=self._segments("tags"), lists=self._segments("lists"), fields=BUILT_IN + self._custom_fields()
        )

    def load(self, refs: Sequence[ContactRef]) -> Mapping[ContactRef, Contact | CrmError]:
        unique = list(dict.fromkeys(refs))
        found: dict[ContactRef, Contact | CrmError] = {}
        found.update(self._load_many("id", {str(n): ref for ref in unique if (n := whole_number(ref.id))}))
        found.update(self._load_many("email", {ref.email.lower(): ref for ref in unique if not ref.id and ref.email}))
        missing = [ref for ref in unique if ref not in found]
        found.update(call_each(missing, self._load_one, any_success=bool(found)))
        return {ref: found[ref] for ref in unique}

    def write_fields(self, writes: Sequence[FieldWrite]) -> Mapping[str, CrmError | None]:
        return write_fields(self._api, writes)

    def contacts(self, tag: Tag | None = None) -> Iterator[ContactPage]:
        """Contacts added meanwhile come last. After deletions, earlier pages are read again: rows have moved up."""
        seen: set[str] = set()
        page, total = 1, 0
        while True:
            answer = self._listing([("tags[]", tag.id)] if tag else [], page)
            with self._api.reading():
                contacts = [contact_of(row) for row in answer.member("data").items()]
                before, total = total, answer.member("total").integer()
            new = [contact for contact in contacts if contact.id and contact.id not in seen]
            seen.update(contact.id for contact in new if contact.id)
            # An unknown filter is ignored, so check that each contact has the tag.
            tagged = tuple(c for c in new if tag is None or tag.id in {t.id for t in c.tags or ()})
            if tagged:
                yield ContactPage(tagged, total)
            if page > 1 and total < before:
                page = max(1, page - 1 - (before - total) // PAGE_SIZE)
            elif not contacts or page * PAGE_SIZE >= total:
                return
            else:
                page += 1

    def _load_many(self, name: str, refs: Mapping[str, ContactRef]) -> dict[ContactRef, Contact]:
        """The contacts that a listing finds by id or by lower-cased e-mail; nothing for a single one."""
        found: dict[ContactRef, Contact] = {}
        if len(refs) < 2:
            return found
        for values in _chunks(list(refs)):
            typed: Sequence[object] = [int(value) for value in values] if name == "id" else values
            condition = {"source": ["subscriber", name], "operator": "in", "value": typed}
            filters = json.dumps([[condition]], ensure_ascii=False, separators=(",", ":"))
            try:
                answer = self._listing([("filter_type", "advanced"), ("advanced_filters", filters)])
                with self._api.reading():
                    rows = answer.member("data").items()
            except TransientError as error:
                if error.code not in POSSIBLY_ONE_RECORD:
                    raise
                break  # each is then loaded alone
            for contact in _readable(rows):
                ref = refs.get((contact.id or "") if name == "id" else contact.email.lower())
                if ref:
                    found[ref] = contact
        return found

    def _load_one(self, ref: ContactRef) -> Contact:
        """By GET, "not found" is 422 (recorded), by e-mail address too."""
        number = whole_number(ref.id)
        if ref.id is not None and not number:
            raise PermanentError("FluentCRM has no such contact: its ids are numbers.", code=ErrorCode.CONTACT_GONE)
        by_email = [] if number else [("get_by_email", ref.email or "")]
        answer = self._api.call(
            "GET", f"/subscribers/{number or 0}", params=[*by_email, _WITH_CUSTOM], one_contact=True
        )
        with self._api.reading():
            contact = contact_of(answer.member("subscriber"))
        if contact.id != str(number) if number else contact.email.lower() != (ref.email or "").lower():
            raise TransientError(f"FluentCRM at {self._api.site} returned another contact.", code=ErrorCode.BAD_ANSWER)
        return contact

    def _listing(self, filters: Params, page: int = 1) -> JsonCursor:
        order = [("sort_by", "id"), ("sort_type", "ASC"), ("per_page", str(PAGE_SIZE)), ("page", str(page))]
        answer = self._api.call("GET", "/subscribers", params=[*filters, ("custom_fields", "true"), *order])
        with self._api.reading():
            return answer.member("subscribers")

    def _segments(self, kind: str) -> tuple[Tag, ...]:
        """All tags, or all lists, by id. Tags are paginated, lists are a plain list (recorded)."""
        found: dict[str, Tag] = {}
        page = 0
        while True:
            page += 1
            order = [("sort_by", "id"), ("sort_order", "ASC"), ("per_page", str(PAGE_SIZE)), ("page", str(page))]
            answer = self._api.call("GET", f"/{kind}", params=[("exclude_counts", "1"), *order])
            with self._api.reading():
                rows = answer.member(kind)
                tags = tags_of(rows if isinstance(rows.value, list) else rows.member("data"))
            new = {tag.id: tag for tag in tags if tag.id not in found}
            found.update(new)
            if not new or len(tags) < PAGE_SIZE:
                return tuple(found.values())

    def _custom_fields(self) -> tuple[CrmField, ...]:
        """Their own route needs the right to change FluentCRM's settings, so a contact's is used as a fallback."""
        try:
            answer = self._api.call("GET", "/custom-fields/contacts")
            with self._api.reading():
                return custom_fields_of(answer.member("fields"))
        except TransientError as error:
            if error.code != ErrorCode.NO_RIGHTS:
                raise
        first = self._api.call("GET", "/subscribers", params=[("per_page", "1")])
        with self._api.reading():
            rows = first.member("subscribers").member("data").items()
            any_id = rows[0].member("id").identifier() if rows else None
        if any_id is None:
            return ()
        answer = self._api.call("GET", f"/subscribers/{any_id}", params=[("with[]", "custom_fields")], one_contact=True)
        with self._api.reading():
            return custom_fields_of(answer.member("custom_fields"))


def _readable(rows: Sequence[JsonCursor]) -> Iterator[Contact]:
    """Leave out rows that cannot be read: their contacts are then loaded alone, which gives each its own error."""
    for row in rows:
        try:
            yield contact_of(row)
        except BadFieldError:
            continue


def _chunks(values: Sequence[str]) -> Iterator[list[str]]:
    """At most a page of values each, and no more than fit into a URL."""
    chunk: list[str] = []
    length = 0
    for value in values:
        size = len(quote(json.dumps(value, ensure_ascii=False))) + 3
        if chunk and (len(chunk) == PAGE_SIZE or length + size > _MAX_LIST_LENGTH):
            yield chunk
            chunk, length = [], 0
        chunk.append(value)
        length += size
    yield chunk
