"""7 FOLLOW UP: fields written back to contacts.

Its one decision: the bulk call is taken only where it is exact. It finds contacts by e-mail and creates those it does
not find, ignores empty values, and does not say what it created; so only contacts loaded a moment ago go there, and
each must come back with its own id. All else goes to the contact's own address (measured on FluentCRM 2.9.84).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.json_access import whole_number
from memberhook.crms.contract import CrmError, FieldWrite
from memberhook.crms.fluentcrm.api import FluentCrmRest
from memberhook.crms.fluentcrm.batch import PERHAPS_OF_ONE, one_by_one
from memberhook.crms.fluentcrm.contacts import BUILT_IN_NAMES

CHUNK = 100

# FluentCRM compares old and new with PHP's loose `==` and skips "equal" ones: "0123" over "123" (measured).
_LIKE_A_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")


def write_fields(rest: FluentCrmRest, writes: Sequence[FieldWrite]) -> Mapping[str, CrmError | None]:
    """By contact id: None where it is written, else why not. Safe to repeat."""
    by_id: dict[str, FieldWrite] = {}
    for write in writes:
        earlier = by_id.get(write.contact_id)
        by_id[write.contact_id] = replace(write, fields={**earlier.fields, **write.fields}) if earlier else write
    done: set[str] = {write.contact_id for write in by_id.values() if not write.fields}
    for chunk in _chunks(by_id):
        done |= _bulk(rest, chunk)
    left = [contact_id for contact_id in by_id if contact_id not in done]
    answers: dict[str, CrmError | None] = dict.fromkeys(done)
    answers.update(one_by_one(left, lambda contact_id: _put(rest, by_id[contact_id]), worked=bool(done)))
    return answers


def _chunks(by_id: Mapping[str, FieldWrite]) -> Iterator[list[FieldWrite]]:
    """What may go in bulk, where there is more than one of it; each e-mail once."""
    by_email = {write.email.lower(): write for write in by_id.values() if _is_exact_in_bulk(write)}
    exact = list(by_email.values())
    if len(exact) > 1:
        yield from (exact[start : start + CHUNK] for start in range(0, len(exact), CHUNK))


def _is_exact_in_bulk(write: FieldWrite) -> bool:
    if not write.fresh or not write.email or not write.fields:
        return False
    own = (name not in BUILT_IN_NAMES for name in write.fields)
    return all(own) and not any(value == "" or _LIKE_A_NUMBER.fullmatch(value) for value in write.fields.values())


def _bulk(rest: FluentCrmRest, chunk: Sequence[FieldWrite]) -> set[str]:
    """The ids of those that the answer names as updated."""
    contacts = [{"email": write.email, "custom_values": dict(write.fields)} for write in chunk]
    body = {"contacts": contacts, "force_update": "true"}
    try:
        answer = rest.call("POST", "/subscribers/bulk-add-update", json=body)
        with rest.reading():
            rows = answer.member("updated").items()
            updated = {(row.member("id").identifier(), row.member("email").text().lower()) for row in rows}
    except TransientError as error:
        if error.code not in PERHAPS_OF_ONE:
            raise
        return set()  # one contact may have spoilt it: each is written alone
    return {write.contact_id for write in chunk if (write.contact_id, write.email.lower()) in updated}


def _put(rest: FluentCrmRest, write: FieldWrite) -> None:
    if not whole_number(write.contact_id):
        raise PermanentError("FluentCRM has no such contact (any more).", code="contact_gone")
    built_in = {name: value for name, value in write.fields.items() if name in BUILT_IN_NAMES}
    custom = {name: value for name, value in write.fields.items() if name not in BUILT_IN_NAMES}
    skipped = [name for name, value in custom.items() if _LIKE_A_NUMBER.fullmatch(value)]
    if skipped:
        _send(rest, write.contact_id, {"custom_values": dict.fromkeys(skipped, "")})
    _send(rest, write.contact_id, {**built_in, **({"custom_values": custom} if custom else {})})


def _send(rest: FluentCrmRest, contact_id: str, subscriber: Mapping[str, object]) -> None:
    rest.call("PUT", f"/subscribers/{contact_id}", json={"subscriber": subscriber}, contact=True)
