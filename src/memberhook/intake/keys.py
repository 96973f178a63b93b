"""Look up the access keys of a batch of requests and check what they allow."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime

from memberhook import encryption
from memberhook.core.errors import RequestRejected
from memberhook.core.types import Action
from memberhook.encryption import digest
from memberhook.intake.inbound import InboundRequest
from memberhook.models.connections import AccessKey

LONGEST_ROLE = 100


def candidates(inbounds: Sequence[InboundRequest]) -> list[list[AccessKey]]:
    """The keys that each request may have been made with, with hook, connection and site. At most two queries.

    An ordinary request: the key with the hash of the one that was sent. It is never a signing key: sent like
    that, it is no secret any more. A signed request: the signing keys of its hook, newest first.
    """
    digests = [digest(one.sent_key) if one.signature is None else "" for one in inbounds]
    hooks = {one.hook_name or "" for one in inbounds if one.signature is not None}
    keys = AccessKey.objects.select_related("hook__connection", "hook__site")
    by_digest: dict[str, list[AccessKey]] = {}
    by_hook: dict[str, list[AccessKey]] = {}
    if any(digests):
        by_digest = {key.digest: [key] for key in keys.filter(digest__in={*digests} - {""}, signing_secret="")}
    if hooks:
        for key in keys.filter(hook__name__in=hooks).exclude(signing_secret="").order_by("-pk"):
            by_hook.setdefault(key.hook.name, []).append(key)
    return [
        by_digest.get(hashed, []) if one.signature is None else by_hook.get(one.hook_name or "", [])
        for one, hashed in zip(inbounds, digests, strict=True)
    ]


def signing_secret(key: AccessKey) -> str:
    """`whsec_…`. Raises `UsageError` when the secret key has changed."""
    return encryption.decrypt(key.signing_secret)


def is_current(key: AccessKey, now: datetime) -> bool:
    return key.expires_at is None or key.expires_at > now


def check_limits(key: AccessKey, action: Action | None, role: str | None, address: str) -> None:
    """Raises `RequestRejected` for what the key is not for."""
    if not _allows_address(key, address):
        raise RequestRejected(
            "This access key may not be used from this network address.", code="address_not_allowed", status=403
        )
    if key.actions and action and action not in key.actions:
        raise RequestRejected(
            f"This access key is not for the action {action!r}, only for {', '.join(key.actions)}.",
            code="action_not_allowed",
            status=403,
        )
    if role and len(role) > LONGEST_ROLE:
        raise RequestRejected(f"The role is longer than {LONGEST_ROLE} characters.", code="bad_parameter")
    if role and key.roles and role.lower() not in {allowed.lower() for allowed in key.roles}:
        raise RequestRejected(
            f"This access key is not for the role {role!r}, only for {', '.join(key.roles)}.",
            code="role_not_allowed",
            status=403,
        )


def _allows_address(key: AccessKey, address: str) -> bool:
    if not key.networks:
        return True
    try:
        client = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    client = getattr(client, "ipv4_mapped", None) or client
    return any(client in ipaddress.ip_network(network, strict=False) for network in key.networks)
