"""Messages to so many recipients that a listing may not show all of them: pure, no I/O and no clock.

Get-MessageTraceV2 wants the message's id for more than 1000 recipients; whether a listing of Microsoft
Graph shows all their rows is not known. So the rows of such a message are also asked for by its id.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from office365_message_trace.model import UNDATED, Row, Window, instant

MANY_RECIPIENTS = 1000
"""Documented for Get-MessageTraceV2: above this, the message trace id is required."""

_MARGIN = timedelta(hours=1)  # around the rows that are known; recipients are handled one by one
_REMEMBERED = 1000  # messages


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose rows are to be asked for by its id, and the time in which they are."""

    trace_id: str
    window: Window


class MessageCounter:
    """Counts the rows of each message on the pages of one window."""

    def __init__(self, many: int = MANY_RECIPIENTS) -> None:
        self._many = many
        self._rows: Counter[str] = Counter()
        self._received: dict[str, tuple[int, int]] = {}

    def add(self, rows: list[Row]) -> None:
        """Count the rows of a page; small pages cannot hold that many."""
        if 2 * len(rows) < self._many:
            return
        self._rows.update(row.trace_id for row in rows)
        large = {trace_id for trace_id, count in self._rows.items() if 2 * count >= self._many}
        for row in rows if large else ():
            if row.trace_id in large and row.received != UNDATED:
                first, last = self._received.get(row.trace_id, (row.received, row.received))
                self._received[row.trace_id] = min(first, row.received), max(last, row.received)

    @property
    def large(self) -> list[Message]:
        """The messages with so many rows or more."""
        return [
            Message(trace_id, Window(instant(first) - _MARGIN, instant(last) + _MARGIN))
            for trace_id, (first, last) in self._received.items()
            if self._rows[trace_id] >= self._many
        ]


class LargeMessages:
    """Which messages are still to be asked for by id: each when it is noticed, and at its final read."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, bool], None] = {}
        self._waiting: list[Message] = []

    def notice(self, messages: Iterable[Message], final: bool) -> None:
        """Take in the large messages of a window that was read, the last time if ``final``."""
        for message in messages:
            if (message.trace_id, final) not in self._asked:
                self._asked[message.trace_id, final] = None
                self._waiting.append(message)
        while len(self._asked) > _REMEMBERED:
            del self._asked[next(iter(self._asked))]

    def next(self) -> Message | None:
        """Take out a message to ask for."""
        return self._waiting.pop(0) if self._waiting else None

    def again(self, message: Message) -> None:
        """Ask for ``message`` later, because it did not work now."""
        self._waiting.append(message)
