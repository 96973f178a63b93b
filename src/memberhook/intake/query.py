"""Separate the control parameters of a hook's address from the contact data behind them. Pure.

FluentCRM's GET mode appends contact data to the address without encoding it (recorded from 2.9.84), so a contact named
`Eve&role=administrator` brings a parameter of her own. Only what comes before the first other parameter is the owner's;
a control parameter that comes twice, or behind that point, gets the request rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from memberhook.core.errors import RequestRejected

CONTROL = ("wpf_action", "access_key", "contact_id", "role", "send_notification", "async", "dry_run")

YES = frozenset({"true", "1", "yes", "on"})
NO = frozenset({"", "false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Query:
    """`controls`: the owner's parameters; `data`: the raw rest; `problem`: why the request is rejected."""

    controls: Mapping[str, str]
    data: str
    problem: RequestRejected | None = None


def read(raw: str) -> Query:
    """Split the raw query of a URL, in which bytes that are not UTF-8 are surrogate escapes.

    Never raises: the key is checked before the problem is mentioned.
    """
    controls: dict[str, str] = {}
    problem: RequestRejected | None = None
    parts = raw.split("&")
    data_from = len(parts)
    for position, part in enumerate(parts):
        name, value, bad = _decode(part)
        if name not in CONTROL:
            if part and position < data_from:
                data_from = position
            continue
        if bad:
            problem = problem or RequestRejected(
                f"The parameter {name!r} of the address is not UTF-8 (percent-encoded).", code="wrong_encoding"
            )
        elif name in controls:
            problem = problem or _misplaced(name, "is there twice")
        elif position > data_from:
            problem = problem or _misplaced(name, "comes after contact data has begun")
        else:
            controls[name] = value
    return Query(controls, "&".join(parts[data_from:]), problem)


def _misplaced(name: str, what: str) -> RequestRejected:
    return RequestRejected(
        f"The control parameter {name!r} {what} in the address. Give each once, before everything else, right after "
        f"the '?'; contact data must not bring control parameters of its own.",
        code="doubled_control_parameter",
    )


def _decode(part: str) -> tuple[str, str, bool]:
    name, _, value = part.partition("=")
    try:
        return _text(name), _text(value), False
    except UnicodeDecodeError:
        return unquote_to_bytes(name.encode("utf-8", "surrogateescape")).decode("latin-1"), "", True


def _text(encoded: str) -> str:
    return unquote_to_bytes(encoded.replace("+", " ").encode("utf-8", "surrogateescape")).decode("utf-8")


def flag(query: Query, name: str) -> bool:
    """A yes-or-no parameter. Raises `RequestRejected` for what is neither."""
    text = query.controls.get(name, "").strip().lower()
    if text in YES:
        return True
    if text in NO:
        return False
    raise RequestRejected(f"{name!r} is {text[:40]!r}; write true or false.", code="bad_parameter")
