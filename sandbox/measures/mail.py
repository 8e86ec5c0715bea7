"""Much mail of one kind: each row takes the same short time to make."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandbox.clock import MINUTE_MS
from sandbox.mailflow import MailFlow, MailFlowOptions
from sandbox.rows import Row

_MINUTES_A_DAY = 1440


@dataclass(frozen=True)
class SteadyMail:
    """`rows_per_day`, evenly, and `burst_rows` in the ten minutes from minute `burst` on.

    Minutes are numbered since 1970. Rows are shown at once and never change.
    """

    rows_per_day: int
    burst: int | None = None
    burst_rows: int = 0

    def minute(self, number: int) -> list[Row]:
        """Rows received in that minute, in order."""
        first = number * self.rows_per_day // _MINUTES_A_DAY
        count = (number + 1) * self.rows_per_day // _MINUTES_A_DAY - first
        if self.burst is not None and self.burst <= number < self.burst + 10:
            count += self.burst_rows // 10
        begin_ms = number * MINUTE_MS
        return [self._row(begin_ms + n * MINUTE_MS // count, number, n) for n in range(count)]

    def _row(self, received_ms: int, number: int, place: int) -> Row:
        content = {
            **_SAMPLE.content,
            "Received": received_ms,
            "MessageTraceId": f"{number:08x}-{place:08x}-0000-000000000000",
            "MessageId": f"<{number:08x}{place:08x}@mail.example>",
        }
        return replace(_SAMPLE, content=content, visible_ms=received_ms)


_SAMPLE = next(row for n in range(60) for row in MailFlow(MailFlowOptions()).minute(n))
_SAMPLE = replace(_SAMPLE, statuses=((0, "Delivered"),))
