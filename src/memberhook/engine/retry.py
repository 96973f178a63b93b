"""When to try again: growing delays with jitter, what the other side asked for, and an end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from memberhook import conf
from memberhook.core.errors import MemberhookError, TransientError

LONGEST_RETRY_AFTER = 24 * 3600.0


def after(
    problem: MemberhookError, attempt: int, now: datetime, since: datetime, jitter: Callable[[], float]
) -> datetime | None:
    """When to try again after this problem, by the settings; None for what won't pass, or has lasted too long."""
    if not isinstance(problem, TransientError):
        return None
    return next_try(
        attempt,
        now,
        since,
        first=conf.RETRY_FIRST(),
        longest=conf.RETRY_MAX(),
        give_up_after=conf.GIVE_UP_AFTER(),
        jitter=jitter,
        retry_after=problem.retry_after,
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
    retry_after: float | None = None,
) -> datetime | None:
    """When attempt number `attempt` (1 is the first) has failed: the time of the next one, or None: it was the last.

    The delay starts at `first` seconds and grows threefold up to `longest`, each 80 to 120 % of it (`jitter` gives 0
    to 1). `retry_after` (seconds) is never undercut. `since`: when the delivery was first due.
    """
    if now - since >= give_up_after:
        return None
    delay = min(first * 3.0 ** min(attempt - 1, 30), longest) * (0.8 + 0.4 * jitter())
    if retry_after is not None:
        delay = max(delay, min(retry_after, LONGEST_RETRY_AFTER))
    return min(now + timedelta(seconds=delay), max(since + give_up_after, now + timedelta(seconds=1)))
