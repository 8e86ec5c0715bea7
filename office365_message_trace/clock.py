"""The only place that asks for the time or lets it pass."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Protocol

from office365_message_trace.errors import Stopped

_NAP = 0.25  # seconds; a clock that runs faster than waits, as in tests, is overslept by no more of them


class Clock(Protocol):
    """Time as the collector sees it. Every wait raises `Stopped` once a stop was asked for."""

    def now(self) -> datetime:
        """The instant, aware UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed instant; never steps back."""

    def wait(self, seconds: float) -> None:
        """Let ``seconds`` pass; with 0, only look for a stop."""

    def wait_until(self, instant: datetime) -> None:
        """Let time pass until `now` is ``instant``, or as long as that seemed to take if the clock is
        set back meanwhile."""


class SystemClock:
    """The machine's clocks; naps end at once when ``stop`` is set, and each one calls ``alive``.

    Waits are measured by ``ticks`` alone (seconds), which setting the ``time_of_day`` does not touch.
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
