"""The only HTTP client: timeouts, size limits, no redirects, and private addresses only if the owner allows them.

The client resolves the host name, checks every address, and connects to an address that it has checked (TLS still
verifies the name). So a name cannot pass the check and then resolve to a private address (DNS rebinding).
Messages name the site, never path, query or headers: those may contain secrets and e-mail addresses.
"""

from __future__ import annotations

import json as jsonlib
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import urllib3
from urllib3 import exceptions as http_errors

from memberhook.core.error_codes import ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.url_check import Target, is_public, redirect_message, resolve_host, target_of

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port → the host's addresses, best first. Raises OSError if there are none."""

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 15.0
"""Seconds between two pieces of a response."""
TOTAL_TIMEOUT = 60.0
"""Seconds for a whole response."""
MAX_RESPONSE_BYTES = 16 * 1024 * 1024

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT"})
_MAX_ADDRESSES = 4
_MAX_POOLS = 32
_MAX_CACHED_HOSTS = 1000
_DNS_CACHE_SECONDS = 30.0
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Response:
    """`headers` ignores the case of names; `content_type` is the media type in lower case, without parameters."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    content_type: str = ""


class HttpClient:
    """Keeps connections alive; safe to share between threads.

    `request` raises `TransientError` (unknown host, no connection, timeout, certificate, redirect, response too large)
    or `PermanentError` (private or malformed address). `max_bytes` limits the decompressed body.
    """

    def __init__(
        self,
        allow_private: bool = False,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        total_timeout: float = TOTAL_TIMEOUT,
        max_bytes: int = MAX_RESPONSE_BYTES,
        user_agent: str = "Memberhook",
        resolve: Resolve = resolve_host,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allow_private = allow_private
        self._timeout = urllib3.Timeout(connect=connect_timeout, read=read_timeout)
        self._total_timeout = total_timeout
        self._max_bytes = max_bytes
        self._user_agent = user_agent
        self._resolve = resolve
        self._clock = clock
        self._lock = threading.Lock()
        self._pools: OrderedDict[tuple[str, str, int, str], urllib3.HTTPConnectionPool] = OrderedDict()
        self._addresses: dict[tuple[str, int], tuple[float, list[str]]] = {}

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Sequence[tuple[str, str]] = (),
        json: object = None,
        body: bytes | None = None,
    ) -> Response:
        """Return the response, whatever its status; redirects raise. `json`, unless None, is the request's body."""
        target = target_of(url, params)
        sent = {"Host": target.authority, "User-Agent": self._user_agent, "Accept-Encoding": "gzip", **(headers or {})}
        if json is not None:
            body = jsonlib.dumps(json).encode("ascii")
            sent["Content-Type"] = "application/json"
        with _translated_errors(target):
            response = self._exchange(method, target, sent, body)
        location = response.headers.get("Location")
        if response.status in _REDIRECTS and location is not None:
            raise TransientError(redirect_message(target, location), code=ErrorCode.REDIRECTED)
        return response

    def close(self) -> None:
        """Close idle connections. The client can still be used afterwards."""
        with self._lock:
            pools, self._pools = self._pools, OrderedDict()
        for pool in pools.values():
            pool.close()

    def _exchange(self, method: str, target: Target, headers: dict[str, str], body: bytes | None) -> Response:
        try:
            return self._once(method, target, headers, body)
        except http_errors.ProtocolError:
            # A server may close an idle connection just as we use it: retry once if that is safe.
            if method not in _IDEMPOTENT:
                raise
            return self._once(method, target, headers, body)

    def _once(self, method: str, target: Target, headers: dict[str, str], body: bytes | None) -> Response:
        """Try the host's addresses in turn until one accepts the connection."""
        deadline = self._clock() + self._total_timeout
        addresses = self._resolved(target)
        for number, address in enumerate(addresses, 1):
            try:
                raw = self._pool(target, address).urlopen(
                    method,
                    target.path,
                    body=body,
                    headers=headers,
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    timeout=self._timeout,
                )
            except (http_errors.NewConnectionError, http_errors.ConnectTimeoutError):
                if number < len(addresses):
                    continue
                self._cache(target, [])
                raise
            if number > 1:
                self._cache(target, [address, *(a for a in addresses if a != address)])
            return self._read(target, raw, deadline)
        raise AssertionError("a host without addresses was rejected before")

    def _read(self, target: Target, raw: urllib3.BaseHTTPResponse, deadline: float) -> Response:
        body = bytearray()
        try:
            while chunk := raw.read1(_READ_BYTES):
                body += chunk
                if len(body) > self._max_bytes:
                    message = f"The response from {target.site} is larger than {self._max_bytes:,} bytes."
                    raise TransientError(message, code=ErrorCode.TOO_LARGE)
                if self._clock() > deadline:
                    message = f"{target.site} took longer than {self._total_timeout:g} seconds to respond."
                    raise TransientError(message, code=ErrorCode.TIMEOUT)
        except BaseException:
            raw.close()
            raise
        raw.release_conn()
        media_type = raw.headers.get("Content-Type", "").split(";")[0].strip().lower()
        return Response(raw.status, raw.headers, bytes(body), media_type)

    def _pool(self, target: Target, address: str) -> urllib3.HTTPConnectionPool:
        key = (target.scheme, address, target.port, target.host)
        with self._lock:
            pool = self._pools.pop(key, None) or _new_pool(target, address)
            self._pools[key] = pool
            oldest = self._pools.popitem(last=False)[1] if len(self._pools) > _MAX_POOLS else None
        if oldest is not None:
            oldest.close()
        return pool

    def _resolved(self, target: Target) -> list[str]:
        """The host's addresses that may be called; never empty."""
        with self._lock:
            expires, known = self._addresses.get((target.host, target.port), (0.0, []))
        if known and self._clock() < expires:
            return known
        try:
            found = list(dict.fromkeys(self._resolve(target.host, target.port)))
        except (OSError, UnicodeError) as error:
            message = f"The host name {target.host} could not be resolved. Check the address for typing errors."
            raise TransientError(message, code=ErrorCode.UNREACHABLE) from error
        allowed = [address for address in found if self._allow_private or is_public(address)][:_MAX_ADDRESSES]
        if not allowed:
            raise PermanentError(
                f"{target.host} resolves to a private address ({', '.join(found[:3])}). Private addresses are "
                "called only with --allow-private.",
                code=ErrorCode.PRIVATE_ADDRESS,
            )
        self._cache(target, allowed)
        return allowed

    def _cache(self, target: Target, addresses: list[str]) -> None:
        with self._lock:
            if len(self._addresses) >= _MAX_CACHED_HOSTS:
                self._addresses.clear()
            self._addresses[target.host, target.port] = (self._clock() + _DNS_CACHE_SECONDS, addresses)


