from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberhook.core.errors import PermanentError, RequestRejected, TransientError, UsageError
from memberhook.engine.retry import LONGEST_RETRY_AFTER, after, next_try, requested_delay

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def delay(
    attempt: int, jitter: float = 0.5, requested: float | None = None, age: timedelta = timedelta()
) -> float | None:
    due = next_try(
        attempt,
        NOW,
        NOW - age,
        first=2,
        longest=3600,
        give_up_after=timedelta(hours=72),
        jitter=lambda: jitter,
        requested=requested,
    )
    return (due - NOW).total_seconds() if due else None


def test_delays_grow_threefold_up_to_the_longest() -> None:
    assert [delay(attempt) for attempt in range(1, 10)] == [2, 6, 18, 54, 162, 486, 1458, 3600, 3600]


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, 1.6), (1.0, 2.4)])
def test_jitter_spreads_by_a_fifth_each_way(jitter: float, expected: float) -> None:
    assert delay(1, jitter) == pytest.approx(expected)


def test_the_delay_is_at_least_what_was_requested() -> None:
    assert delay(1, requested=120) == 120
    assert delay(6, requested=120) == 486


def test_nobody_makes_us_wait_longer_than_an_hour() -> None:
    problem = TransientError("Later.", code="rate_limited", retry_after=10**9)
    assert requested_delay(problem) == LONGEST_RETRY_AFTER
    assert after(problem, 1, NOW, NOW, lambda: 0.5) == NOW + timedelta(hours=1)


def test_only_what_may_pass_is_tried_again() -> None:
    retried = [TransientError("Down.", code="server_error"), UsageError("The secret key has changed.", code="x")]
    failed = [PermanentError("Gone.", code="contact_gone"), RequestRejected("Unreadable.", code="unreadable_body")]
    assert all(after(problem, 1, NOW, NOW, lambda: 0.5) for problem in retried)
    assert not any(after(problem, 1, NOW, NOW, lambda: 0.5) for problem in failed)


def test_it_ends() -> None:
    assert delay(40, age=timedelta(hours=72)) is None
    assert delay(40, age=timedelta(hours=71, minutes=59)) == 60


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 10**7), st.floats(0, 80 * 3600))
def test_the_next_try_is_always_later_and_before_the_end(attempt: int, jitter: float, after: float, age: float) -> None:
    seconds = delay(attempt, jitter, after, timedelta(seconds=age))
    if age >= 72 * 3600:
        assert seconds is None
    else:
        assert seconds is not None
        assert 0 < seconds <= max(72 * 3600 - age, 1) + 0.001
