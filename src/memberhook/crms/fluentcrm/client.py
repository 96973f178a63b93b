"""4 LOAD: FluentCRM's REST API as a `CrmClient`.

Its one decision: many contacts cost one call, and every answer is held against what was asked: a filter that FluentCRM
does not understand is ignored and gives other contacts with status 200 (measured on FluentCRM 2.9.84).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from memberhook.core.check_result import CheckResult
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import HttpClient
from memberhook.core.json_access import BadFieldError, JsonCursor, whole_number
from memberhook.core.types import Contact, Tag
from memberhook.crms.contract import Account, Catalog, ContactPage, ContactRef, CrmError, CrmField, FieldWrite
from memberhook.crms.fluentcrm.api import FluentCrmRest
from memberhook.crms.fluentcrm.batch import PERHAPS_OF_ONE, one_by_one
from memberhook.crms.fluentcrm.check import check
from memberhook.crms.fluentcrm.contacts import BUILT_IN, contact_of, custom_fields_of, tags_of
from memberhook.crms.fluentcrm.writing import write_fields
from memberhook.sites.wordpress.rest_client import Params

PAGE = 100
_LONGEST_LIST = 5000
"""Characters of a list of values in an address, encoded; web servers take about 8,000 in all."""
_WITH_CUSTOM = ("with[]", "subscriber.custom_values")


class FluentCrmClient:
    """See `CrmClient`. A WordPress user with one of its application passwords; one client may serve many threads."""

    def __init__(self, account: Account, http: HttpClient) -> None:
        self._rest = FluentCrmRest(account, http)

    def check(self) -> list[CheckResult]:
        return check(self._rest)

    def catalog(self) -> Catalog:
        return Catalog(tags=self._segments("tags"), lists=self._segments("lists"), fields=BUILT_IN + self._custom())

    def load(self, refs: Sequence[ContactRef]) -> Mapping[ContactRef, Contact | CrmError]:
        wanted = list(dict.fromkeys(refs))
        found: dict[ContactRef, Contact | CrmError] = {}
        found.update(self._many("id", {str(n): ref for ref in wanted if (n := whole_number(ref.id))}))
        found.update(self._many("email", {ref.email.lower(): ref for ref in wanted if not ref.id and ref.email}))
        missing = [ref for ref in wanted if ref not in found]
        found.update(one_by_one(missing, self._one, worked=bool(found)))
        return {ref: found[ref] for ref in wanted}

    def write_fields(self, writes: Sequence[FieldWrite]) -> Mapping[str, CrmError | None]:
        return write_fields(self._rest, writes)

    def contacts(self, tag: Tag | None = None) -> Iterator[ContactPage]:
        """Contacts that are added meanwhile come last. Where some have vanished, the pages before are read again."""
        seen: set[str] = set()
        page, total = 1, 0
        while True:
            answer = self._listing([("tags[]", tag.id)] if tag else [], page)
            with self._rest.reading():
                contacts = [contact_of(row) for row in answer.member("data").items()]
                before, total = total, answer.member("total").integer()
            new = [contact for contact in contacts if contact.id and contact.id not in seen]
            seen.update(contact.id for contact in new if contact.id)
            # An unknown filter is ignored, so the tag is looked for in each contact.
            having = tuple(c for c in new if tag is None or tag.id in {t.id for t in c.tags or ()})
            if having:
                yield ContactPage(having, total)
            if page > 1 and total < before:
                page = max(1, page - 1 - (before - total) // PAGE)
            elif not contacts or page * PAGE >= total:
                return
            else:
                page += 1

    def _many(self, name: str, asked: Mapping[str, ContactRef]) -> dict[ContactRef, Contact]:
        """Contacts by id or lower-cased e-mail, as far as a listing gives them; none is asked for alone."""
        found: dict[ContactRef, Contact] = {}
        if len(asked) < 2:
            return found
        for values in _chunks(list(asked)):
            numbers_or_texts = [int(value) for value in values] if name == "id" else values
            condition = {"source": ["subscriber", name], "operator": "in", "value": numbers_or_texts}
            filters = json.dumps([[condition]], ensure_ascii=False, separators=(",", ":"))
            try:
                answer = self._listing([("filter_type", "advanced"), ("advanced_filters", filters)])
                with self._rest.reading():
                    rows = answer.member("data").items()
            except TransientError as error:
                if error.code not in PERHAPS_OF_ONE:
                    raise
                break  # one contact may have spoilt it: each is asked for alone
            for contact in _readable(rows):
                ref = asked.get((contact.id or "") if name == "id" else contact.email.lower())
                if ref:
                    found[ref] = contact
        return found

    def _one(self, ref: ContactRef) -> Contact:
        """Not found is 422 by GET (recorded), also by e-mail."""
        number = whole_number(ref.id)
        if ref.id is not None and not number:
            raise PermanentError("FluentCRM has no such contact: its ids are numbers.", code="contact_gone")
        by_email = [] if number else [("get_by_email", ref.email or "")]
        answer = self._rest.call("GET", f"/subscribers/{number or 0}", params=[*by_email, _WITH_CUSTOM], contact=True)
        with self._rest.reading():
            contact = contact_of(answer.member("subscriber"))
        if contact.id != str(number) if number else contact.email.lower() != (ref.email or "").lower():
            raise TransientError(f"FluentCRM at {self._rest.site} answered with another contact.", code="bad_answer")
        return contact

    def _listing(self, filters: Params, page: int = 1) -> JsonCursor:
        order = [("sort_by", "id"), ("sort_type", "ASC"), ("per_page", str(PAGE)), ("page", str(page))]
        answer = self._rest.call("GET", "/subscribers", params=[*filters, ("custom_fields", "true"), *order])
        with self._rest.reading():
            return answer.member("subscribers")

    def _segments(self, kind: str) -> tuple[Tag, ...]:
        """All tags, or all lists, by id. Tags come in a paginator, lists as a bare list (recorded)."""
        found: dict[str, Tag] = {}
        page = 0
        while True:
            page += 1
            order = [("sort_by", "id"), ("sort_order", "ASC"), ("per_page", str(PAGE)), ("page", str(page))]
            answer = self._rest.call("GET", f"/{kind}", params=[("exclude_counts", "1"), *order])
            with self._rest.reading():
                rows = answer.member(kind)
                tags = tags_of(rows if isinstance(rows.value, list) else rows.member("data"))
            new = {tag.id: tag for tag in tags if tag.id not in found}
            found.update(new)
            if not new or len(tags) < PAGE:
                return tuple(found.values())

    def _custom(self) -> tuple[CrmField, ...]:
        """Custom fields. Their own call takes the right to change FluentCRM's settings; a contact's tells them too."""
        try:
            answer = self._rest.call("GET", "/custom-fields/contacts")
            with self._rest.reading():
                return custom_fields_of(answer.member("fields"))
        except TransientError as error:
            if error.code != "no_rights":
                raise
        first = self._rest.call("GET", "/subscribers", params=[("per_page", "1")])
        with self._rest.reading():
            rows = first.member("subscribers").member("data").items()
            anybody = rows[0].member("id").identifier() if rows else None
        if anybody is None:
            return ()
        answer = self._rest.call("GET", f"/subscribers/{anybody}", params=[("with[]", "custom_fields")], contact=True)
        with self._rest.reading():
            return custom_fields_of(answer.member("custom_fields"))


def _readable(rows: Sequence[JsonCursor]) -> Iterator[Contact]:
    """A row that cannot be read is left out: its contact is then asked for alone, and says what is wrong."""
    for row in rows:
        try:
            yield contact_of(row)
        except BadFieldError:
            continue


def _chunks(values: Sequence[str]) -> Iterator[list[str]]:
    """At most a page of values each, and no more than fit into an address."""
    chunk: list[str] = []
    length = 0
    for value in values:
        size = len(quote(json.dumps(value, ensure_ascii=False))) + 3
        if chunk and (len(chunk) == PAGE or length + size > _LONGEST_LIST):
            yield chunk
            chunk, length = [], 0
        chunk.append(value)
        length += size
    yield chunk
