"""Reads a single millisecond, or one message, until it is complete."""

from collections.abc import Sequence

from office365_message_trace.errors import AnswerTruncated, MessageTraceError, WindowTooLarge
from office365_message_trace.microsoft.paging.links import Circle, LinkedWalk, Links, keys_of
from office365_message_trace.microsoft.paging.one_page import OnePage
from office365_message_trace.microsoft.paging.walk import ENOUGH_QUIET, MOST_PAGES, Ask, PageSize
from office365_message_trace.model import UNDATED, Row, Window, instant

MOST_READINGS = 12
"""Readings of one millisecond before it counts as one that cannot be read completely."""

_SHARES = (1.0, 0.8, 0.9, 0.7, 0.6)  # of a page, for readings with other page edges


class _Reading:
    """One reading of a millisecond: its rows, and reasons to doubt that it is complete."""

    def __init__(self, top: int | None = None) -> None:
        self.top = top
        self.keys: set[int] = set()
        self.contents: set[int] = set()
        self.rows = 0  # without those that the next page merely repeats
        self.pages = 0  # that hold rows
        self.edges: list[str] = []
        self.blind = False  # true if the rows after some page cannot be requested
        self.full_end = False  # true if the last page is full, so that rows after it may be skipped
        self.first_page = self.last_page = 0  # rows, of pages that hold any
        self.last: Row | None = None

    def add(self, rows: Sequence[Row]) -> bool:
        """Add a page. Returns True if it brought anything new."""
        known = len(self.contents)
        self.keys |= keys_of(rows)
        self.contents |= _contents(rows)
        new = len(self.contents) > known
        if rows:
            self.pages += 1
            self.rows += len(rows) - (
                self.last is not None and rows[0].content == self.last.content
            )
            self.first_page = self.first_page or len(rows)
            self.last_page = len(rows)
            self.last = rows[-1]
        return new