def read_json(response: Response, site: str) -> object:
    """The JSON of a response (UTF-8, with or without a BOM). Raises `TransientError` (`bad_answer`)."""
    try:
        return jsonlib.loads(response.body.decode("utf-8-sig"), parse_constant=_no_such_number)
    except (ValueError, RecursionError) as error:
        raise TransientError(f"The response from {site} is not valid JSON.", code=ErrorCode.BAD_ANSWER) from error


def _no_such_number(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def retry_after(response: Response) -> float | None:
    """The wait in seconds that `Retry-After` asks for, as a number or as a date relative to the response's `Date`.

    Not capped here: `engine.retry` decides how long it waits at most.
    """
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then, now = parsedate_to_datetime(text), parsedate_to_datetime(response.headers.get("Date", ""))
        return max((then - now).total_seconds(), 0.0)
    except (ValueError, TypeError):  # not a date, or one without a time zone
        return None


def _new_pool(target: Target, address: str) -> urllib3.HTTPConnectionPool:
    if target.scheme == "http":
        return urllib3.HTTPConnectionPool(address, target.port, maxsize=16)
    # Connect to the checked address, but require a certificate for the name.
    return urllib3.HTTPSConnectionPool(
        address, target.port, maxsize=16, cert_reqs="CERT_REQUIRED", server_hostname=target.host
    )


@contextmanager
def _translated_errors(target: Target) -> Iterator[None]:
    """Turn urllib3's errors into ours."""
    try:
        yield
    except http_errors.NewConnectionError as error:  # a subclass of ConnectTimeoutError, so first
        message = f"Could not connect to {target.site}. Check that the site is up and the address is correct."
        raise TransientError(message, code=ErrorCode.UNREACHABLE) from error
    except (http_errors.ReadTimeoutError, http_errors.ConnectTimeoutError) as error:
        raise TransientError(f"{target.site} did not respond in time.", code=ErrorCode.TIMEOUT) from error
    except http_errors.SSLError as error:
        raise TransientError(_certificate_message(target, error), code=ErrorCode.CERTIFICATE) from error
    except http_errors.ProtocolError as error:
        message = f"{target.site} closed the connection before its response was complete."
        raise TransientError(message, code=ErrorCode.UNREACHABLE) from error
    except http_errors.HTTPError as error:
        message = f"The response from {target.site} could not be read ({type(error).__name__})."
        raise TransientError(message, code=ErrorCode.UNREACHABLE) from error
    except ValueError as error:
        raise PermanentError(
            f"The request to {target.site} is malformed, so it was not sent.", code=ErrorCode.BAD_ADDRESS
        ) from error


def _certificate_message(target: Target, error: http_errors.SSLError) -> str:
    cause = error.args[0] if error.args else None
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return f"Could not establish a secure connection to {target.site}. Check that it supports https there."
    return (
        f"The certificate of {target.site} is not valid ({cause.verify_message.rstrip('.')}). "
        "Ask the site's hosting provider to renew or complete it."
    )
