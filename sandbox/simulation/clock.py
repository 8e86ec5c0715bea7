"""Virtual time: waits take no time, and everything that comes with time comes in its order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from math import ceil
from typing import TypeVar

from office365_message_trace.errors import Stopped
from sandbox.clock import from_ms, to_ms_up
from sandbox.simulation.crashes import Crashes, Killed

_MOST_IDLE_LOOKS = 20_000
_MOST_LOOKS_A_MINUTE = 10_000
_MINUTE_MS = 60_000
_Result = TypeVar("_Result")


class Livelock(BaseException):
    """The collector turns in a circle in which no time passes, or next to none.

    No `Exception`, because the collector goes on after those of a window.
    """


class VirtualClock:
    """The collector's clock. `ms` is the true time, `offset_ms` how much the collector's is ahead.

    Times are milliseconds since 1970. `steps` are instants (true time) with the offset that holds
    from then on. A stop comes at `stop_ms`; a kill when `crashes` say.
    """

    def __init__(
        self, start_ms: int, crashes: Crashes, steps: Iterable[tuple[int, int]] = ()
    ) -> None:
        self.ms = start_ms
        self.offset_ms = 0
        self.stop_ms: int | None = None
        self.alive: Callable[[], None] = lambda: None
        """Called at each wait, and whenever one ends."""
        self._crashes = crashes
        self._steps = deque(sorted(steps))
        self._idle_looks = self._looks = self._looks_since_ms = 0
        self._deferred: int | None = None
        self.skip_to(start_ms)

    @property
    def stopping(self) -> bool:
        """Whether the platform has asked to stop."""
        return self.stop_ms is not None and self.ms >= self.stop_ms

    def now(self) -> datetime:
        """The collector's time."""
        return from_ms(self.ms + self.offset_ms)

    def true(self) -> datetime:
        """The time of everyone else."""
        return from_ms(self.ms)

    def monotonic(self) -> float:
        """Seconds that no step touches."""
        return self.ms / 1000

    def wait(self, seconds: float) -> None:
        """As `office365_message_trace.clock.Clock` says."""
        self._look()
        deadline = self.ms + ceil(seconds * 1000)
        self._pass_to(deadline)

    def wait_until(self, instant: datetime) -> None:
        """As `office365_message_trace.clock.Clock` says; notices steps at once."""
        self._look()
        target = to_ms_up(instant)
        latest = target - self.offset_ms
        while (left := min(target - self.offset_ms, latest) - self.ms) > 0:
            deadline = self.ms + left
            if self._steps:
                deadline = min(deadline, max(self._steps[0][0], self.ms + 1))
            self._pass_to(deadline)

    def elapse(self, seconds: float) -> None:
        """Let time pass that nothing interrupts, as a request does."""
        if self._deferred is None:
            self.skip_to(self.ms + ceil(seconds * 1000))
        else:
            self._deferred += ceil(seconds * 1000)

    def deferring(self, action: Callable[[], _Result]) -> tuple[_Result, int]:
        """What `action` returns, and the instant when all that it let elapse will have passed.

        Until then others go on: this is how a request is under way.
        """
        began, self._deferred = self.ms, 0
        try:
            result = action()
            return result, began + self._deferred
        finally:
            self._deferred = None

    def skip_to(self, ms: int) -> None:
        """Let time pass until `ms`, taking the steps of the clock on the way."""
        while self._steps and self._steps[0][0] <= ms:
            at, self.offset_ms = self._steps.popleft()
            self.ms = max(self.ms, at)
        if ms > self.ms:
            self.ms = ms
            self._idle_looks = 0

    @contextmanager
    def another_process(self, stop_ms: int) -> Iterator[None]:
        """Let another process have the clock, until `stop_ms` at most; the first one stands still."""
        before = self.stop_ms, self.alive, self._deferred
        self.stop_ms, self.alive, self._deferred = stop_ms, lambda: None, None
        try:
            yield
        finally:
            self.stop_ms, self.alive, self._deferred = before

    def _pass_to(self, deadline: int) -> None:
        if deadline <= self.ms:
            return
        stop = self.stop_ms if self.stop_ms is not None else deadline + 1
        killed = self._crashes.in_wait(self.ms, min(deadline, stop))
        if killed is not None:
            self.skip_to(killed)
            if self._crashes.strike("waiting", self.ms):
                raise Killed
        self.skip_to(min(deadline, stop))
        if self.stopping:
            raise Stopped
        self.alive()

    def _look(self) -> None:
        self._idle_looks += 1
        self._looks += 1
        if self.ms - self._looks_since_ms > _MINUTE_MS:
            self._looks, self._looks_since_ms = 0, self.ms
        if self._idle_looks > _MOST_IDLE_LOOKS or self._looks > _MOST_LOOKS_A_MINUTE:
            raise Livelock("no time passes any more, or next to none")
        if self._crashes.strike("waiting", self.ms):
            raise Killed
        if self.stopping:
            raise Stopped
        self.alive()
