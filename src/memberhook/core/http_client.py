"""The only HTTP client: time-outs, size limits, no redirects, private addresses only where the owner allows them.

Its one decision: a host's name is resolved here, every address is judged, and the connection goes to that very address
(TLS still checks the name). So no name can pass the check and lead elsewhere a moment later.
Messages name the site, never the path, the query or a header: those may hold secrets and e-mails.
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

import urllib3
from urllib3 import exceptions as http_errors

from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.url_check import Target, is_public, redirect_message, resolve_host, target_of

Resolve = Callable[[str, int], Sequence[str]]
"""Host and port → its addresses, best first. Raises OSError when there are none."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REPEATABLE = frozenset({"GET", "HEAD", "PUT"})
_MAX_ADDRESSES = 4
_MAX_POOLS = 32
_DNS_SECONDS = 30.0
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer. `headers` takes names in any case; `content_type` is the bare media type in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    content_type: str = ""


class HttpClient:
    """Keeps connections alive; may be used from many threads.

    `request` raises `RetryLater` with the codes `unreachable` (no such host, refused, hung up), `timeout`,
    `certificate`, `redirected` and `too_large`, and `GiveUp` with `private_address` and `bad_address`.
    Times are in seconds; `total_timeout` bounds the reading of one answer; `max_bytes` counts the unpacked body.
    """

    def __init__(
        self,
        allow_private: bool = False,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 15.0,
        total_timeout: float = 60.0,
        max_bytes: int = 16 * 1024 * 1024,
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
        """One request, one whole answer of any status but a redirect. `json`, if not None, is sent as the body."""
        target = target_of(url, params)
        sent = {"Host": target.authority, "User-Agent": self._user_agent, "Accept-Encoding": "gzip", **(headers or {})}
        if json is not None:
            body = jsonlib.dumps(json).encode("ascii")
            sent["Content-Type"] = "application/json"
        with _in_words(target):
            response = self._exchange(method, target, sent, body)
        location = response.headers.get("Location")
        if response.status in _REDIRECTS and location is not None:
            raise TransientError(redirect_message(target, location), code="redirected")
        return response

    def close(self) -> None:
        """Closes what is kept alive. The client can be used again."""
        with self._lock:
            pools, self._pools = self._pools, OrderedDict()
        for pool in pools.values():
            pool.close()

    def _exchange(self, method: str, target: Target, headers: dict[str, str], body: bytes | None) -> Response:
        try:
            return self._once(method, target, headers, body)
        except http_errors.ProtocolError:
            # A server may drop a kept connection just as we use it; what can be repeated safely gets a second try.
            if method not in _REPEATABLE:
                raise
            return self._once(method, target, headers, body)

    def _once(self, method: str, target: Target, headers: dict[str, str], body: bytes | None) -> Response:
        """Tries the host's addresses in turn until one takes the connection."""
        until = self._clock() + self._total_timeout
        addresses = self._checked(target)
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
                self._remember(target, [])
                raise
            if number > 1:
                self._remember(target, [address, *(a for a in addresses if a != address)])
            return self._read(target, raw, until)
        raise AssertionError("a host without addresses was refused before")

    def _read(self, target: Target, raw: urllib3.BaseHTTPResponse, until: float) -> Response:
        body = bytearray()
        try:
            while chunk := raw.read1(_CHUNK):
                body += chunk
                if len(body) > self._max_bytes:
                    message = f"The answer of {target.site} is larger than {self._max_bytes:,} bytes."
                    raise TransientError(message, code="too_large")
                if self._clock() > until:
                    message = f"{target.site} took longer than {self._total_timeout:g} seconds for one answer."
                    raise TransientError(message, code="timeout")
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

    def _checked(self, target: Target) -> list[str]:
        """The host's addresses that may be called; never none."""
        with self._lock:
            until, known = self._addresses.get((target.host, target.port), (0.0, []))
        if known and self._clock() < until:
            return known
        try:
            found = list(dict.fromkeys(self._resolve(target.host, target.port)))
        except (OSError, UnicodeError) as error:
            message = f"No server is known under the name {target.host}. Is the address written right?"
            raise TransientError(message, code="unreachable") from error
        allowed = [address for address in found if self._allow_private or is_public(address)][:_MAX_ADDRESSES]
        if not allowed:
            raise PermanentError(
                f"{target.host} leads to a private address ({', '.join(found[:3])}), which is called only where the "
                "connection allows it (--allow-private).",
                code="private_address",
            )
        self._remember(target, allowed)
        return allowed

    def _remember(self, target: Target, addresses: list[str]) -> None:
        with self._lock:
            if len(self._addresses) >= 1000:
                self._addresses.clear()
            self._addresses[target.host, target.port] = (self._clock() + _DNS_SECONDS, addresses)


def read_json(response: Response, site: str) -> object:
    """The answer's JSON (UTF-8, a BOM is passed over). Raises `RetryLater` with the code `bad_answer`."""
    try:
        return jsonlib.loads(response.body.decode("utf-8-sig"), parse_constant=_no_such_number)
    except (ValueError, RecursionError) as error:
        raise TransientError(f"The answer of {site} is not readable JSON.", code="bad_answer") from error


def _no_such_number(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _new_pool(target: Target, address: str) -> urllib3.HTTPConnectionPool:
    if target.scheme == "http":
        return urllib3.HTTPConnectionPool(address, target.port, maxsize=16)
    # The connection goes to the checked address; the certificate must be that of the name.
    return urllib3.HTTPSConnectionPool(
        address, target.port, maxsize=16, cert_reqs="CERT_REQUIRED", server_hostname=target.host
    )


@contextmanager
def _in_words(target: Target) -> Iterator[None]:
    """Turns what goes wrong on the wire into our errors."""
    try:
        yield
    except http_errors.NewConnectionError as error:  # of the family of ConnectTimeoutError, so first
        message = f"{target.site} takes no connections. Is the site up, and is the address right?"
        raise TransientError(message, code="unreachable") from error
    except (http_errors.ReadTimeoutError, http_errors.ConnectTimeoutError) as error:
        raise TransientError(f"{target.site} did not answer in time.", code="timeout") from error
    except http_errors.SSLError as error:
        raise TransientError(_certificate(target, error), code="certificate") from error
    except http_errors.ProtocolError as error:
        message = f"{target.site} ended the connection before its answer was complete."
        raise TransientError(message, code="unreachable") from error
    except http_errors.HTTPError as error:
        message = f"The answer of {target.site} could not be read ({type(error).__name__})."
        raise TransientError(message, code="unreachable") from error
    except ValueError as error:
        raise PermanentError(
            f"{target.site} cannot be called: the request is malformed.", code="bad_address"
        ) from error


def _certificate(target: Target, error: http_errors.SSLError) -> str:
    cause = error.args[0] if error.args else None
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return f"No secure connection to {target.site} could be made. Does the site speak https at this address?"
    return (
        f"The certificate of {target.site} is not valid ({cause.verify_message.rstrip('.')}). "
        "Have the site's host renew or complete it."
    )
