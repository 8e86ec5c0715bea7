"""The collector's clock: Microsoft's, because it stamps the receive times."""

from collections import deque
from datetime import datetime, timedelta
from threading import Lock

from office365_message_trace.clock import Clock
from office365_message_trace.microsoft.dates import (
    AGREEMENT,
    Reading,
    Verdict,
    contradiction_sentence,
    from_before_a_sleep,
    judge,
    off_sentence,
    seconds_of,
    with_reading,
)
from office365_message_trace.model import EPOCH, Log
from office365_message_trace.seldom import HOURLY, Seldom

_LOOK_EVERY = 5.0  # seconds of a wait, because an answer may correct the time meanwhile
_RIGHT_AGAIN = AGREEMENT / 2  # so that a clock on the edge of being wrong is reported once


class MicrosoftClock:
    """`Clock` by the ``Date`` of Microsoft's answers, advanced by the monotonic clock of ``machine``.

    Until an answer has told the time, and while no service tells a usable one, the time of ``machine``
    counts. Otherwise the machine's clock may be wrong, or be set, without any effect: ``log`` gets a
    warning when it is off by more than a minute, and one when the services contradict each other.

    `now` is at most a second and an answer's travel time behind; it may step, also back, when an answer
    arrives. `heard` may be called in any thread; warnings are logged in the thread that calls `wait`.
    """

    def __init__(self, machine: Clock, log: Log) -> None:
        self._machine = machine
        self._log = log
        self._readings: dict[str, tuple[Reading, ...]] = {}
        self._offset: float | None = None
        self._named_off = self._named_contradiction = False
        self._telling = Seldom(HOURLY)
        self._warnings: deque[str] = deque()
        self._lock = Lock()

    @property
    def ahead(self) -> timedelta | None:
        """The lead of the machine's clock over Microsoft's time; None while no service tells it."""
        offset = self._offset
        return None if offset is None else self._machine.now() - self._at(offset)

    def now(self) -> datetime:
        offset = self._offset
        return self._machine.now() if offset is None else self._at(offset)

    def monotonic(self) -> float:
        return self._machine.monotonic()

    def wait(self, seconds: float) -> None:
        while self._warnings:
            self._log(self._warnings.popleft(), "warning")
        self._machine.wait(seconds)

    def wait_until(self, instant: datetime) -> None:
        self.wait(0)
        deadline = self.monotonic() + (instant - self.now()).total_seconds()
        while (left := self._left(instant, deadline)) > 0:
            self.wait(min(left, _LOOK_EVERY))

    def heard(self, service: str, date: str, at: float) -> None:
        """Learn from the ``Date`` of an answer of ``service``, empty if it had none.

        ``at`` is `monotonic` when the answer arrived. Never raises, whatever ``date`` is.
        """
        seconds = seconds_of(date)
        if seconds is None:
            return
        with self._lock:
            machine = self._machine_offset()
            new = Reading(at, seconds - at, machine)
            kept = {
                name: tuple(each for each in readings if not from_before_a_sleep(each, new))
                for name, readings in self._readings.items()
            }
            self._readings = {**kept, service: with_reading(kept.get(service, ()), new)}
            verdict = judge(self._readings, machine)
            self._offset = verdict.offset
            self._warn(verdict, machine)

    def _warn(self, verdict: Verdict, machine: float) -> None:
        """Queue warnings: once of contradicting services, once each time the machine's clock goes wrong, but of the same
        direction once an hour at most."""
        if verdict.contradiction and not self._named_contradiction:
            self._named_contradiction = True
            self._warnings.append(contradiction_sentence(*verdict.contradiction))
        if verdict.offset is None or not verdict.confirmed:
            return
        ahead = machine - verdict.offset
        if abs(ahead) <= (_RIGHT_AGAIN if self._named_off else AGREEMENT):
            self._named_off = False
            return
        where = "ahead" if ahead > 0 else "behind"
        if not self._named_off and self._telling.may_say(where, self._machine.monotonic()):
            self._named_off = True
            self._warnings.append(off_sentence(timedelta(seconds=ahead)))

    def _machine_offset(self) -> float:
        return (self._machine.now() - EPOCH).total_seconds() - self._machine.monotonic()

    def _at(self, offset: float) -> datetime:
        return EPOCH + timedelta(seconds=offset + self._machine.monotonic())

    def _left(self, instant: datetime, deadline: float) -> float:
        """Seconds until ``instant``, or until the monotonic ``deadline`` if that is sooner."""
        return min((instant - self.now()).total_seconds(), deadline - self.monotonic())
