"""Much mail of one kind: each row takes the same short time to make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from sandbox.clock import MINUTE_MS
from sandbox.mailflow import MailFlow, MailFlowOptions
from sandbox.rows import Row

_MINUTES_A_DAY = 1440


@dataclass(frozen=True)
class SteadyMail:
    """`rows_per_day`, evenly, and `burst_rows` in the ten minutes from minute `burst` on.

    Minutes are numbered since 1970. Rows are shown `lateness_ms` after receipt, by their message trace
    id, and never change.
    """

    rows_per_day: int
    burst: int | None = None
    burst_rows: int = 0
    lateness_ms: Callable[[str], int] = lambda trace_id: 0

    def minute(self, number: int) -> list[Row]:
        """Rows received in that minute, in order."""
        first = number * self.rows_per_day // _MINUTES_A_DAY
        count = (number + 1) * self.rows_per_day // _MINUTES_A_DAY - first
        if self.burst is not None and self.burst <= number < self.burst + 10:
            count += self.burst_rows // 10
        begin_ms = number * MINUTE_MS
        return [self._row(begin_ms + n * MINUTE_MS // count, number, n) for n in range(count)]

    def _row(self, received_ms: int, number: int, place: int) -> Row:
        trace_id = f"{number:08x}-{place:08x}-0000-000000000000"
        content = {
            **_SAMPLE.content,
            "Received": received_ms,
            "MessageTraceId": trace_id,
            "MessageId": f"<{number:08x}{place:08x}@mail.example>",
        }
        shown_ms = received_ms + self.lateness_ms(trace_id)
        return replace(_SAMPLE, content=content, visible_ms=shown_ms)


def usual_lateness_ms(trace_id: str) -> int:
    """How long after receipt a row of that id is shown, drawn by it: mostly within ten minutes, and one row
    in twenty more than two hours later."""
    chance = Random(trace_id)
    share = chance.random()
    first, last = next((first, last) for most, first, last in _LATENESS if share < most)
    return round(chance.uniform(first, last) * 1000)


_LATENESS = (
    (0.30, 20, 300),
    (0.70, 300, 600),
    (0.85, 600, 1800),
    (0.95, 1800, 7200),
    (1.00, 7200, 80_000),
)
"""Up to which share of the rows, and from and to how many seconds."""


_SAMPLE = next(row for n in range(60) for row in MailFlow(MailFlowOptions()).minute(n))
_SAMPLE = replace(_SAMPLE, statuses=((0, "Delivered"),))
