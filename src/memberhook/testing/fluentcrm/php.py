"""The simulator's PHP: how FluentCRM's language writes JSON and queries, reads parameters and compares values.

Its one decision: each of PHP's habits that shows on the wire is one small function here, and nowhere else.
Measured with PHP 8.2 and WordPress 6.1.9's own functions; the shapes are those of the recorded webhooks.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus

_NUMERIC = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_NAME = re.compile(r"([^\[]+)((?:\[[^\]]*\])*)")
_ESCAPES = re.compile(r"%[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def json_encode(value: Any) -> str:
    """PHP's `json_encode`: no spaces, `/` with a backslash, everything beyond ASCII as `\\uXXXX`."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def items(value: Any) -> Iterator[tuple[str, Any]]:
    """What PHP's `foreach` would see of a list or an object: keys as text."""
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    return ((str(key), item) for key, item in pairs)


def text(value: Any) -> str:
    """A scalar as PHP's string: `true` is "1", `false` and `null` are ""."""
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)


def http_build_query(data: Mapping[str, Any]) -> str:
    """PHP's `http_build_query`: nulls and empty lists vanish, brackets and `~` are encoded, a space is `+`."""
    return "&".join(f"{_urlencode(name)}={_urlencode(value)}" for name, value in _flat(data))


def _urlencode(value: str) -> str:
    return quote_plus(value, safe="").replace("~", "%7E")


def _flat(data: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in items(data):
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, Mapping | list):
            yield from _flat(value, name)
        elif value is not None:
            yield name, "0" if value is False else text(value)


def add_query_arg(url: str, data: Mapping[str, Any]) -> str:
    """WordPress's `add_query_arg` and what its HTTP client then makes of the address.

    The owner's parameters are encoded anew, the data's values not at all: `+ & = '` go out as they are. An empty
    value leaves its bare name, an empty list an empty place between two `&`. A `#` in a value ends the address: the
    rest is never sent. A name that the address has already is replaced in its place.
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
            parts.append(f"{name}={'0' if value is False else text(value)}")
    return "&".join(parts)


def _encode_invalid(query: str) -> str:
    """Percent-encodes what may not stand in a query; `%41` becomes the `A` that it means, a lone `%` becomes `%25`."""

    def plain(escape: re.Match[str]) -> str:
        character = chr(int(escape[0][1:], 16))
        return character if character in _UNRESERVED else escape[0].upper()

    query = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", _ESCAPES.sub(plain, query))
    return quote(query, safe="!$&'()*+,;=:@/?%~")


def parse_query(query: str) -> dict[str, Any]:
    """PHP's reading of a query or form body: `a[]=1&a[]=2` is a list, `a[b]=1` an object, a repeated name the last.

    A parameter without a name is dropped.
    """
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        path = [match[1], *re.findall(r"\[([^\]]*)\]", match[2])]
        context = found
        for key, following in zip(path, [*path[1:], None], strict=True):
            key = key or str(len(context))
            if following is None:
                context[key] = value
            else:
                inner = context.get(key)
                context[key] = inner if isinstance(inner, dict) else {}
                context = context[key]
    return {name: _lists(value) for name, value in found.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    read = {key: _lists(item) for key, item in value.items()}
    return list(read.values()) if list(read) == [str(number) for number in range(len(read))] else read


def add_slashes(value: str) -> str:
    """A backslash before every quote and backslash, as WordPress adds them to whatever a request brings."""
    return re.sub(r"(['\"\\])", r"\\\1", value).replace("\0", "\\0")


def integer(value: Any) -> int:
    """PHP's cast to a number: the digits at the beginning, else 0."""
    match = re.match(r"\s*[+-]?\d+", text(value), re.ASCII)
    return int(match[0]) if match else 0


def is_true(value: Any) -> bool:
    """`filter_var(…, FILTER_VALIDATE_BOOLEAN)`: 1, true, on and yes, in any case."""
    return text(value).lower() in {"1", "true", "on", "yes"}


def is_empty(value: Any) -> bool:
    """PHP's `empty`: `""`, `"0"`, 0, null, false and an empty list."""
    return not value or value == "0"


def loosely_equal(one: Any, other: Any) -> bool:
    """PHP's `==`: "123" equals "0123", "1e3" equals "1000"; FluentCRM skips writing a value that is equal so."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        if isinstance(one, str | None) and isinstance(other, str | None):
            return (one or "") == (other or "")
        return is_empty(one) == is_empty(other)
    if isinstance(one, str | int | float) and isinstance(other, str | int | float):
        first, second = _number(one), _number(other)
        if first is not None and second is not None and not (math.isinf(first) and math.isinf(second)):
            return first == second
        return str(one) == str(other)
    return bool(one == other)


def _number(value: str | int | float) -> int | float | None:
    if not isinstance(value, str):
        return value
    if not _NUMERIC.fullmatch(value):
        return None
    try:
        return int(value)
    except ValueError:
        return float(value)
