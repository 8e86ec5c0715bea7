"""Messages to so many recipients that a listing may not show all of them: pure, no I/O and no clock.

Get-MessageTraceV2 requires the message's id for more than 1000 recipients. It is not known if a listing
of Microsoft Graph shows all their rows. So the rows of such a message are also requested by its id.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile

from office365_message_trace.model import UNDATED, Page, Row, Window, instant

_MARGIN = timedelta(hours=1)  # around the rows that are known; recipients are handled one by one
_REMEMBERED = 1000  # messages


@dataclass(frozen=True, slots=True)
class Message:
    """A message whose rows are to be requested by its id. So many different ones were ``listed``, which lie in
    ``known``; ``cut`` is true if listings may show no more than these."""

    trace_id: str
    known: Window
    listed: int = 0
    cut: bool = False

    @property
    def window(self) -> Window:
        """The time for which its rows are requested."""
        return Window(self.known.start - _MARGIN, self.known.end + _MARGIN)


class MessageCounter:
    """Counts the different rows of each message on the pages of one window, ignoring rows without a trace id.

    A message counts as large from half of ``many`` rows on: some of its rows may not be listed yet, or
    no longer. With just as ``many``, it may have more that are not listed; a listing that shows more has no such limit.
    """

    def __init__(self, many: int) -> None:
        self._many = many
        self._least = many / 2
        self._at: int | None = None  # the last receive time of the page before
        self._edge: set[int] = (
            set()
        )  # identities of the rows at that time, which the next page may repeat
        self._rows: Counter[str] = Counter()
        self._received: dict[str, tuple[int, int]] = {}

    def add(self, rows: list[Row]) -> None:
        """Count the rows of the next page."""
        again = _at_start(rows, self._at)
        self._rows.update(row.trace_id for row in rows[len(again) :] if row.trace_id)
        self._rows.update(
            row.trace_id for row in again if row.trace_id and _identity(row) not in self._edge
        )
        self._keep_edge(rows)
        if max(self._rows.values(), default=0) < self._least:
            return
        for row in rows:
            if self._rows[row.trace_id] >= self._least and row.received != UNDATED:
                first, last = self._received.get(row.trace_id, (row.received, row.received))
                self._received[row.trace_id] = min(first, row.received), max(last, row.received)

    def _keep_edge(self, rows: list[Row]) -> None:
        for last in rows[-1:]:
            edge = set(map(_identity, _at_start(rows[::-1], last.received)))
            self._edge = self._edge | edge if last.received == self._at else edge
            self._at = last.received

    @property
    def large(self) -> list[Message]:
        """The messages that count as large."""
        return [
            Message(trace_id, Window(instant(first), instant(last)), rows, rows == self._many)
            for trace_id, (first, last) in self._received.items()
            for rows in [self._rows[trace_id]]
        ]


class AnswerById:
    """What the pages that were requested by the id of ``message`` tell of it."""

    def __init__(self, message: Message) -> None:
        self._message = message
        self._rows: set[int] = set()  # hashes
        self._ended = False

    def add(self, page: Page) -> None:
        """Take in the next page."""
        self._ended = page.covered is not None
        own = [row for row in page.rows if row.trace_id == self._message.trace_id]
        self._rows.update(map(_identity, own))

    @property
    def lacks_rows(self) -> bool:
        """True if rows of the message may be missing, once all pages came: its listing may be cut, and the answer
        is not that of a service that heeds the id, which gives all rows of the listing at least."""
        heeded = self._ended and len(self._rows) >= self._message.listed
        return self._message.cut and not heeded


def _at_start(rows: list[Row], received: int | None) -> list[Row]:
    """The first of ``rows`` up to one of another time than ``received``."""
    return list(takewhile(lambda row: row.received == received, rows))


def _identity(row: Row) -> int:
    """A hash of what identifies ``row``, valid in this process.

    It is cheaper than the row's identity, and differs only for rows without a recipient that change meanwhile.
    """
    return hash((row.received, row.trace_id, row.recipient or row.form))


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
