"""How PHP encodes JSON and queries, parses parameters and compares values, as far as it shows in requests.

Measured with PHP 8.2 and WordPress 6.1.9's own functions.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

_NUMERIC = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_ESCAPES = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def json_encode(value: Any) -> str:
    """PHP's `json_encode`: no spaces, a backslash before `/`, non-ASCII characters as `\\uXXXX`."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def items(value: Any) -> Iterator[tuple[str, Any]]:
    """The pairs that PHP's `foreach` yields for a list or an object, with keys as text."""
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return ((str(key), item) for key, item in pairs)


def text(value: Any) -> str:
    """A scalar cast to string: `true` is "1"; `false` and `null` are ""."""
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)


def http_build_query(data: Mapping[str, Any]) -> str:
    """PHP's `http_build_query`: nulls and empty lists vanish, brackets and `~` are encoded, a space becomes `+`."""
    return "&".join(f"{_urlencode(name)}={_urlencode(value)}" for name, value in _flat(data))


def _urlencode(value: str) -> str:
    return quote_plus(value, safe="").replace("~", "%7E")


def _flat(data: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in items(data):
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, Mapping | list):
            yield from _flat(value, name)
        elif value is not None:
            yield name, text(value)


def add_query_arg(url: str, data: Mapping[str, Any]) -> str:
    """WordPress's `add_query_arg`, and what its HTTP client then makes of the URL.

    The owner's parameters are encoded again, the data's values not at all: `+ & = '` are sent as they are. An empty
    value leaves its bare name, an empty list nothing between two `&`. A `#` in a value ends the URL: the rest is never
    sent. A name that the URL already has is replaced in place.
    """
    address, _, query = url.partition("#")[0].partition("?")
    pairs: dict[str, Any] = {name: _urlencode(value) for name, value in parse_qsl(query, keep_blank_values=True)}
    pairs.update(data)
    joined = re.sub(r"=(&|$)", r"\1", _join(pairs)).rstrip("?")
    if re.fullmatch(r"[a-z]+://[^/]+", address):
        address += "/"
    return f"{address}?{_encode_invalid(joined.partition('#')[0])}"


def _join(data: Any, prefix: str = "") -> str:
    parts = []
    for key, value in items(data):
        name = f"{prefix}%5B{key}%5D" if prefix else key
        if isinstance(value, Mapping | list):
            parts.append(_join(value, name))
        elif value is not None:
            parts.append(f"{name}={text(value)}")
    return "&".join(parts)


def _encode_invalid(query: str) -> str:
    """Percent-encode what a query may not contain; `%41` becomes `A`, a lone `%` becomes `%25`."""

    def decoded(escape: re.Match[str]) -> str:
        character = chr(int(escape[0][1:], 16))
        return character if character in _UNRESERVED else escape[0].upper()

    query = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", _ESCAPES.sub(decoded, query))
    return quote(query, safe="!$&'()*+,;=:@/?%~")


def parse_query(query: str) -> dict[str, Any]:
    """PHP's parsing of a query: `a[]=1&a[]=2` is a list; of a repeated name, the last value counts."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        if name.endswith("[]"):
            found.setdefault(name.removesuffix("[]"), []).append(value)
        else:
            found[name] = value
    return found


def add_slashes(value: str) -> str:
    """A backslash before every quote and backslash, as WordPress adds them to all request data."""
    return re.sub(r"(['\"\\])", r"\\\1", value).replace("\0", "\\0")


def loosely_equal(one: Any, other: Any) -> bool:
    """PHP's `==`: "123" equals "0123", "1e3" equals "1000"."""
    if isinstance(one, str | int) and isinstance(other, str | int):
        first, second = _number(one), _number(other)
        if first is not None and second is not None and not (math.isinf(first) and math.isinf(second)):
            return first == second
        return str(one) == str(other)
    return bool(one == other)


def _number(value: str | int) -> int | float | None:
    if isinstance(value, int):
        return value
    if not _NUMERIC.fullmatch(value):
        return None
    try:
        return int(value)
    except ValueError:
        return float(value)
