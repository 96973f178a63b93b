"""When to try again: growing delays with jitter, what the other side asked for, and an end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from memberhook import conf
from memberhook.core.errors import MemberhookError, TransientError, UsageError

LONGEST_RETRY_AFTER = 3600.0
"""The only cap on what the other side asks for with Retry-After, in seconds."""


def requested_delay(problem: MemberhookError) -> float | None:
    """The seconds that the CRM or the site asked us to wait, at most an hour; None if it did not ask."""
    seconds = problem.retry_after if isinstance(problem, TransientError) else None
    return None if seconds is None else min(seconds, LONGEST_RETRY_AFTER)


def after(
    problem: MemberhookError, attempt: int, now: datetime, since: datetime, jitter: Callable[[], float]
) -> datetime | None:
    """When to try again after this problem, by the settings; None for what will not pass, or has lasted too long.

    `UsageError` is retried: the owner can correct what is wrong (a changed secret key, say).
    """
    if not isinstance(problem, TransientError | UsageError):
        return None
    return next_try(
        attempt,
        now,
        since,
        first=conf.RETRY_FIRST(),
        longest=conf.RETRY_MAX(),
        give_up_after=conf.GIVE_UP_AFTER(),
        jitter=jitter,
        requested=requested_delay(problem),
    )


def next_try(
    attempt: int,
    now: datetime,
    since: datetime,
    *,
    first: float,
    longest: float,
    give_up_after: timedelta,
    jitter: Callable[[], float],
    requested: float | None = None,
) -> datetime | None:
    """When to try again after attempt number `attempt` (1 is the first) has failed; None if that was the last.

    The delay starts at `first` seconds and grows threefold up to `longest`, each 80 to 120 % of it (`jitter` gives 0
    to 1). It is at least `requested` seconds, but the last attempt comes no later than `give_up_after` after `since`,
    when the work was first due.
    """
    if now - since >= give_up_after:
        return None
    delay = min(first * 3.0 ** min(attempt - 1, 30), longest) * (0.8 + 0.4 * jitter())
    delay = max(delay, requested or 0)
    return min(now + timedelta(seconds=delay), max(since + give_up_after, now + timedelta(seconds=1)))
