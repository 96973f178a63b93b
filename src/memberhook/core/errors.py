"""The error families, by what follows: reject the request, try again later, or give up.

Every message is written for the owner of the site: what was wrong, where, and what to do. It never has a secret in it.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


class MemberhookError(Exception):
    """Base of all. `code` is stable and for programs; `message` is for people."""

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
    """What failed may work later (CRM down, 5xx, 429, time-out, credentials that the owner can correct).

    `retry_after`: seconds the other side asked for, None if it did not.
    """

    def __init__(self, message: str, *, code: str, retry_after: float | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class PermanentError(MemberhookError):
    """What failed will not work later (contact deleted, no e-mail): the delivery ends as `failed`."""


class UsageError(MemberhookError):
    """The owner asked for something that cannot be done as asked, or changed what we rely on (command line, settings).

    In a worker it is tried again: the owner can correct it.
    """


def as_problem(error: Exception) -> MemberhookError:
    """The error itself, or one to try again after for an error of ours that was not foreseen."""
    if isinstance(error, MemberhookError):
        return error
    log.error("An error inside Memberhook.", exc_info=error)
    message = f"An error inside Memberhook ({type(error).__name__}); its log tells more. It is tried again."
    return TransientError(message, code="internal_error")
