"""Time in the sandbox: aware UTC datetimes outside, whole milliseconds since 1970 inside.

Rows are compared in milliseconds because that is all the verbose JSON form can carry (observed).
Nothing in the sandbox reads the machine's clock except `wall_clock`.
"""

from __future__ import annotations

import re
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


def utc_instant(text: str, digits: int) -> datetime:
    """The instant in ``text``, ISO 8601 with the zone Z and at most so many ``digits`` of a second.

    Digits beyond a microsecond are cut. Raises ValueError for anything else.
    """
    if not re.fullmatch(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{{1,{digits}}})?Z", text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


def from_ms(milliseconds: int) -> datetime:
    """The aware UTC datetime of a number of milliseconds since 1970."""
    return EPOCH + timedelta(milliseconds=milliseconds)
