"""Writes fields back to contacts.

The bulk call finds contacts by e-mail address, creates those it does not find, ignores empty values, and does not say
what it has created. So it is used only for contacts that were loaded a moment ago, and each must come back with its own
id. Everything else is written contact by contact (measured on FluentCRM 2.9.84).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from memberhook.core.error_codes import POSSIBLY_ONE_RECORD, ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.json_access import whole_number
from memberhook.crms.contract import CrmError, FieldWrite
from memberhook.crms.fluentcrm.api import FluentCrmApi
from memberhook.crms.fluentcrm.api_errors import CONTACT_GONE
from memberhook.crms.fluentcrm.contacts import BUILT_IN_NAMES
from memberhook.crms.fluentcrm.each_contact import call_each

BULK_SIZE = 100

# FluentCRM compares old and new with PHP's loose `==` and skips "equal" ones: "0123" over "123" (measured).
_NUMERIC = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")


def write_fields(api: FluentCrmApi, writes: Sequence[FieldWrite]) -> Mapping[str, CrmError | None]:
    """By contact id: None if it is written, else the error. Idempotent."""
    by_id: dict[str, FieldWrite] = {}
    for write in writes:
        earlier = by_id.get(write.contact_id)
        by_id[write.contact_id] = replace(write, fields={**earlier.fields, **write.fields}) if earlier else write
    written = {write.contact_id for write in by_id.values() if not write.fields}
    for chunk in _bulk_chunks(by_id):
        written |= _write_bulk(api, chunk)
    remaining = [contact_id for contact_id in by_id if contact_id not in written]
    answers: dict[str, CrmError | None] = dict.fromkeys(written)
    answers.update(
        call_each(remaining, lambda contact_id: _write_one(api, by_id[contact_id]), any_success=bool(written))
    )
    return answers


def _bulk_chunks(by_id: Mapping[str, FieldWrite]) -> Iterator[list[FieldWrite]]:
    """The writes that are safe in bulk, if there is more than one; each e-mail address once."""
    by_email = {write.email.lower(): write for write in by_id.values() if _is_safe_in_bulk(write)}
    safe = list(by_email.values())
    if len(safe) > 1:
        yield from (safe[start : start + BULK_SIZE] for start in range(0, len(safe), BULK_SIZE))


def _is_safe_in_bulk(write: FieldWrite) -> bool:
    if not write.fresh or not write.email or not write.fields:
        return False
    custom = all(name not in BUILT_IN_NAMES for name in write.fields)
    return custom and not any(value == "" or _NUMERIC.fullmatch(value) for value in write.fields.values())


def _write_bulk(api: FluentCrmApi, chunk: Sequence[FieldWrite]) -> set[str]:
    """The ids of the contacts that the answer confirms as updated."""
    contacts = [{"email": write.email, "custom_values": dict(write.fields)} for write in chunk]
    body = {"contacts": contacts, "force_update": "true"}
    try:
        answer = api.call("POST", "/subscribers/bulk-add-update", json=body)
        with api.reading():
            rows = answer.member("updated").items()
            updated = {(row.member("id").identifier(), row.member("email").text().lower()) for row in rows}
    except TransientError as error:
        if error.code not in POSSIBLY_ONE_RECORD:
            raise
        return set()  # each is then written alone
    return {write.contact_id for write in chunk if (write.contact_id, write.email.lower()) in updated}


def _write_one(api: FluentCrmApi, write: FieldWrite) -> None:
    if not whole_number(write.contact_id):
        raise PermanentError(CONTACT_GONE, code=ErrorCode.CONTACT_GONE)
    built_in = {name: value for name, value in write.fields.items() if name in BUILT_IN_NAMES}
    custom = {name: value for name, value in write.fields.items() if name not in BUILT_IN_NAMES}
    numeric = [name for name, value in custom.items() if _NUMERIC.fullmatch(value)]
    if numeric:  # empty them first, or an "equal" old value would stay
        _put(api, write.contact_id, {"custom_values": dict.fromkeys(numeric, "")})
    _put(api, write.contact_id, {**built_in, **({"custom_values": custom} if custom else {})})


def _put(api: FluentCrmApi, contact_id: str, subscriber: Mapping[str, object]) -> None:
    api.call("PUT", f"/subscribers/{contact_id}", json={"subscriber": subscriber}, one_contact=True)
