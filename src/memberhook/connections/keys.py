"""Access keys: made with 256 random bits, kept as hashes, compared in constant time, limited, expiring.

A key that signs is one of them, kept encrypted because signatures must be computed again. It opens nothing by itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Collection, Iterable
from datetime import datetime

from memberhook.connections import secrets as box
from memberhook.connections.models import AccessKey, Hook
from memberhook.errors import UsageError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def digest(key: str) -> str:
    """SHA-256, in hex: a key has 256 random bits, so a slow hash would only slow us."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key(hook: Hook, now: datetime, **limits: object) -> str:
    """Makes a key for the hook and returns it: the only time that it can be seen.

    `limits`: `expires_at`, `actions`, `roles`, `networks` of `AccessKey`.
    """
    key = secrets.token_urlsafe(32)
    AccessKey.objects.create(hook=hook, digest=digest(key), hint=key[-4:], created_at=now, **limits)
    return key


def new_signing_key(hook: Hook, now: datetime, **limits: object) -> str:
    """Makes a key that signs, in the form of Standard Webhooks. 33 bytes: their base64 ends without padding."""
    key = f"whsec_{base64.b64encode(secrets.token_bytes(33)).decode()}"
    stored = box.encrypt(key)
    AccessKey.objects.create(
        hook=hook, digest=digest(key), hint=key[-4:], signing_secret=stored, created_at=now, **limits
    )
    return key


def rotate(hook: Hook, now: datetime, keep_until: datetime | None, *, signing: bool = False) -> str:
    """A new key with the limits of the newest one; the old ones end at `keep_until`, or now.

    Keys that open and keys that sign are used by different programs, so each kind is rotated alone.
    """
    current = hook.keys.exclude(signing_secret="") if signing else hook.keys.filter(signing_secret="")
    current = current.order_by("-created_at", "-pk")
    newest = current.first()
    limits = {name: getattr(newest, name) for name in ("actions", "roles", "networks")} if newest else {}
    key = (new_signing_key if signing else new_key)(hook, now, **limits)
    for old in current.exclude(digest=digest(key)):
        if keep_until is None:
            old.delete()
        elif old.expires_at is None or old.expires_at > keep_until:
            old.expires_at = keep_until
            old.save(update_fields=["expires_at"])
    return key


def find(digests: Collection[str]) -> dict[str, AccessKey]:
    """The keys with these digests, with hook, connection and site: one query for a whole batch of requests.

    None that signs: whoever sends it in place of a signature has shown it to everybody on the way.
    """
    rows = AccessKey.objects.filter(digest__in=digests, signing_secret="")
    return {row.digest: row for row in rows.select_related("hook__connection", "hook__site")}


def find_signing(hook_names: Collection[str]) -> dict[str, list[AccessKey]]:
    """The keys that sign for these hooks, by the hook's name, newest first."""
    rows = AccessKey.objects.filter(hook__name__in=hook_names).exclude(signing_secret="")
    found: dict[str, list[AccessKey]] = {}
    for row in rows.select_related("hook__connection", "hook__site").order_by("-pk"):
        found.setdefault(row.hook.name, []).append(row)
    return found


def signing_secret(key: AccessKey) -> str:
    """`whsec_…`. Raises `UsageError` when the secret key has changed."""
    return box.decrypt(key.signing_secret)


def opens(key: AccessKey | None, sent: str, now: datetime) -> bool:
    """Whether the key that was sent is this one and still valid."""
    same = hmac.compare_digest(digest(sent), key.digest if key else digest(""))
    return key is not None and same and is_current(key, now)


def is_current(key: AccessKey, now: datetime) -> bool:
    """Whether it has not expired."""
    return key.expires_at is None or key.expires_at > now


def allows_address(key: AccessKey, address: str) -> bool:
    if not key.networks:
        return True
    try:
        client = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    client = getattr(client, "ipv4_mapped", None) or client
    return any(client in ipaddress.ip_network(network, strict=False) for network in key.networks)


def checked_networks(networks: Iterable[str]) -> list[str]:
    """Addresses and networks in their usual form. Raises `UsageError` for what is none."""
    checked = []
    for text in networks:
        try:
            checked.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError as error:
            raise UsageError(
                f"{text!r} is no network address; write 203.0.113.7 or 203.0.113.0/24.", code="bad_network"
            ) from error
    return checked
