"""Reads FluentCRM's webhooks: which contact, and its data. Pure.

Recorded from FluentCRM 2.9.84 with Pro 2.8.45 ("Outgoing Webhook", raw and custom data, JSON, form and GET).

What a contact could have written into a URL is not trusted. GET mode appends the contact's values to the URL without
encoding `+ & = '`, so a name like `Eve&id=5` adds parameters of its own; an encoded body (JSON, form) cannot be changed
that way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from memberhook.core.errors import RequestRejected
from memberhook.core.json_access import whole_number
from memberhook.core.types import Contact
from memberhook.crms import payload as payloads
from memberhook.crms.contract import ContactEvent, ContactRef, WebhookRequest
from memberhook.crms.fluentcrm.contacts import BUILT_IN_NAMES, email_in, fields_of, tags_or_none, version_of
from memberhook.crms.payload import Json, Payload, Source

_ID_NAMES = ("contact_id", "id")
_EMAIL_NAMES = ("email", "user_email")
_TEXT_NAMES = BUILT_IN_NAMES - {"id", "user_id", "hash"}
_SLASHED = re.compile(r"(?:[^\\'\"]|\\[\\'\"])*")
_SLASH = re.compile(r"\\([\\'\"])")
_NEEDS_SLASH = re.compile(r"[\\'\"]")


def read(request: WebhookRequest) -> list[ContactEvent]:
    """FluentCRM sends one event in each request."""
    return [identify(request)]


def identify(request: WebhookRequest) -> ContactEvent:
    """The contact of the webhook, by id or else by e-mail, and its data as far as they can be trusted.

    Raises `RequestRejected` with `bad_contact_id`, `doubled_contact_field`, `no_contact`, or as `payload.read` does.
    """
    control_id = _control_id(request)
    payload = payloads.read(request, plus_is_space_in_query=False)
    contact_id = control_id or _id_in(payload)
    data = _unslashed(payload)
    email = _email_in_query(payload, data) if payload.source is Source.QUERY else _email_in(data)
    if contact_id is None and email is None:
        raise RequestRejected(_no_contact(payload), code="no_contact")
    ref = ContactRef(id=contact_id) if contact_id else ContactRef(email=email)
    problem = _problem(payload, control_id)
    if problem or not data:
        return ContactEvent(ref, payload_problem=problem)
    # Tags decide what a member may see; in a URL, a contact may have written them.
    tags = None if payload.source is Source.QUERY else tags_or_none(data.get("tags"))
    return ContactEvent(ref, Contact(contact_id, email or "", fields_of(data), tags, version_of(data)))


def _control_id(request: WebhookRequest) -> str | None:
    if request.contact_id is None:
        return None
    number = whole_number(request.contact_id)
    if not number:
        raise RequestRejected(
            "The parameter contact_id must be a FluentCRM contact's id: digits only. Use {{contact.id}}.",
            code="bad_contact_id",
        )
    return str(number)


def _id_in(payload: Payload) -> str | None:
    """The id in the data: `contact_id` (custom data), else `id` (raw data)."""
    if payload.source in {Source.QUERY, Source.FORM}:
        _refuse_doubled_ids(payload)
    if _id_follows_text(payload):
        return None
    for name in _ID_NAMES:
        number = whole_number(payload.data.get(name))
        if number:
            return str(number)
    return None


def _refuse_doubled_ids(payload: Payload) -> None:
    """One name with two values; in a URL also the two names with different values."""
    values = {name: {value.strip() for key, value in payload.pairs if key == name} for name in _ID_NAMES}
    together = values["contact_id"] | values["id"]
    doubled = any(len(found) > 1 for found in values.values())
    if doubled or (payload.source is Source.QUERY and len(together) > 1):
        raise RequestRejected(
            "The contact's id is there more than once, with different values, so the contact is unclear. With GET, a "
            "contact's own data can cause this: choose POST in FluentCRM's webhook.",
            code="doubled_contact_field",
        )


def _id_follows_text(payload: Payload) -> bool:
    """In a URL, whatever follows a contact's own text may be part of that text."""
    if payload.source is not Source.QUERY:
        return False
    names = [name.partition("[")[0] for name, _ in payload.pairs]
    first_id = next((index for index, name in enumerate(names) if name in _ID_NAMES), len(names))
    return first_id < len(names) and any(name in _TEXT_NAMES for name in names[:first_id])


