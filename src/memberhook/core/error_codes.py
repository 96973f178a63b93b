"""The codes of errors that calls to a CRM or a site end with. The docs explain each one."""

from __future__ import annotations

import enum


class ErrorCode(enum.StrEnum):
    # The connection
    BAD_ADDRESS = "bad_address"
    PRIVATE_ADDRESS = "private_address"
    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    TIMEOUT = "timeout"
    REDIRECTED = "redirected"
    TOO_LARGE = "too_large"
    # The response
    RATE_LIMITED = "rate_limited"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a code, not a password
    NO_RIGHTS = "no_rights"
    CHALLENGE_PAGE = "challenge_page"
    PLUGIN_INACTIVE = "plugin_inactive"
    SERVER_ERROR = "server_error"
    BAD_ANSWER = "bad_answer"
    REQUEST_REFUSED = "refused"
    # One contact
    CONTACT_GONE = "contact_gone"
    VALUE_REJECTED = "value_rejected"


POSSIBLY_ONE_RECORD = frozenset({ErrorCode.BAD_ANSWER, ErrorCode.SERVER_ERROR})
"""What the data of a single contact or member can cause in a call about many; so can anything else."""
