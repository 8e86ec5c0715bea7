"""The request budget: what Microsoft grants a tenant, shared with all its other tools.

Microsoft documents 100 requests in any five minutes for message traces in Graph. For the Reporting
Web Service no number is known, so the same limit is used. Refused requests count as well.
"""

import math
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Lock
from typing import NamedTuple

import orjson
from pyrate_limiter import BucketFullException, Limiter, RequestRate

from office365_message_trace.clock import Clock
from office365_message_trace.errors import StorageFailed
from office365_message_trace.model import instant, milliseconds
from office365_message_trace.storage.base import Storage

PERIOD = 300  # seconds
COUNTED_FOR = PERIOD + 1.0
"""Seconds from the grant, because a request arrives later: after a pause or a handshake."""
QUOTA = 100  # requests of a tenant in a period, documented
MOST_REQUESTS = 90  # in a period; the rest of the quota is left to the tenant's other tools
FEWEST_REQUESTS = 20  # in a period; the limit never shrinks below
SHORTEST_WAIT = 0.01  # seconds
LIVE, BACKGROUND = "live", "background"

_DAY = 86_400.0  # seconds
_RECORD = "quota.json"
_CUT = 0.75  # of the limit that is left after a 429
_CUT_PAUSE = 30.0  # seconds in which several 429 count once
_GROWTH = 20.0  # seconds until the limit grows by a request


class RequestBudget(Limiter):
    """Grants requests, at most `limit` in any `PERIOD`, and remembers them over restarts.

    The limit is ``most``, and the requests that others have recorded in ``shared`` storages by the start
    count as well. Requests in the `BACKGROUND` leave room for the `LIVE` ones of a period, one every ``frequency``.
    The limit shrinks when the service says that the tenant has spent its quota, because other tools must
    have done so, and grows back slowly. ``storage`` must not retry. Thread-safe.

    The record holds times of day, and ``clock`` may be wrong until the first answer has told the time. So the age of
    an earlier process's requests is computed whenever they are counted, and what the limit has grown since the record
    counts from the second request on.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        frequency: timedelta,
        most: int = MOST_REQUESTS,
        shared: Sequence[Storage] = (),
    ) -> None:
        super().__init__(RequestRate(most, PERIOD), time_function=clock.monotonic)
        self._most = most
        self._storage = storage
        self._clock = clock
        self._live_requests = math.ceil(PERIOD / frequency.total_seconds()) + 1
        self._limit = most
        self._began = self._grown_at = clock.monotonic()
        self._cut_at = -math.inf
        self._attempts: deque[_Attempt] = deque()
        self._earlier: list[tuple[datetime, bool]] = []  # of this storage
        self._others: list[tuple[datetime, bool]] = []
        self.granted = 0
        """Requests granted by this process."""
        self._lock = Lock()
        self._limit, self._resting_since, self._earlier = self._restored(storage)
        for each in shared:
            self._others += self._restored(each)[-1]

    @property
    def limit(self) -> int:
        """The present limit of requests in a period, at least `FEWEST_REQUESTS`."""
        return self._limit

    @property
    def daily(self) -> float:
        """Requests in a day at the present `limit`."""
        return self._limit * _DAY / PERIOD

    @property
    def left(self) -> int:
        """The number of requests that could be made now."""
        with self._lock:
            return max(self._limit - len(self._counted(self._elapse())), 0)

    def try_acquire(self, *identities: str) -> None:
        """Count a request of the given kind, `LIVE` or `BACKGROUND`.

        Raises ``BucketFullException`` with the remaining seconds, at least `SHORTEST_WAIT`, if it has
        to wait.
        """
        background = BACKGROUND in identities
        with self._lock:
            now = self._elapse()
            attempts = self._counted(now)
            wait = self._wait(attempts, self._limit, now)
            if background:
                others = [each for each in attempts if each.background]
                room = self._limit - min(self._live_requests, self._limit // 3)
                wait = max(wait, self._wait(others, room, now))
            if wait > 0:
                rate = RequestRate(self._limit, PERIOD)
                raise BucketFullException(identities[0], rate, max(wait, SHORTEST_WAIT))
            self._attempts.append(_Attempt(now, background))
            self.granted += 1
            self._record(now)

    def throttled(self) -> None:
        """Note a 429: other tools spend from the same quota."""
        with self._lock:
            now = self._elapse()
            if now - self._cut_at >= _CUT_PAUSE:
                self._limit = max(int(self._limit * _CUT), FEWEST_REQUESTS)
                self._cut_at = self._grown_at = now

    def _elapse(self) -> float:
        """Drop requests older than a period, and let the limit grow; returns the monotonic time."""
        now = self._clock.monotonic()
        while self._attempts and self._attempts[0].at <= now - COUNTED_FOR:
            self._attempts.popleft()
        if now - self._began >= COUNTED_FOR:
            self._earlier.clear()
            self._others.clear()
        if self._resting_since and self.granted:
            paused = (self._clock.now() - self._resting_since).total_seconds() - (now - self._began)
            self._grown_at -= max(paused, 0.0)
            self._resting_since = None
        grown = int((now - self._grown_at) / _GROWTH)
        self._limit = min(self._limit + grown, self._most)
        self._grown_at += grown * _GROWTH
        return now

    def _counted(self, now: float) -> list["_Attempt"]:
        """The requests that count at ``now``, those of earlier processes and of others first."""
        return [*self._aged([*self._earlier, *self._others], now), *self._attempts]

    def _aged(self, earlier: list[tuple[datetime, bool]], now: float) -> list["_Attempt"]:
        """Those of the requests at times of day that count at ``now``, oldest first.

        A request that lies in the future by the clock counts from the start of this process.
        """
        time_of_day, running = self._clock.now(), now - self._began
        ages = sorted(
            (max((time_of_day - at).total_seconds(), running), background)
            for at, background in earlier
        )
        return [_Attempt(now - age, kind) for age, kind in reversed(ages) if age < COUNTED_FOR]

    @staticmethod
    def _wait(attempts: list["_Attempt"], limit: int, now: float) -> float:
        """Seconds until fewer than ``limit`` of ``attempts`` are within the period."""
        return attempts[-limit].at + COUNTED_FOR - now if len(attempts) >= limit else 0.0

    def _record(self, now: float) -> None:
        """Save the requests that count, by time of day: another process has another monotonic clock.

        A failing storage must not hold up a request, so a failure is ignored: a restart may then spend
        these requests again.
        """
        started = self._clock.now() - timedelta(seconds=now)
        attempts = [
            [milliseconds(started + timedelta(seconds=each.at)), each.background]
            for each in [*self._aged(self._earlier, now), *self._attempts]
        ]
        since = self._resting_since or self._clock.now()
        record = {"limit": self._limit, "since": milliseconds(since), "attempts": attempts}
        with suppress(StorageFailed):
            self._storage.write(_RECORD, orjson.dumps(record))

    def _restored(
        self, storage: Storage
    ) -> tuple[int, datetime | None, list[tuple[datetime, bool]]]:
        """The limit, the time that it is of, and the requests that a process has recorded in ``storage``; the most,
        None and no requests without a usable record."""
        try:
            document = orjson.loads(storage.read(_RECORD) or b"{}")
            limit = min(max(int(document["limit"]), FEWEST_REQUESTS), self._most)
            since = instant(document["since"]) if "since" in document else None
            earlier = [(instant(at), bool(kind)) for at, kind in document["attempts"]]
        except (StorageFailed, LookupError, ValueError, TypeError, OverflowError):
            return self._most, None, []
        return limit, since, earlier[-self._most :]


class _Attempt(NamedTuple):
    at: float
    background: bool