class Instant(LinkedWalk):
    """Reads a millisecond until a reading brings nothing new and shows that nothing was cut off.

    It also reads the rows of one message, which no smaller window can divide.

    ``by_recipient`` is for a service that takes a page size and continues after the last row's
    recipient: readings differ in their page size, so that page edges fall elsewhere, and at each edge
    the rows of the recipient there are requested. Without it, a request for what is beyond follows a
    full last page. Raises `AnswerTruncated` if rows are or may be missing.
    """

    def __init__(self, window: Window, size: PageSize, by_recipient: bool = False) -> None:
        super().__init__(window, size)
        self._by_recipient = by_recipient
        self._usual_page = size.asked
        self._keys: set[int] = set()
        self._contents: set[int] = set()
        self._pages = self._readings = self._quiet = 0
        self._reading = _Reading()
        self._around = window
        self._edge: OnePage | None = None
        self._beyond = 0  # rows that the last request skipped

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """As `Walk` says."""
        self._pages += 1
        if self._pages >= MOST_PAGES:
            raise self._truncated("too many rows in one millisecond")
        if self._edge is not None:
            return self._after_edge(self._edge, rows, link)
        try:
            return super().after(rows, link)
        except Circle as circle:
            self._reading.add(rows)
            return self._cut_off(circle)

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """As `Walk` says."""
        if self._edge is not None:
            return self._edge.refused(refusal) or self._at_next_edge()
        return super().refused(refusal)

    def _after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        before = self._reading.last
        self._around = _with_times_of(rows, self._around)
        new = self._reading.add(rows)
        if rows and before is not None:
            self._note_edge(before)
        if link is None:
            return self._after_last(rows, new)
        return Ask(self._window, link)

    def _cut_off(self, refusal: MessageTraceError) -> Ask | None:
        """Try a reading with other page edges, or a request for what is beyond the page."""
        if self._by_recipient:
            self._reading.blind = True
            return self._after_end()
        if isinstance(refusal, Circle):
            raise self._truncated(refusal.sentence)
        if self._beyond == self._reading.rows:
            raise WindowTooLarge(refusal.sentence, refusal.detail, window=self._around)
        return self._ask_beyond()

    def _ask_beyond(self) -> Ask:
        reading = self._reading
        self._beyond = reading.rows
        self._links = Links(self._window, self._size, rows=reading.last_page)
        return Ask(self._window, beyond=reading.rows)

    def _after_last(self, rows: Sequence[Row], new: bool) -> Ask | None:
        """The next request after a page without a link, which is the last one unless it is full."""
        if not self._by_recipient and len(rows) >= self._size.asked:
            if not new:
                raise self._truncated("a full page without a next link")
            return self._ask_beyond()
        return self._after_end()

    def _after_end(self) -> Ask | None:
        reading = self._reading
        if self._by_recipient and reading.last is not None:
            reading.full_end = reading.last_page >= (reading.top or self._size.asked)
            if reading.full_end:
                self._note_edge(reading.last)
        return self._at_next_edge()

    def _note_edge(self, row: Row) -> None:
        """Remember the last ``row`` of a page: rows of its recipient may have been skipped after it."""
        if self._by_recipient:
            edge = row.recipient
            self._reading.edges += [edge] if edge else []
            self._reading.blind = self._reading.blind or not edge

    def _after_edge(self, edge: "OnePage", rows: Sequence[Row], link: str | None) -> Ask | None:
        self._reading.keys |= keys_of(rows)
        self._reading.contents |= _contents(rows)
        if len({row.recipient.lower() for row in rows}) > 1:  # the service ignores the condition
            self._reading.edges.clear()
            return self._at_next_edge()
        try:
            following = edge.after(rows, link)
            self.oddity = edge.oddity or self.oddity
        except WindowTooLarge:
            raise self._truncated("more rows of one recipient than a page holds") from None
        return following or self._at_next_edge()

    def _at_next_edge(self) -> Ask | None:
        reading = self._reading
        if not self._readings and (reading.pages > 1 or reading.blind):
            self._usual_page = min(reading.first_page, self._size.asked)
        if not reading.edges:
            self._edge = None
            return self._judged()
        self._edge = OnePage(self._window, self._size)
        return Ask(self._window, recipient=reading.edges.pop())

    def _judged(self) -> Ask | None:
        """The first request of another reading, or None if the readings so far are complete."""
        reading = self._reading
        self._readings += 1
        new = reading.contents - self._contents
        missing = self._keys - reading.keys
        self._keys |= reading.keys
        self._contents |= reading.contents
        if self._readings == 1 and reading.pages <= 1 and not (reading.full_end or reading.blind):
            self.covered = self._window
            return None
        alone = self._by_recipient and reading.pages == 1 and not reading.blind
        if alone and self._readings > 1 and len(self._keys) > (reading.top or self._size.asked):
            raise self._truncated("a page that was cut short")
        self._quiet = 0 if new else self._quiet + 1
        whole = not reading.blind and reading.rows <= len(self._contents)
        if self._quiet and whole and (not missing or self._quiet >= ENOUGH_QUIET):
            self.covered = self._window
            return None
        if self._readings == MOST_READINGS:
            raise self._truncated("readings of one millisecond that differ")
        share = _SHARES[self._readings % len(_SHARES)]
        top = max(int(self._usual_page * share), 1) if self._by_recipient else None
        self._reading = _Reading(top)
        self._beyond = 0
        self._links = Links(self._window, self._size, top)
        return Ask(self._window, top=top)

    def _truncated(self, sentence: str) -> AnswerTruncated:
        rows = len(self._keys | self._reading.keys)
        return AnswerTruncated(sentence, f"{rows} rows", window=self._around)


def _with_times_of(rows: Sequence[Row], window: Window) -> Window:
    """``window``, extended to the receive times of ``rows``."""
    times = [row.received for row in rows if row.received != UNDATED]
    if not times:
        return window
    earliest, latest = instant(min(times)), instant(max(times))
    return Window(min(window.start, earliest), max(window.end, latest))


def _contents(rows: Sequence[Row]) -> set[int]:
    """Hashes of the contents of ``rows``, valid in this process: whole contents would fill the memory."""
    return {hash(row.content) for row in rows}
