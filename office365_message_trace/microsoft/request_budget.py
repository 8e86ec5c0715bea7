"""The request budget: what Microsoft grants a tenant, shared with all its other tools.

Microsoft documents 100 requests in any five minutes for message traces in Graph; for the Reporting
Web Service no number is known, and the same is kept to. Requests that are refused count as well.
"""

import math
from collections import deque
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
"""Seconds from the grant, because a request arrives later: after a pause, by a handshake."""
MOST_REQUESTS = 90  # in a period; the rest of the 100 is left to the tenant's other tools
FEWEST_REQUESTS = 20  # in a period: the limit does not shrink below this
SHORTEST_WAIT = 0.01  # seconds
LIVE, BACKGROUND = "live", "background"

_DAY = 86_400.0  # seconds
_RECORD = "quota.json"
_CUT = 0.75  # of the limit is left after a request too many
_CUT_PAUSE = 30.0  # seconds in which several requests too many are one lesson
_GROWTH = 20.0  # seconds until the limit grows by a request


class RequestBudget(Limiter):
    """Grants requests, at most `limit` in any `PERIOD`, and remembers them over restarts.

    Requests in the `BACKGROUND` leave room for the `LIVE` ones of a period, one every ``frequency``.
    The limit shrinks when the service says that the tenant has spent its quota, which others must
    have done then, and grows back slowly. ``storage`` must not wait for itself. Thread-safe.

    The record gives times of day, so how old an earlier process's requests are is worked out whenever
    they are counted: ``clock`` may be wrong until the first answer has told the time.
    """

    def __init__(self, storage: Storage, clock: Clock, frequency: timedelta) -> None:
        super().__init__(RequestRate(MOST_REQUESTS, PERIOD), time_function=clock.monotonic)
        self._storage = storage
        self._clock = clock
        self._live_requests = math.ceil(PERIOD / frequency.total_seconds()) + 1
        self._limit = MOST_REQUESTS
        self._began = self._cut_at = self._grown_at = clock.monotonic()
        self._attempts: deque[_Attempt] = deque()
        self._earlier: list[tuple[datetime, bool]] = []
        self.granted = 0
        """Requests that were granted here, those of earlier processes left out."""
        self._lock = Lock()
        self._restore()

    @property
    def limit(self) -> int:
        """Requests in a period, as far as is known now: from `FEWEST_REQUESTS` to `MOST_REQUESTS`."""
        return self._limit

    @property
    def daily(self) -> float:
        """Requests in a day at the present `limit`."""
        return self._limit * _DAY / PERIOD

    @property
    def left(self) -> int:
        """How many requests could be made now."""
        with self._lock:
            return max(self._limit - len(self._counted(self._elapse())), 0)

    def try_acquire(self, *identities: str) -> None:
        """Count a request of the kind that is named, `LIVE` or `BACKGROUND`.

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
        """Learn that a request was one too many: others spend of the same quota."""
        with self._lock:
            now = self._elapse()
            if self._limit == MOST_REQUESTS or now - self._cut_at >= _CUT_PAUSE:
                self._limit = max(int(self._limit * _CUT), FEWEST_REQUESTS)
                self._cut_at = self._grown_at = now

    def _elapse(self) -> float:
        """Forget what is older than a period, and let the limit grow; returns the time."""
        now = self._clock.monotonic()
        while self._attempts and self._attempts[0].at <= now - COUNTED_FOR:
            self._attempts.popleft()
        if now - self._began >= COUNTED_FOR:
            self._earlier.clear()
        grown = int((now - self._grown_at) / _GROWTH)
        self._limit = min(self._limit + grown, MOST_REQUESTS)
        self._grown_at += grown * _GROWTH
        return now

    def _counted(self, now: float) -> list["_Attempt"]:
        """The requests that count at ``now``, those of earlier processes first.

        One from the future by the clock counts as if it had been made at the start.
        """
        time_of_day, running = self._clock.now(), now - self._began
        ages = sorted(
            (max((time_of_day - at).total_seconds(), running), background)
            for at, background in self._earlier
        )
        earlier = [_Attempt(now - age, kind) for age, kind in reversed(ages) if age < COUNTED_FOR]
        return [*earlier, *self._attempts]

    @staticmethod
    def _wait(attempts: list["_Attempt"], limit: int, now: float) -> float:
        """Seconds until fewer than ``limit`` of ``attempts`` are within the period."""
        return attempts[-limit].at + COUNTED_FOR - now if len(attempts) >= limit else 0.0

    def _record(self, now: float) -> None:
        """Write down by the time of day what counts: the monotonic clock means nothing to others.

        A storage that fails is no reason to wait here, where a request would be held up: what it does
        not know, a restart may spend again.
        """
        started = self._clock.now() - timedelta(seconds=now)
        attempts = [
            [milliseconds(started + timedelta(seconds=each.at)), each.background]
            for each in self._counted(now)
        ]
        record = {"limit": self._limit, "attempts": attempts}
        with suppress(StorageFailed):
            self._storage.write(_RECORD, orjson.dumps(record))

    def _restore(self) -> None:
        """Take over what a process before this one spent; without a usable record, nothing."""
        try:
            document = orjson.loads(self._storage.read(_RECORD) or b"{}")
            limit = int(document.get("limit", MOST_REQUESTS))
            earlier = [(instant(at), bool(kind)) for at, kind in document.get("attempts", ())]
        except (StorageFailed, ValueError, TypeError, AttributeError, OverflowError):
            return
        self._limit = min(max(limit, FEWEST_REQUESTS), MOST_REQUESTS)
        self._earlier = earlier[-MOST_REQUESTS:]


class _Attempt(NamedTuple):
    at: float
    background: bool
