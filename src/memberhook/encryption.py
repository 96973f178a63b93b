"""Encrypt what must be read again (credentials, passwords to return); hash what must only be compared.

The keys are derived from Django's SECRET_KEY. Keys in SECRET_KEY_FALLBACKS still decrypt.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from memberhook.core.errors import UsageError


@functools.lru_cache(maxsize=16)
def _derived(secret: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())


def _box() -> MultiFernet:
    secrets = [str(settings.SECRET_KEY), *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(secret, "memberhook.box"))) for secret in secrets])


def encrypt(text: str) -> str:
    return _box().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Raises `UsageError` if the text was encrypted with another secret key."""
    try:
        return _box().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise UsageError(
            "A stored secret cannot be decrypted: the secret key has changed. Put the old one back, or connect again.",
            code="secret_key_changed",
        ) from error


def mark(purpose: str, text: str) -> str:
    """A keyed hash (HMAC): equal texts have equal hashes, which nobody can compute without the secret key."""
    return hmac.new(
        _derived(str(settings.SECRET_KEY), f"memberhook.mark.{purpose}"), text.encode(), hashlib.sha256
    ).hexdigest()


def digest(key: str) -> str:
    """SHA-256 in hex. An access key has 256 random bits, so a slow hash would add nothing."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
