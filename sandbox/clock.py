"""Time in the sandbox: aware UTC datetimes outside, whole milliseconds since 1970 inside.

Rows are compared in milliseconds because that is all the verbose JSON form can carry (observed).
Nothing in the sandbox reads the machine's clock except `wall_clock`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
MINUTE_MS = 60_000


def wall_clock() -> datetime:
    """The machine's time, aware, in UTC."""
    return datetime.now(UTC)


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970, rounded down. Exact: no floating point is involved."""
    return (instant - EPOCH) // MILLISECOND


def to_ms_up(instant: datetime) -> int:
    """Milliseconds since 1970, rounded up: the first whole millisecond not before `instant`."""
    return -((EPOCH - instant) // MILLISECOND)


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC datetime of a number of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=milliseconds)
