"""Chooses the next window to read from the coverage. Pure: no I/O and no clock."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from math import inf

from office365_message_trace.collect.coverage import (
    Cause,
    Coverage,
    Kind,
    Policy,
    Read,
    minus,
    overlap,
)
from office365_message_trace.collect.timetable import Due, Timetable, next_tick
from office365_message_trace.model import Window

_QUIET = timedelta(minutes=15)  # between a read of time and its last one
_ENDANGERED = timedelta(hours=6)  # before the service stops keeping it
_LOOK_AGAIN = timedelta(minutes=1)
_BEYOND = timedelta(seconds=2)  # by which services may read past the end of a window
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before ``until``."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Size:
    """The limits of a window: its length, and the number of rows it is expected to hold."""

    span: timedelta
    rows: float = inf


@dataclass(frozen=True, slots=True)
class Sizes:
    """The limits of windows of each ``kind``, and of ``final`` ones. A live window is extended backwards over
    due time as long as it holds no more than ``room`` rows; with 0 it is not extended."""

    kind: Mapping[Kind, Size]
    final: Size
    room: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """Decides what to read at ``now``. Leaves out windows in ``busy``, which are being read or wait for
    another attempt."""

    coverage: Coverage
    policy: Policy
    timetable: Timetable
    now: datetime
    sizes: Sizes
    busy: Sequence[Window] = ()

    def next(self, kinds: Iterable[Kind]) -> Read | Wait:
        """The window to read, or the wait until one is due.

        Considers only windows of ``kinds``, an earlier kind before a later one.
        """
        for kind in kinds:
            if read := self._read(kind):
                return read
        return Wait(min(max(self._live_at, self.now + _SECOND), self.now + _LOOK_AGAIN))

    @property
    def _live_at(self) -> datetime:
        """When fresh mail is read next: at a tick, as one request may then read again what is due at it, too."""
        earliest = self.coverage.live + self.policy.delay
        width = self.sizes.kind[Kind.LIVE].span
        return min(next_tick(earliest, self.policy.frequency), earliest + width)

    @property
    def _second(self) -> datetime:
        return self.now.replace(microsecond=0)

    def _read(self, kind: Kind) -> Read | None:
        match kind:
            case Kind.LIVE:
                return self._live()
            case Kind.BACKLOG:
                return self._backlog()
            case Kind.REREAD:
                return self._most_urgent(kind, self._rereads, self._finals(kind))
            case Kind.CONFIRM:
                return self._most_urgent(kind, [], self._finals(kind))

    def _live(self) -> Read | None:
        """Fresh mail, oldest first, extended backwards over due time if one page holds both."""
        start, width = self.coverage.live, self.sizes.kind[Kind.LIVE].span
        end = self._second - self.policy.delay
        if self._second < self._live_at:
            return None
        if end > start + width:
            return Read(Kind.LIVE, Window(start, start + width), self.now)
        reach = max(self._reach(end), min(start, end - width))
        due = (max(each.window.start, reach) for each in self._rereads if each.window.end > reach)
        return Read(Kind.LIVE, Window(min([start, *due]), end), self.now)

    def _reach(self, end: datetime) -> datetime:
        """The earliest start of a live window to ``end`` that fits one page and crosses no gap or busy window."""
        start = live = self.coverage.live
        for span in reversed(self.coverage.spans):
            if span.window.end != start or span.read_at is None:
                break
            start = span.window.start
        start = max([start, *(min(each.end, live) for each in self.busy if each.start < live)])
        if start == live:
            return live
        newest = self.coverage.spans[-1]
        room = self.sizes.room - newest.rows * ((end - live) / newest.window.span)
        known = Window(start, live)
        return (
            self._fitting(known, Size(known.span, room), newest_first=True).start
            if room > 0
            else live
        )

    def _backlog(self) -> Read | None:
        """The newest of the backlog, or first the oldest if the service will soon drop it."""
        unread = minus(self.coverage.backlog, self.busy)
        if not unread:
            return None
        width, first, last = self.sizes.kind[Kind.BACKLOG].span, min(unread), max(unread)
        endangered = first.start < self.policy.oldest_kept(self.now + _ENDANGERED)
        window = _beginning(first, width) if endangered else _end(last, width)
        return Read(Kind.BACKLOG, window, self.now)

    @cached_property
    def _rereads(self) -> list[Due]:
        now = self._second
        return [
            due
            for span in self.coverage.spans
            if span.read_at is not None
            for due in self.timetable.due(span, span.read_at, now)
        ]

    @property
    def _before_unreadable(self) -> list[Window]:
        """The last moments before unreadable records: every window that ends there would fail, and be
        divided. Their last read is enough."""
        gaps = (gap.window for gap in self.coverage.gaps if gap.cause is Cause.UNREADABLE)
        return [Window(gap.start - _BEYOND, gap.end) for gap in gaps]

    def _finals(self, kind: Kind) -> list[Due]:
        """Time that was read before and is old enough for its last read.

        If it was old enough when it was read before, that confirms what is known. Rows may have been shown
        since in all other time, so its last read is a re-read like any other.
        """
        age, now = self.policy.final_age, self._second
        return [
            Due.aged(part, age, now)
            for span in self.coverage.spans
            if span.read_at is not None and span.read_at <= now - _QUIET
            for part in span.window.divided_at(span.read_at - age, now - age)
            if part.end <= now - age
            if (part.end <= span.read_at - age) is (kind is Kind.CONFIRM)
        ]

    def _most_urgent(self, kind: Kind, rereads: list[Due], finals: list[Due]) -> Read | None:
        """A window of the most urgent adjoining time that is worth a request."""
        before_backlog = self.timetable.before_backlog if self.coverage.backlog else 0.0
        again = _adjoining(_without(rereads, [*self.busy, *self._before_unreadable]))
        groups = [(each, False) for each in again if each.urgency >= before_backlog]
        groups += [(each, True) for each in _adjoining(_without(finals, self.busy))]
        for due, final in sorted(groups, key=lambda each: each[0].urgency, reverse=True):
            size = self.sizes.final if final else self.sizes.kind[kind]
            newest_first = self.timetable.newest_first and not final
            window = self._fitting(due.window, size, newest_first)
            if window != due.window or window.span >= min(size.span, due.least):
                return Read(kind, window, self.now, final)
        return None

    def _fitting(self, available: Window, size: Size, newest_first: bool) -> Window:
        """The end or the beginning of ``available`` that is no larger than ``size``."""
        window = (_end if newest_first else _beginning)(available, size.span)
        rows = size.rows
        spans = [s.part(window) for s in self.coverage.spans if overlap(s.window, window)]
        for span in reversed(spans) if newest_first else spans:
            if span.rows > rows:
                length = timedelta(seconds=int(span.window.span.total_seconds() * rows / span.rows))
                length = max(length, _SECOND)
                if newest_first:
                    return Window(max(window.start, span.window.end - length), window.end)
                return Window(window.start, min(window.end, span.window.start + length))
            rows -= span.rows
        return window


def _without(dues: Iterable[Due], windows: Sequence[Window]) -> Iterator[Due]:
    """``dues`` without the time in ``windows``."""
    for due in dues:
        if not any(overlap(due.window, each) for each in windows):
            yield due
            continue
        for window in minus([due.window], windows):
            yield Due(window, due.urgency, due.least)


def _adjoining(dues: Iterable[Due]) -> list[Due]:
    """The same time with adjoining parts joined: as urgent as the most urgent part, and worth a request as
    soon as any part is."""
    joined: list[Due] = []
    for due in sorted(dues, key=lambda each: each.window):
        if joined and due.window.start <= joined[-1].window.end:
            last = joined[-1]
            end = max(last.window.end, due.window.end)
            joined[-1] = Due(
                Window(last.window.start, end),
                max(last.urgency, due.urgency),
                min(last.least, due.least),
            )
        else:
            joined.append(due)
    return joined


def _beginning(window: Window, width: timedelta) -> Window:
    return Window(window.start, min(window.end, window.start + width))


def _end(window: Window, width: timedelta) -> Window:
    return Window(max(window.start, window.end - width), window.end)
