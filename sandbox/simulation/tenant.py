"""The simulated tenant: the sandbox's mail flow, and how often each row is given out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from sandbox.bad_records import SUBJECT
from sandbox.clock import MINUTE_MS, to_ms
from sandbox.mailflow import MailFlow
from sandbox.rows import Content, Row
from sandbox.tenant import Tenant

_OVERLAP_MS = 1000


_DAY_MINUTES = 1440


class SimulatedMail:
    """Mail whose receive times may be whole seconds, as some reports show them, and whose first row
    after each of the instants `bad_from_ms` is a bad record."""

    def __init__(
        self, flow: MailFlow, whole_seconds: bool, bad_from_ms: tuple[int, ...] = ()
    ) -> None:
        self._flow, self._whole_seconds = flow, whole_seconds
        minutes = (_first_with_mail(flow, ms // MINUTE_MS) for ms in bad_from_ms)
        self._bad_minutes = {number for number in minutes if number is not None}
        self.bad_ms = sorted(self.minute(number)[0].received_ms for number in self._bad_minutes)
        """When the bad records were received."""

    def minute(self, number: int) -> list[Row]:
        """Rows received in that minute, in order."""
        rows = self._flow.minute(number)
        if number in self._bad_minutes and rows:
            rows[0] = replace(rows[0], content={**rows[0].content, "Subject": SUBJECT})
        if not self._whole_seconds:
            return rows
        return sorted((_rounded(row) for row in rows), key=lambda row: row.order)


def _first_with_mail(flow: MailFlow, number: int) -> int | None:
    """The first minute with mail, within a day."""
    return next((n for n in range(number, number + _DAY_MINUTES) if flow.minute(n)), None)


class WatchedTenant(Tenant):
    """Counts how often each row was given out, by trace id and recipient.

    The last second of a window does not count: a client may ask for a little more than it needs,
    because nobody knows which bounds the service takes for inside.
    """

    def __init__(self, flow: SimulatedMail) -> None:
        super().__init__(flow)
        self.mail = flow
        self.behind_ms = 0
        """How old what is shown is: more than 0 while a stale replica answers."""
        self.reads: Counter[tuple[str, str]] = Counter()
        self.served = 0

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
        """As the base says; the row too many that tells of another page is not counted."""
        at = self._replica(at)
        rows = super().page(start, end, at, offset=offset, limit=limit, descending=descending)
        given = rows[: limit - 1] if limit is not None else rows
        self.served += len(given)
        last_ms = to_ms(end) - _OVERLAP_MS
        self.reads.update(
            (row["MessageTraceId"], row["RecipientAddress"])
            for row in given
            if row["Received"] <= last_ms
        )
        return rows

    def at_position(
        self, start: datetime, end: datetime, at: datetime, position: int
    ) -> Content | None:
        """The row at a position, from 0 on, newest first, as it is shown at `at`. It counts as not given out."""
        rows = super().page(start, end, at, offset=position, limit=1, descending=True)
        return rows[0] if rows else None

    def count(self, start: datetime, end: datetime, at: datetime) -> int:
        """As the base says."""
        return super().count(start, end, self._replica(at))

    @contextmanager
    def behind(self, ms: int) -> Iterator[None]:
        """Meanwhile show what was shown so many milliseconds before."""
        self.behind_ms = ms
        try:
            yield
        finally:
            self.behind_ms = 0

    def _replica(self, at: datetime) -> datetime:
        return at - timedelta(milliseconds=self.behind_ms) if self.behind_ms else at


def _rounded(row: Row) -> Row:
    received = row.received_ms // 1000 * 1000
    return replace(row, content={**row.content, "Received": received})
