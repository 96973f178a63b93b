"""Limit how many webhooks a key may send, with a token bucket for each key in this process."""

from __future__ import annotations

import math


class RateLimit:
    """`per_minute`: the size of a bucket and how many tokens it gains in a minute; 0: no limit."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: dict[int, tuple[float, float]] = {}

    def take(self, key: int, now: float) -> int | None:
        """Take a token. Return None if there was one, else the seconds until there is."""
        if self.per_minute <= 0:
            return None
        rate = self.per_minute / 60
        tokens, since = self._buckets.get(key, (float(self.per_minute), now))
        tokens = min(self.per_minute, tokens + max(0.0, now - since) * rate)
        if tokens < 1:
            self._buckets[key] = (tokens, now)
            return max(1, math.ceil((1 - tokens) / rate))
        self._buckets[key] = (tokens - 1, now)
        return None
