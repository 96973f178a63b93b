"""How many webhooks a key may send: a bucket of tokens for each key, in this process."""

from __future__ import annotations

import math


class RateLimit:
    """`per_minute`: how many fit in the bucket and how many flow in each minute; 0: no limit."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: dict[int, tuple[float, float]] = {}

    def take(self, key: int, now: float) -> int | None:
        """Takes a token; None when there was one, else after how many seconds there will be."""
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
