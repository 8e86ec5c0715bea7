"""The simulated tenant: the sandbox's mail flow, and how often each row is given out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sandbox.clock import to_ms
from sandbox.mailflow import MailFlow
from sandbox.rows import Content, Row
from sandbox.tenant import Tenant

_OVERLAP_MS = 1000


@dataclass(frozen=True)
class SimulatedMail:
    """Mail whose receive times may be whole seconds, as some reports show them."""

    flow: MailFlow
    whole_seconds: bool

    def minute(self, number: int) -> list[Row]:
        """Rows received in that minute, in order."""
        rows = self.flow.minute(number)
        if not self.whole_seconds:
            return rows
        return sorted((_rounded(row) for row in rows), key=lambda row: row.order)


class WatchedTenant(Tenant):
    """Counts how often each row was given out, by trace id and recipient.

    The last second of a window does not count: a client may ask for a little more than it needs,
    because nobody knows which bounds the service takes for inside.
    """

    def __init__(self, flow: SimulatedMail) -> None:
        super().__init__(flow)
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


def _rounded(row: Row) -> Row:
    received = row.received_ms // 1000 * 1000
    return Row({**row.content, "Received": received}, row.visible_ms, row.statuses)
