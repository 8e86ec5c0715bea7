"""How many requests a tenant may make: all its clients together, in a rolling period."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta


class Quota:
    """Remembers when requests came. Thread-safe.

    A request that is refused counts like any other (documented), so a client that does not pause
    stays shut out.
    """

    def __init__(self) -> None:
        self._instants: deque[datetime] = deque()
        self._lock = threading.Lock()

    def spend(self, count: int, now: datetime) -> None:
        """Count requests of another client, made now."""
        with self._lock:
            self._instants.extend([now] * count)

    def take(self, now: datetime, limit: int, period: timedelta) -> timedelta | None:
        """Count a request. None if it is one of at most `limit` in the period that ends now,
        otherwise how long it takes until another one would be, if none came before then."""
        with self._lock:
            self._forget(now - period)
            full = len(self._instants) >= limit
            self._instants.append(now)
            if not full:
                return None
            return self._instants[len(self._instants) - limit] + period - now

    def used(self, now: datetime, period: timedelta) -> int:
        """How many requests came in the period that ends now."""
        with self._lock:
            self._forget(now - period)
            return len(self._instants)

    def _forget(self, until: datetime) -> None:
        while self._instants and self._instants[0] <= until:
            self._instants.popleft()
