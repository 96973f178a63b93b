"""Make, rotate and limit access keys.

A key has 256 random bits and is stored as a hash. A signing key is stored encrypted, since signatures must be computed
again; it opens nothing by itself.
"""

from __future__ import annotations

import base64
import ipaddress
import secrets
from collections.abc import Iterable
from datetime import datetime

from memberhook import encryption
from memberhook.core.errors import UsageError
from memberhook.encryption import digest
from memberhook.models.connections import AccessKey, Hook


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
    stored = encryption.encrypt(key)
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
