"""Signs requests as a sender does. Of the facts of Standard Webhooks, not of the code that checks them."""

from __future__ import annotations

import base64
import hashlib
import hmac


def headers(key: str, body: bytes, now: float, *, id: str = "msg_1") -> dict[str, str]:
    secret = base64.b64decode(key.removeprefix("whsec_"))
    digest = hmac.new(secret, f"{id}.{int(now)}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(now)),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
