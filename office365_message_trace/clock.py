"""The only place that asks for the time or lets it pass."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Protocol

from office365_message_trace.errors import Stopped

_LONGEST_NAP = 1.0  # seconds; so that a stepped or resumed system clock is noticed soon


class Clock(Protocol):
    """Time as the collector sees it. Every wait raises `Stopped` once a stop was asked for."""

    def now(self) -> datetime:
        """The instant, aware UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed instant; never steps."""

    def wait(self, seconds: float) -> None:
        """Let ``seconds`` pass; with 0, only look for a stop."""

    def wait_until(self, instant: datetime) -> None:
        """Let time pass until `now` is ``instant``, or as long as that seemed to take if the clock is
        set back meanwhile."""


class SystemClock:
    """The machine's clocks; naps end at once when ``stop`` is set, and each one calls ``alive``."""

    def __init__(self, stop: Event, alive: Callable[[], None]) -> None:
        self._stop = stop
        self._alive = alive

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self._nap(0)
        while (left := deadline - time.monotonic()) > 0:
            self._nap(left)

    def wait_until(self, instant: datetime) -> None:
        self._nap(0)
        deadline = time.monotonic() + (instant - self.now()).total_seconds()
        while (left := (instant - self.now()).total_seconds()) > 0 and time.monotonic() < deadline:
            self._nap(left)

    def _nap(self, seconds: float) -> None:
        self._alive()
        if self._stop.wait(min(seconds, _LONGEST_NAP)):
            raise Stopped
