"""What was asked of each service, kept for tests and for the status line."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `status` is what was sent or would have been; 0 if nothing was decided."""

    service: str
    method: str
    target: str
    status: int
    at: datetime
    fault: str | None = None
    """Name of the fault that struck, if one did."""
    headers: frozenset[str] = frozenset()
    """Names of the request's headers, in lower case."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


class RequestLog:
    """The latest `kept` requests, and exact counts of all. Safe from any thread.

    A request is recorded before its answer is sent: whoever has an answer finds its entry.
    """

    def __init__(self, kept: int = 20_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._counts: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def record(self, entry: Entry) -> None:
        """Add one request."""
        with self._lock:
            self._entries.append(entry)
            self._counts[entry.service, entry.status] += 1

    def entries(self, service: str | None = None) -> list[Entry]:
        """The latest requests, oldest first, of one service or of all."""
        with self._lock:
            return [e for e in self._entries if service in (None, e.service)]

    def count(self, service: str | None = None, status: int | None = None) -> int:
        """How many requests there were since the start or the last `clear`."""
        with self._lock:
            return sum(
                number
                for (name, code), number in self._counts.items()
                if service in (None, name) and status in (None, code)
            )

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._counts.clear()
