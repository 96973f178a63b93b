"""Look up access keys and check them: one query for a whole batch of requests, compared in constant time."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Collection
from datetime import datetime

from memberhook import encryption
from memberhook.encryption import digest
from memberhook.models.connections import AccessKey


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
    return encryption.decrypt(key.signing_secret)


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