def _email_in(data: Mapping[str, Json]) -> str | None:
    """`email`, else `user_email`, else the only value that is an e-mail address."""
    for name in _EMAIL_NAMES:
        email = email_in(data.get(name))
        if email:
            return email
    found = {email for value in data.values() if (email := email_in(value))}
    return found.pop() if len(found) == 1 else None


def _email_in_query(payload: Payload, data: Mapping[str, Json]) -> str | None:
    """In a URL with custom data, an e-mail address counts only if it is the only one."""
    unslash = _can_be_slashed(payload)
    found = {email_in(_SLASH.sub(r"\1", value) if unslash else value) for _, value in payload.pairs} - {None}
    return _email_in(data) if len(found) == 1 or _is_raw(payload) else None


def _is_raw(payload: Payload) -> bool:
    """Raw data start with id and hash, before any text that a contact could have chosen."""
    names = [name.partition("[")[0] for name, _ in payload.pairs]
    before_text = names[: next((index for index, name in enumerate(names) if name in _TEXT_NAMES), len(names))]
    return "hash" in before_text and "id" in before_text[: before_text.index("hash")]


def _problem(payload: Payload, control_id: str | None) -> str | None:
    """Why the data cannot be trusted."""
    if payload.repeated:
        name = min(payload.repeated)
        shown = f" ({name})" if name in BUILT_IN_NAMES | {"custom_field", *_ID_NAMES, *_EMAIL_NAMES} else ""
        return f"The webhook has a field twice{shown}, so its data is not used. Choose POST in FluentCRM's webhook."
    if _id_follows_text(payload):
        return "The contact's id comes after other data in the address, so that data is not used. Put the id first."
    if payload.source is Source.QUERY and _name_is_cut(payload.data):
        return "The contact's name cannot be sent in an address, so the webhook's data is not used. Choose POST there."
    payload_id = next((number for name in _ID_NAMES if (number := whole_number(payload.data.get(name)))), None)
    if control_id and payload_id and str(payload_id) != control_id:
        return "The address names one contact and the webhook's data another, so that data is not used."
    return None


def _name_is_cut(data: Mapping[str, Json]) -> bool:
    """Whether the full name differs from first and last name: a `&` in one of them has cut both."""
    first, last, full = (data.get(name, "") for name in ("first_name", "last_name", "full_name"))
    return bool(full) and f"{first} {last}".split() != str(full).split()


def _unslashed(payload: Payload) -> Mapping[str, Json]:
    """Remove the backslashes that background mode adds before quotes and backslashes."""
    if not _can_be_slashed(payload):
        return payload.data
    return {name: _without_slashes(value) for name, value in payload.data.items()}


def _can_be_slashed(payload: Payload) -> bool:
    """Whether the payload can come from background mode: the id is text, and every quote or backslash has a slash."""
    if isinstance(payload.data.get("id"), int):
        return False
    texts = _texts(payload.data)
    return any(_NEEDS_SLASH.search(text) for text in texts) and all(_SLASHED.fullmatch(text) for text in texts)


def _texts(value: Json | Mapping[str, Json]) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    return [text for item in value for text in _texts(item)] if isinstance(value, list) else []


def _without_slashes(value: Json) -> Json:
    if isinstance(value, str):
        return _SLASH.sub(r"\1", value)
    if isinstance(value, dict):
        return {name: _without_slashes(item) for name, item in value.items()}
    return [_without_slashes(item) for item in value] if isinstance(value, list) else value


def _no_contact(payload: Payload) -> str:
    if payload.source is Source.NOTHING:
        found = "The webhook has no data"
    elif payload.source is Source.QUERY and any(email_in(value) for _, value in payload.pairs):
        found = "The webhook has more than one e-mail address and no id that can be trusted (an id must come first)"
    else:
        found = f"The webhook's data ({payload.source}) names no contact: it has no id, contact_id or e-mail address"
    return (
        f"{found}. In FluentCRM's webhook choose 'Full Subscriber Data (Raw)', sent as JSON, or put contact_id = "
        "{{contact.id}} and email = {{contact.email}} into the custom data."
    )
