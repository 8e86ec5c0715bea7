"""Messages to so many recipients that a listing may not show all of them: pure, no I/O and no clock.

Get-MessageTraceV2 requires the message's id for more than 1000 recipients. It is not known if a listing
of Microsoft Graph shows all their rows. So the rows of such a message are also requested by its id.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from office365_message_trace.model import UNDATED, Row, Window, instant

_MARGIN = timedelta(hours=1)  # around the rows that are known; recipients are handled one by one
_REMEMBERED = 1000  # messages


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose rows are to be requested by its id. Those that were shown since it counted as large lie in
    ``known``."""

    trace_id: str
    known: Window

    @property
    def window(self) -> Window:
        """The time for which its rows are requested."""
        return Window(self.known.start - _MARGIN, self.known.end + _MARGIN)


class MessageCounter:
    """Counts the rows of each message on the pages of one window, ignoring rows without a trace id.

    A message counts as large from half of ``many`` rows on: some of its rows may not be listed yet, or
    no longer.
    """

    def __init__(self, many: int) -> None:
        self._least = many / 2
        self._rows: Counter[str] = Counter()
        self._received: dict[str, tuple[int, int]] = {}

    def add(self, rows: list[Row]) -> None:
        """Count the rows of a page."""
        self._rows.update(row.trace_id for row in rows if row.trace_id)
        if max(self._rows.values(), default=0) < self._least:
            return
        for row in rows:
            if self._rows[row.trace_id] >= self._least and row.received != UNDATED:
                first, last = self._received.get(row.trace_id, (row.received, row.received))
                self._received[row.trace_id] = min(first, row.received), max(last, row.received)

    @property
    def large(self) -> list[Message]:
        """The messages that count as large."""
        return [
            Message(trace_id, Window(instant(first), instant(last)))
            for trace_id, (first, last) in self._received.items()
        ]


class LargeMessages:
    """Remembers, in memory, the messages that were read by id: each once, and again at its final read."""

    def __init__(self) -> None:
        self._completed: dict[str, None] = {}

    def to_ask(self, messages: list[Message], final: bool) -> list[Message]:
        """The ``messages`` to request by id: all of them in a ``final`` read, else only new ones."""
        return [each for each in messages if final or each.trace_id not in self._completed]

    def completed(self, message: Message) -> None:
        """Note that all rows of ``message`` were read."""
        self._completed[message.trace_id] = None
        while len(self._completed) > _REMEMBERED:
            del self._completed[next(iter(self._completed))]
