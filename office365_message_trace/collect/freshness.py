"""Measures how long ago each part of the look-back was last read: pure; see `docs/time-range.md`."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from office365_message_trace.collect.coverage import Coverage, Span
from office365_message_trace.model import UNDATED, instant

BANDS = {
    timedelta(minutes=5): "5m",
    timedelta(minutes=10): "10m",
    timedelta(minutes=30): "30m",
    timedelta(hours=2): "2h",
    timedelta(days=1): "1d",
    timedelta(days=3): "3d",
}
"""Upper bounds of the bands of age, and their names; older time belongs to the last band."""


def band(age: timedelta) -> str:
    """The name of the band that ``age`` belongs to."""
    return next((name for bound, name in BANDS.items() if age <= bound), "3d")


def waits(
    coverage: Coverage, received: Iterable[int], now: datetime
) -> Iterator[tuple[str, float]]:
    """For each row forwarded at ``now``, with its time ``received`` in milliseconds: the `band` of its age,
    and the most seconds for which Microsoft can have shown it.

    These count from the last read of its time, which did not find it, or from its receive time. Rows
    without a usable receive time are left out.
    """
    starts = [span.window.start for span in coverage.spans]
    for each in received:
        if each == UNDATED:
            continue
        at = instant(each)
        last = _last_read(coverage.spans, bisect_right(starts, at) - 1, at)
        yield band(now - at), max((now - (last or at)).total_seconds(), 0.0)


def _last_read(spans: tuple[Span, ...], number: int, at: datetime) -> datetime | None:
    if number < 0 or at > spans[number].window.end:
        return None
    return spans[number].read_at


def staleness(coverage: Coverage, now: datetime) -> Iterator[tuple[timedelta, timedelta]]:
    """For each of the `BANDS` with time to be read again: its upper bound, and the time at ``now`` since the
    oldest read in it. Leaves out backlog, which was never read.
    """
    youngest = timedelta(0)
    for oldest in BANDS:
        reads = [
            span.read_at
            for span in coverage.spans
            if span.read_at is not None
            if span.window.start < now - youngest and now - oldest < span.window.end
        ]
        if reads:
            yield oldest, now - min(reads)
        youngest = oldest
