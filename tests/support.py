"""What several tests need: a clock that can be turned, a log that can be read, rows and windows."""

from datetime import UTC, datetime, timedelta

from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.errors import Stopped
from office365_message_trace.microsoft.rows import REPORTING_ROWS
from office365_message_trace.model import Row, Window
from office365_message_trace.storage.base import Damage

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


class TurnedClock:
    """A `Clock` on which waiting takes no time; stops after ``stop_after`` seconds of it."""

    def __init__(self, start: datetime = NOON, stop_after: float = float("inf")) -> None:
        self.waits: list[float] = []
        self._start = start
        self._passed = 0.0
        self._stop_after = stop_after

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

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


class Repairs(Monitor):
    """Keeps the damage that was repaired."""

    def __init__(self, repaired: list[Damage]) -> None:
        self._repaired = repaired

    def repaired(self, damage: Damage) -> None:
        self._repaired.append(damage)
