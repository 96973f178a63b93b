"""Check whether a request is signed with one of a hook's secrets, as Standard Webhooks describes it. Pure.

https://www.standardwebhooks.com: HMAC-SHA256 over `id.timestamp.body`, sent as `v1,` and base64; several signatures may
follow each other, separated by spaces, while a secret is being changed. A secret is `whsec_` and the base64 of 24 to 64
bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from memberhook.core.errors import RequestRejected, UsageError

PREFIX = "whsec_"
TOLERANCE = 300
"""Seconds that a timestamp may differ from our clock, either way; a copy sent later than that is rejected."""

MOST_SIGNATURES = 10


@dataclass(frozen=True, slots=True)
class Signature:
    """What the headers say; nothing is checked yet."""

    id: str = ""
    timestamp: str = ""
    signatures: str = field(default="", repr=False)


def read(headers: Mapping[str, str]) -> Signature:
    """`headers`: by lower-case names."""
    return Signature(*(headers.get(f"webhook-{name}", "").strip() for name in ("id", "timestamp", "signature")))


def secret_bytes(secret: str) -> bytes:
    """The bytes of a signing secret. Raises `UsageError` for anything else, without showing it."""
    try:
        found = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not secret.startswith(PREFIX) or not 24 <= len(found) <= 64:
        raise UsageError("This is no signing key: it is whsec_ and the base64 of 24 to 64 bytes.", code="bad_secret")
    return found


def sign(secret: bytes, signature_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a request, as its header carries it."""
    # Headers are latin-1, so these are the bytes that came in.
    signed = f"{signature_id}.{timestamp}.".encode("latin-1", "replace") + body
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


def is_signed(signature: Signature, body: bytes, secret: bytes) -> bool:
    """Whether one of the signatures was made with this secret."""
    if not signature.id or "." in signature.id:  # a full stop in it would make id and timestamp ambiguous
        return False
    right = sign(secret, signature.id, signature.timestamp, body).encode()
    sent = signature.signatures.split()[:MOST_SIGNATURES]
    same = [hmac.compare_digest(right, one.encode("latin-1", "replace")) for one in sent]
    return any(same)


def check(signature: Signature, body: bytes, secrets: Iterable[bytes], now: float) -> bytes:
    """The secret that has signed the request.

    Raises `RequestRejected` (401). That the time is wrong is said only when the signature is right.
    """
    for secret in secrets:
        if is_signed(signature, body, secret):
            _check_time(signature.timestamp, now)
            return secret
    raise RequestRejected(
        "The signature is missing or wrong, or there is no such hook. Compare address and signing key with those that "
        "were shown when the key was made; lost it? memberhook key rotate NAME --signing.",
        code="invalid_signature",
        status=401,
    )


def _check_time(timestamp: str, now: float) -> None:
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise RequestRejected("webhook-timestamp is no time in seconds since 1970.", code="bad_timestamp", status=401)
    away = int(timestamp) - int(now)
    if abs(away) > TOLERANCE:
        raise RequestRejected(
            f"The request was signed {abs(away)} seconds {'from now' if away > 0 else 'ago'}, and {TOLERANCE} are "
            "allowed. Set the clocks of both machines, or sign and send it again.",
            code="bad_timestamp",
            status=401,
        )
