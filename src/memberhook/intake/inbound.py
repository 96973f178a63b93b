"""A request as it came in, read the same way for ASGI and for Django's views. Nothing in it is believed yet."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from memberhook import conf
from memberhook.core.errors import RequestRejected
from memberhook.intake import query, signatures
from memberhook.intake.query import Query
from memberhook.intake.signatures import Signature


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """`hook_name`: from the path, None for the root path. `key`: from a header.

    `signature`: of a request to an address for signed events; it needs no other key, and its query means nothing.
    """

    method: str
    query: Query
    hook_name: str | None
    key: str | None = field(default=None, repr=False)
    content_type: str = ""
    user_agent: str = ""
    body: bytes = field(default=b"", repr=False)
    remote: str = ""
    signature: Signature | None = None

    @property
    def sent_key(self) -> str:
        """The key in the address counts first: headers may be meant for a gateway in between."""
        return self.query.controls.get("access_key") or self.key or ""


def check_head(method: str, headers: Mapping[str, str], *, signed: bool = False) -> None:
    """Reject what is wrong whatever the body says: method, compression, announced size."""
    allowed = ("POST",) if signed else ("GET", "POST")
    if method not in allowed:
        raise method_rejected(", ".join(allowed), method)
    if method == "GET":
        return
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestRejected(f"The body is compressed ({encoding[:20]}); send it as it is.", code="wrong_encoding")
    length = headers.get("content-length", "")
    if re.fullmatch(r"[0-9]{1,18}", length) and int(length) > conf.MAX_BODY():
        raise too_large(conf.MAX_BODY())


def inbound(
    method: str,
    raw_query: str,
    headers: Mapping[str, str],
    body: bytes,
    hook_name: str | None,
    peer: str,
    *,
    signed: bool = False,
) -> InboundRequest:
    """`headers`: by lower-case names. `peer`: the address of the other end of the connection."""
    return InboundRequest(
        method=method,
        query=query.read(raw_query),
        hook_name=hook_name,
        key=_key_in(headers),
        content_type=headers.get("content-type", ""),
        user_agent=headers.get("user-agent", ""),
        body=body,
        remote=client_address(peer, headers.get("x-forwarded-for", "")),
        signature=signatures.read(headers) if signed else None,
    )


def _key_in(headers: Mapping[str, str]) -> str | None:
    """`X-Access-Key: KEY` or `Authorization: Bearer KEY`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-access-key", "").strip() or (token.strip() if scheme.lower() == "bearer" else "") or None


def client_address(peer: str, forwarded_for: str) -> str:
    """The client's address: the peer's, or the one that trusted proxies have forwarded."""
    trusted = conf.TRUSTED_PROXIES()
    hops = [peer, *reversed([hop.strip() for hop in forwarded_for.split(",") if hop.strip()])]
    for hop in hops[:-1]:
        try:
            address = ipaddress.ip_address(hop)
        except ValueError:
            return peer
        if not any(address in network for network in trusted):
            return hop
    return hops[-1][:45]


def method_rejected(allow: str, method: str) -> RequestRejected:
    return RequestRejected(
        f"{method} is not for this address; it takes {allow}.", code="method_not_allowed", status=405, allow=allow
    )


def too_large(limit: int) -> RequestRejected:
    return RequestRejected(f"The body is larger than {limit} bytes.", code="too_large", status=413)


def body_ended_early() -> RequestRejected:
    return RequestRejected("The request ended before its body did.", code="unreadable_body")
