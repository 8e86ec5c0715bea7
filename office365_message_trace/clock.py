"""The only module that reads the system clock or sleeps."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Protocol

from office365_message_trace.errors import Stopped

_NAP = 0.5  # seconds between two looks at the clock, which tests run faster than real time


class Clock(Protocol):
    """Time as the collector sees it. Every wait raises `Stopped` once a stop has been requested."""

    def now(self) -> datetime:
        """The current time, aware UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed instant; never steps back."""

    def wait(self, seconds: float) -> None:
        """Wait for ``seconds``; with 0, only check for a stop."""

    def wait_until(self, instant: datetime) -> None:
        """Wait until `now` reaches ``instant``, but no longer than that takes by the clock at the start,
        which may be set back meanwhile."""


class SystemClock:
    """The machine's clocks. Waits end at once when ``stop`` is set, and keep calling ``alive``.

    Waits are measured by ``ticks`` (seconds) alone, so setting the ``time_of_day`` does not affect them.
    """

    def __init__(
        self,
        stop: Event,
        alive: Callable[[], None],
        time_of_day: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop = stop
        self._alive = alive
        self._time_of_day = time_of_day
        self._ticks = ticks

    @classmethod
    def unstoppable(cls) -> "SystemClock":
        """A clock for what ends by itself, whose waits nothing cuts short."""
        return cls(Event(), lambda: None)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._time_of_day(), UTC)

    def monotonic(self) -> float:
        return self._ticks()

    def wait(self, seconds: float) -> None:
        deadline = self.monotonic() + seconds
        self._nap(0)
        while (left := deadline - self.monotonic()) > 0:
            self._nap(min(left, _NAP))

    def wait_until(self, instant: datetime) -> None:
        self.wait((instant - self.now()).total_seconds())

    def _nap(self, seconds: float) -> None:
        self._alive()
        if self._stop.wait(seconds):
            raise Stopped
