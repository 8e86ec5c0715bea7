"""Doubles that several tests need (a clock, a log, a storage, a service), rows and windows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.errors import Stopped, StorageFailed
from office365_message_trace.microsoft.rows import REPORTING_ROWS
from office365_message_trace.model import Row, Window
from office365_message_trace.storage.base import Damage, Storage
from office365_message_trace.storage.wrappers import WrappedStorage
from office365_message_trace.transport.client import Pending, Request
from office365_message_trace.transport.session import Answer

_T = TypeVar("_T")

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


class TurnedClock:
    """A `Clock` on which waiting takes no time; stops after ``stop_after`` seconds of it.

    Its time of day is ``ahead`` of the true one; setting that leaves the ticks as they are.
    """

    def __init__(
        self,
        start: datetime = NOON,
        stop_after: float = float("inf"),
        ahead: timedelta = timedelta(0),
    ) -> None:
        self.waits: list[float] = []
        self.ahead = ahead
        self._start = start
        self._passed = 0.0
        self._stop_after = stop_after

    def true(self) -> datetime:
        """The time of everyone else."""
        return self._start + timedelta(seconds=self._passed)

    def now(self) -> datetime:
        return self.true() + self.ahead

    def monotonic(self) -> float:
        return self._passed

    def wait(self, seconds: float) -> None:
        if seconds:
            self.waits.append(seconds)
        self._passed += seconds
        if self._passed > self._stop_after:
            raise Stopped

    def wait_until(self, instant: datetime) -> None:
        self.wait(max((instant - self.now()).total_seconds(), 0.0))


class Logbook:
    """Collects what is logged. A defect, which the collector survives, fails the test, unless one is
    ``expected``."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.expected = False

    def __call__(self, text: str, level: str) -> None:
        assert self.expected or "unexpected fault" not in text, text
        self.lines.append((level, text))

    def texts(self, *levels: str) -> list[str]:
        return [text for level, text in self.lines if not levels or level in levels]


def row(received: int, **fields: object) -> Row:
    """A row received at ``received`` milliseconds; ``fields`` make it differ from others."""
    return REPORTING_ROWS.row(received, {"Received": f"/Date({received})/", **fields})


def minutes(start: float, end: float) -> Window:
    """The window between two numbers of minutes after `NOON`."""
    return Window(NOON + timedelta(minutes=start), NOON + timedelta(minutes=end))


class FaultyStorage(WrappedStorage):
    """Counts its reads and writes, and raises ``failure`` instead the next ``failures`` times."""

    def __init__(
        self,
        storage: Storage,
        failures: float = 0,
        failure: Exception | None = None,
    ) -> None:
        super().__init__(storage)
        self.reads = self.writes = 0
        self.failures = failures
        self._failure = failure or StorageFailed("The storage fails.")

    def _access(self, action: Callable[[], _T], writes: int = 0) -> _T:
        self.reads += not writes
        self.writes += writes
        if self.failures:
            self.failures -= 1
            raise self._failure
        return action()


class ScriptedHttp:
    """An `Http` that keeps what is sent, and gives the outcomes of ``script``, then ``rest`` for ever."""

    def __init__(self, *script: Answer | Exception, rest: Answer | None = None) -> None:
        self.sent: list[Request] = []
        self._script = list(script)
        self._rest = rest

    def begin(self, request: Request) -> Pending:
        self.sent.append(request)
        outcome = self._script.pop(0) if self._script else self._rest
        assert outcome is not None, "a request too many"

        def wait() -> Answer:
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return wait


class Repairs(Monitor):
    """Keeps the damage that was repaired."""

    def __init__(self, repaired: list[Damage]) -> None:
        self._repaired = repaired

    def repaired(self, damage: Damage) -> None:
        self._repaired.append(damage)
