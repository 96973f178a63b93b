"""Parse URLs and decide which addresses are public: the part of the HTTP client that opens no connection."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlencode, urljoin, urlsplit

from memberhook.core.error_codes import ErrorCode
from memberhook.core.errors import PermanentError

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


@dataclass(frozen=True, slots=True)
class Target:
    """A valid URL in parts. `path` includes the query; `site` is the only part that messages may show."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def site(self) -> str:
        return f"{self.scheme}://{self.authority}"


def target_of(url: str, params: Sequence[tuple[str, str]] = ()) -> Target:
    """Parse a URL and add `params` to its query. Raises `PermanentError` (`bad_address`)."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").rstrip(".")
        host = host if host.isascii() else host.encode("idna").decode("ascii")
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise PermanentError(
            "The address is not a valid URL. Enter it like https://example.com.", code=ErrorCode.BAD_ADDRESS
        ) from error
    if not host or parts.scheme not in _PORTS or any(c <= " " or c == "\x7f" for c in host):
        raise PermanentError(
            "The address must be https:// or http:// followed by a host name.", code=ErrorCode.BAD_ADDRESS
        )
    if parts.username is not None or parts.password is not None:
        raise PermanentError(
            "The address contains a username or password. Enter them separately.", code=ErrorCode.BAD_ADDRESS
        )
    query = "&".join(part for part in (parts.query, urlencode(params, quote_via=quote)) if part)
    path = "/" + quote(parts.path.lstrip("/"), safe="/%:@!$&'()*+,;=~-._")
    return Target(parts.scheme, host, port, path + (f"?{query}" if query else ""))


def resolve_host(host: str, port: int) -> list[str]:
    """The addresses of a host, from the system's resolver. Raises OSError if there are none."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: str) -> bool:
    """Whether the address is reachable from the internet. Of an IPv6 address that embeds an IPv4 one (mapped, 6to4,
    NAT64), the IPv4 address decides."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip.teredo is not None or ip.is_site_local:
            return False
    never = (ip.is_private, ip.is_loopback, ip.is_link_local, ip.is_multicast, ip.is_reserved, ip.is_unspecified)
    return ip.is_global and not any(never)


def redirect_message(target: Target, location: str) -> str:
    """The message about a redirect. It shows only the other site's origin: a path may contain a secret."""
    try:
        to = urlsplit(urljoin(target.site + target.path, location))
        host = to.hostname or ""
    except ValueError:
        return f"{target.site} responds with a redirect that is not a valid URL."
    if _origin(to) == target.site:
        return f"{target.site} redirects to another of its pages. Redirects are not followed."
    same_host = host.removeprefix("www.") == target.host.removeprefix("www.")
    if same_host and to.scheme in {"https", target.scheme}:
        return f"{target.site} redirects to {_origin(to)}. Use {_origin(to)} as the address."
    return f"{target.site} redirects to {_origin(to)}. Redirects are not followed; check the address."


def _origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
