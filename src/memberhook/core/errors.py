"""The error families, by what each asks for: refuse the request, try again later, or give up.

Every message is written for the owner of the site: what was wrong, where, and what to do. It never holds a secret.
"""

from __future__ import annotations


class MemberhookError(Exception):
    """Base of all. `code` is stable and made for programs; `message` is one sentence made for people."""

    def __init__(self, message: str, *, code: str = "error") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RequestRejected(MemberhookError):
    """The request is not accepted and nothing is stored; `status` is the HTTP status of the answer."""

    def __init__(
        self, message: str, *, code: str, status: int = 400, retry_after: int | None = None, allow: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.retry_after = retry_after
        self.allow = allow


class TransientError(MemberhookError):
    """What failed may pass (CRM down, 5xx, 429, time-out, credentials the owner can mend).

    `retry_after`: seconds the other side asked for, None if it did not.
    """

    def __init__(self, message: str, *, code: str, retry_after: float | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class PermanentError(MemberhookError):
    """What failed will not pass by waiting (contact deleted, no e-mail): the delivery ends as `failed`."""


class UsageError(MemberhookError):
    """The owner asked for something that cannot be done as asked (command line, console)."""
