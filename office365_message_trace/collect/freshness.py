"""How long ago each part of the look-back was last read. Pure functions; see `docs/time-range.md`."""

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
"""Upper bounds of the ages by which freshness is told, and their names; older time belongs to the last."""


def band(age: timedelta) -> str:
    """The name of the one of the `BANDS` that ``age`` belongs to."""
    return next((name for bound, name in BANDS.items() if age <= bound), "3d")


def waits(
    coverage: Coverage, received: Iterable[int], now: datetime
) -> Iterator[tuple[str, float]]:
    """Of rows that were forwarded at ``now`` and received then, in milliseconds: the `band` of their age,
    and for how many seconds Microsoft can have shown them at most.

    That is since the last read of their time before, which did not find them, or since they were received.
    Of rows that tell no usable receive time nothing is known.
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
    """Of each of the `BANDS` that holds time to be read again: its upper bound, and how long ago the part
    of it that was read first was read at ``now``. What was never read is left out: it is backlog.
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
