"""Parses the data of any CRM's request into nested values. Pure.

A request that can be read in more than one way is rejected. Repeated parameters are reported, so that each CRM's module
can decide what to trust.
"""

from __future__ import annotations

import enum
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias
from urllib.parse import unquote_to_bytes

from memberhook.core.errors import RequestRejected
from memberhook.crms.contract import WebhookRequest

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

MAX_PARAMETERS = 1000
MAX_DEPTH = 16

_BOM = b"\xef\xbb\xbf"
_COMPRESSED = (b"\x1f\x8b", b"x\x9c", b"x\xda", b"\x28\xb5\x2f\xfd")  # gzip, zlib (two levels), zstd
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_SHOWABLE = re.compile(r"[A-Za-z0-9_.\[\]-]{1,60}")


class Source(enum.StrEnum):
    """Where the data was. The values appear in messages."""

    NOTHING = "nothing"
    JSON = "JSON"
    FORM = "form"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Payload:
    """`pairs`: the parameters of a form or query, in order. `repeated`: top-level names set more than once."""

    source: Source = Source.NOTHING
    data: Mapping[str, Json] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()
    repeated: frozenset[str] = frozenset()


def read(request: WebhookRequest, *, plus_is_space_in_query: bool = True) -> Payload:
    """The data of a request: its body, or its query if the method is GET or the body is empty.

    Raises `RequestRejected` (`unreadable_body`, `wrong_encoding`).
    """
    query_first = request.method == "GET" and request.query != ""
    if request.body.strip() and not query_first:
        return _read_body(request)
    if not request.query:
        return Payload()
    try:
        raw = request.query.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        _wrong_encoding("The address")
    return _parameters(raw, Source.QUERY, plus_is_space=plus_is_space_in_query)


def _read_body(request: WebhookRequest) -> Payload:
    media_type, _, parameters = request.content_type.partition(";")
    media_type = media_type.strip().lower()
    body = request.body.removeprefix(_BOM)
    if media_type.startswith("multipart/"):
        _unreadable("The body is multipart/form-data, which is not supported. Send JSON or a URL-encoded form.")
    if body.startswith(_COMPRESSED):
        _unreadable("The body is compressed. Send it uncompressed.")
    charset = re.search(r"charset\s*=\s*\"?([\w.:-]+)", parameters, re.IGNORECASE)
    if charset and charset[1].lower() not in {"utf-8", "utf8", "us-ascii", "ascii"} and not body.isascii():
        _wrong_encoding(f"The body (its Content-Type says {charset[1][:30]})")
    # Senders often give a wrong type, or none: what starts like an object is treated as one.
    if media_type == "application/json" or media_type.endswith("+json") or body.lstrip().startswith(b"{"):
        return Payload(Source.JSON, _object(body))
    return _parameters(body.strip(), Source.FORM, plus_is_space=True)


def _object(body: bytes) -> dict[str, Json]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        _wrong_encoding(f"The body, at byte {error.start + 1},")
    try:
        value: Json = json.loads(
            text, parse_constant=_no_such_number, parse_float=_float, object_pairs_hook=_unique_names
        )
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        _unreadable(f"The body is not valid JSON: {what} at line {error.lineno}, column {error.colno}.")
    except RecursionError:
        _too_deep()
    except ValueError as error:  # Python parses no number of more than 4,300 digits
        raise RequestRejected("The body contains a number that is too long.", code="unreadable_body") from error
    if value == []:  # PHP's empty array: no data
        return {}
    if not isinstance(value, dict):
        _unreadable("The body is JSON, but not an object.")
    _check_depth(value, MAX_DEPTH)
    return value


def _check_depth(value: Json, left: int) -> None:
    """`value` is an object or a list; `left`: how many levels it may have."""
    if not left:
        _too_deep()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        if isinstance(inner, dict | list):
            _check_depth(inner, left - 1)


def _unique_names(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
        _unreadable(f"The body has {_shown(repeated)} twice in one object.")
    return found


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _no_such_number(name: str) -> NoReturn:
    _unreadable(f"The body contains {name}, which is not valid JSON.")


def _parameters(raw: bytes, source: Source, *, plus_is_space: bool) -> Payload:
    pieces = [piece for piece in raw.split(b"&") if piece]
    where = "body" if source is Source.FORM else "address"
    if len(pieces) > MAX_PARAMETERS:
        _unreadable(f"The {where} has more than {MAX_PARAMETERS:,} parameters.")
    data: dict[str, Json] = {}
    repeated: set[str] = set()
    pairs = []
    for number, piece in enumerate(pieces, 1):
        raw_name, _, raw_value = (piece.replace(b"+", b" ") if plus_is_space else piece).partition(b"=")
        name = _decoded(raw_name, f"The name of parameter {number} of the {where}")
        if not name:
            continue
        value = _decoded(raw_value, f"The value of {_shown(name)} (parameter {number} of the {where})")
        if name.count("[") > MAX_DEPTH:
            _too_deep()
        top, existed = _set(data, name, value)
        if existed:
            repeated.add(top)
        pairs.append((name, value))
    return Payload(
        source, {name: _with_lists(value) for name, value in data.items()}, tuple(pairs), frozenset(repeated)
    )


def _decoded(raw: bytes, where: str) -> str:
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        _wrong_encoding(where)


def _set(data: dict[str, Json], name: str, value: str) -> tuple[str, bool]:
    """Set a value by PHP's bracket notation (`a[b][]=x`). Returns the top-level name and whether a value existed.

    A name whose brackets do not match is taken literally.
    """
    match = _NAME.fullmatch(name)
    if not match:
        existed, data[name] = name in data, value
        return name, existed
    keys = [match[1], *match[2][1:-1].split("][")] if match[2] else [match[1]]
    node, existed = data, False
    for key in keys[:-1]:
        inner = node.get(key or _next(node))
        if not isinstance(inner, dict):
            existed = existed or inner is not None
            inner = {}
            node[key or _next(node)] = inner
        node = inner
    last = keys[-1] or _next(node)
    existed, node[last] = existed or last in node, value
    return match[1], existed


def _next(node: Mapping[str, Json]) -> str:
    """The index that `[]` stands for: one more than the highest so far."""
    return str(max((int(key) for key in node if _is_index(key)), default=-1) + 1)


def _with_lists(value: Json) -> Json:
    """Turn objects whose names are all indexes into lists, as PHP encodes them."""
    if not isinstance(value, dict):
        return value
    inner = {key: _with_lists(item) for key, item in value.items()}
    return list(inner.values()) if all(_is_index(key) for key in inner) else inner


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) <= 9


def _shown(name: str) -> str:
    """A parameter's name for a message, unless it could be personal data."""
    return name if _SHOWABLE.fullmatch(name) else "a parameter"


def _unreadable(message: str) -> NoReturn:
    raise RequestRejected(message, code="unreadable_body")


def _too_deep() -> NoReturn:
    _unreadable(f"The data is nested more than {MAX_DEPTH} levels deep.")


def _wrong_encoding(where: str) -> NoReturn:
    raise RequestRejected(f"{where} is not UTF-8. Send all data in UTF-8.", code="wrong_encoding")
