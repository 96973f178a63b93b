"""Make, rotate and revoke access keys.

A key has 256 random bits and is stored as a hash. A signing key is stored encrypted, since signatures must be computed
again; it does not open the hook by itself.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Any

from memberhook import encryption
from memberhook.core.errors import UsageError
from memberhook.encryption import digest
from memberhook.models.connections import AccessKey, Hook
from memberhook.services.validation import validate


def new_key(hook: Hook, now: datetime, **limits: Any) -> str:
    """Make a key for the hook and return it: it cannot be shown again.

    `limits`: `expires_at`, `actions`, `roles`, `networks` of `AccessKey`. Raises `UsageError` for those that make no
    sense.
    """
    return _checked(*_new(hook, now, limits))


def new_signing_key(hook: Hook, now: datetime, **limits: Any) -> str:
    """Make a key that signs, in the form of Standard Webhooks."""
    return _checked(*_new(hook, now, limits, signing=True))


def _checked(row: AccessKey, key: str) -> str:
    validate(row)
    row.save()
    return key


def _new(hook: Hook, now: datetime, limits: dict[str, Any], *, signing: bool = False) -> tuple[AccessKey, str]:
    signing_key = f"whsec_{base64.b64encode(secrets.token_bytes(33)).decode()}"  # 33 bytes: base64 without padding
    key = signing_key if signing else secrets.token_urlsafe(32)
    stored = encryption.encrypt(key) if signing else ""
    row = AccessKey(hook=hook, digest=digest(key), hint=key[-4:], signing_secret=stored, created_at=now, **limits)
    return row, key


def rotate(hook: Hook, now: datetime, keep_until: datetime | None, *, signing: bool = False) -> str:
    """Make a key with the limits of the newest one; the old ones expire at `keep_until`, or now.

    Keys that open and keys that sign are used by different programs, so each kind is rotated alone.
    """
    current = hook.keys.exclude(signing_secret="") if signing else hook.keys.filter(signing_secret="")
    current = current.order_by("-created_at", "-pk")
    newest = current.first()
    limits = {name: getattr(newest, name) for name in ("actions", "roles", "networks")} if newest else {}
    row, key = _new(hook, now, limits, signing=signing)
    row.save()
    for old in current.exclude(pk=row.pk):
        if keep_until is None:
            old.delete()
        elif old.expires_at is None or old.expires_at > keep_until:
            old.expires_at = keep_until
            old.save(update_fields=["expires_at"])
    return key


def revoke(hook: Hook, hint: str) -> int:
    """Delete the keys that end in `hint`; returns how many. Raises `UsageError` when there is none."""
    gone, _ = hook.keys.filter(hint=hint.lstrip("…")).delete()
    if not gone:
        raise UsageError(f"The hook {hook.name!r} has no key that ends in {hint!r}.", code="not_found")
    return gone
