"""What a tenant's message trace shows, at any instant, with no network involved."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from operator import attrgetter

from sandbox.clock import MINUTE_MS, to_ms, to_ms_up
from sandbox.mailflow import MailFlow, Minutes
from sandbox.rows import Content, Row, Version


class Tenant:
    """Rows by receive time and by the instant they are looked at.

    Bounds of receive time are inclusive, in whole milliseconds. Minutes are produced when needed;
    at most about `cached_rows` rows are kept, and the times of visibility of sixteen times as many
    (8 bytes each), so that a page deep in a wide window costs little. Safe from any thread.
    """

    def __init__(self, flow: Minutes | None = None, *, cached_rows: int = 200_000) -> None:
        self._flow: Minutes = flow or MailFlow()
        self._added: dict[int, list[Row]] = {}
        self._rows: OrderedDict[int, list[Row]] = OrderedDict()
        self._visible: OrderedDict[int, array[int]] = OrderedDict()
        self._away: dict[int, list[Row]] = {}
        self._limits = (cached_rows, cached_rows * 16)
        self._sizes = [0, 0]
        self._lock = threading.RLock()

    def add(self, *added: Row) -> None:
        """Add rows written by hand (see `make_row`), visible as they themselves say."""
        with self._lock:
            for row in added:
                minute = row.received_ms // MINUTE_MS
                self._added.setdefault(minute, []).append(row)
                if (rows := self._rows.pop(minute, None)) is not None:
                    self._sizes[0] -= len(rows) + 1
                if (times := self._visible.pop(minute, None)) is not None:
                    self._sizes[1] -= len(times) + 1

    def rows(self, start: datetime, end: datetime, at: datetime) -> list[Content]:
        """What is shown at `at` of rows received from `start` to `end`, oldest first."""
        return self.page(start, end, at, offset=0, limit=None)

    def page(
        self,
        start: datetime,
        end: datetime,
        at: datetime,
        *,
        offset: int,
        limit: int | None,
        descending: bool = False,
    ) -> list[Content]:
        """At most `limit` of those rows from position `offset` on, in either order of time."""
        at_ms, found = to_ms(at), list[Content]()
        for number, first, last, whole in _minutes(start, end, at, descending):
            if whole and offset:
                count = self._count(number, at_ms)
                if count <= offset:
                    offset -= count
                    continue
            rows = self._minute(number)
            if not whole:
                begins = bisect_left(rows, first, key=attrgetter("received_ms"))
                rows = rows[begins : bisect_right(rows, last, key=attrgetter("received_ms"))]
            for row in reversed(rows) if descending else rows:
                if row.visible_ms > at_ms or (row.away and not row.is_shown(at_ms)):
                    continue
                if offset:
                    offset -= 1
                    continue
                if limit is not None and len(found) >= limit:
                    return found
                found.append(row.shown_at(at_ms))
        return found

    def count(self, start: datetime, end: datetime, at: datetime) -> int:
        """How many rows are shown at `at`."""
        at_ms, total = to_ms(at), 0
        for number, first, last, whole in _minutes(start, end, at, False):
            if whole:
                total += self._count(number, at_ms)
            else:
                rows = self._minute(number)
                total += sum(r.is_shown(at_ms) and first <= r.received_ms <= last for r in rows)
        return total

    def find(self, trace_id: str, recipient: str, start: datetime, at: datetime) -> Content | None:
        """The row of a message and a recipient, received from `start` to `at`, as it is shown at `at`.

        Looks from `at` back, without regard to case.
        """
        at_ms, key = to_ms(at), (trace_id.lower(), recipient.lower())
        for number, first, _, _ in _minutes(start, at, at, True):
            for row in self._minute(number):
                told = row.content["MessageTraceId"], row.content["RecipientAddress"] or ""
                if (told[0].lower(), told[1].lower()) == key and row.received_ms >= first:
                    return row.shown_at(at_ms) if row.is_shown(at_ms) else None
        return None

    def is_among_first(self, row: Content, most: int) -> bool:
        """Whether a row is one of the first `most` of its message's rows, by recipient."""
        rows = self._minute(row["Received"] // MINUTE_MS)
        row_id, recipient = row["MessageTraceId"], row["RecipientAddress"]
        if len(rows) <= most:
            return True
        return most > sum(
            each.content["MessageTraceId"] == row_id
            and each.content["RecipientAddress"] < recipient
            for each in rows
        )

    def versions(self, start: datetime, end: datetime, until: datetime) -> Iterator[Version]:
        """Every version shown up to `until` of rows received from `start` to `end`."""
        until_ms = to_ms(until)
        for number, first, last, _ in _minutes(start, end, until, False):
            for row in self._minute(number):
                if first <= row.received_ms <= last:
                    yield from row.versions(until_ms)

    def _count(self, number: int, at_ms: int) -> int:
        """How many rows of a whole minute are shown."""
        shown = bisect_right(self._visibility(number), at_ms)
        return shown - sum(
            row.visible_ms <= at_ms and not row.is_shown(at_ms)
            for row in self._away.get(number, ())
        )

    def _minute(self, number: int) -> list[Row]:
        with self._lock:
            rows = self._rows.get(number)
            if rows is None:
                rows = self._flow.minute(number)
                if number in self._added:
                    rows = sorted([*rows, *self._added[number]], key=lambda row: row.order)
                self._rows[number] = rows
                self._sizes[0] += len(rows) + 1
                while self._sizes[0] > self._limits[0] and len(self._rows) > 1:
                    self._sizes[0] -= len(self._rows.popitem(last=False)[1]) + 1
            else:
                self._rows.move_to_end(number)
            return rows

    def _visibility(self, number: int) -> array[int]:
        """When the rows of a minute become visible, milliseconds since 1970, ascending."""
        with self._lock:
            times = self._visible.get(number)
            if times is None:
                rows = self._minute(number)
                times = array("q", sorted(row.visible_ms for row in rows))
                self._visible[number] = times
                self._away[number] = [row for row in rows if row.away]
                self._sizes[1] += len(times) + 1
                while self._sizes[1] > self._limits[1] and len(self._visible) > 1:
                    old, forgotten = self._visible.popitem(last=False)
                    self._away.pop(old, None)
                    self._sizes[1] -= len(forgotten) + 1
            else:
                self._visible.move_to_end(number)
            return times


def _minutes(
    start: datetime, end: datetime, at: datetime, descending: bool
) -> Iterator[tuple[int, int, int, bool]]:
    """The minutes of [start, end], none of them after `at`.

    Each with the bounds in milliseconds, and whether the minute lies wholly within them.
    """
    first, last = to_ms_up(start), min(to_ms(end), to_ms(at))
    if last < first:
        return
    numbers = range(first // MINUTE_MS, last // MINUTE_MS + 1)
    for number in reversed(numbers) if descending else numbers:
        begins = number * MINUTE_MS
        yield number, first, last, first <= begins and begins + MINUTE_MS - 1 <= last
