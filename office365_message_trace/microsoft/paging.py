"""Which request comes next while a window is read, and when the window is complete: pure, no I/O.

A walk is told what each page brought and answers with the next request. Next links are trusted as
little as possible: that of Graph names the receive time and the recipient of the last row and skips
rows that share both; links of either service were seen to lead to themselves or to empty pages.

* `ByTime` (Graph): a page is a window. What is behind its last row is asked for by time.
* `ByLinks` (Reporting Web Service; Graph where rows are in no order): follows the links.
* `OnePage`: believes only what fits one page, for which neither order nor links matter.
* `Instant`: reads a single millisecond, or one message, again until nothing new appears.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import pairwise
from typing import Protocol

from office365_message_trace.errors import (
    AnswerTruncated,
    MessageTraceError,
    Unavailable,
    WindowTooLarge,
)
from office365_message_trace.model import MILLISECOND, UNDATED, Row, Window, instant, milliseconds

MOST_EMPTY = 3
"""Empty pages in a row, before their links count as endless."""
MOST_REPEATING = 3
"""Pages in a row that hold known rows only, before their links count as a circle."""
MOST_READINGS = 12
"""Readings of one millisecond, before it counts as one that cannot be read completely."""
MOST_PAGES = 1200
"""Pages of one walk: two readings of the million rows at which the Reporting Web Service ends."""

LEAST_PAGE = 10
"""Rows that fit a page of any service, as long as no larger page was seen."""

_LEEWAY = timedelta(seconds=2)  # around a window, and no more than it spans, before rows are strays
_NOWHERE = "next links that lead nowhere"
_BACK = "next links that lead back"
_REFUSED = "next links that cannot be followed"

_ENOUGH_QUIET = 3  # readings in a row that bring nothing new, though each lacks rows of another
_SHARES = (1.0, 0.8, 0.9, 0.7, 0.6)  # of a page, for readings with other page edges


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for rows of ``window``: its first page, or the page that ``link`` leads to.

    ``top`` is the number of rows to ask for, where it is not the usual one. ``beyond`` asks for what
    follows that many rows, of a service whose links say no more than that. ``recipient`` and
    ``trace_id`` ask for the rows of one recipient or one message only.
    """

    window: Window
    link: str | None = None
    top: int | None = None
    beyond: int | None = None
    recipient: str | None = None
    trace_id: str | None = None


class Walk(Protocol):
    """The way through a window."""

    first: Ask
    covered: Window | None
    """The part of the window of which every row was on the pages so far."""
    oddity: str | None
    """What was strange about the links, for the log."""

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """The next request after a page of ``rows`` with a next ``link``; None if the window is
        complete. Raises `WindowTooLarge` where only smaller windows lead on."""

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """The next request after the last one, which was for what follows a page, was refused; None
        if the window is complete. Raises `Unavailable` if nothing is known of what is behind it, and
        `WindowTooLarge` as `after` does."""


def without_strays(rows: Sequence[Row], window: Window) -> Sequence[Row]:
    """The same rows but for those from outside ``window``, which services may add to a page."""
    leeway = min(_LEEWAY, window.span)
    earliest = milliseconds(window.start - leeway)
    latest = milliseconds(window.end + leeway)
    received = [row.received for row in rows]
    if not received or earliest <= min(received) <= max(received) <= latest:
        return rows
    return [row for row in rows if earliest <= row.received <= latest or row.received == UNDATED]


def _with_times_of(rows: Sequence[Row], window: Window) -> Window:
    """``window``, and the receive times of ``rows`` that came with it."""
    times = [row.received for row in rows if row.received != UNDATED]
    if not times:
        return window
    earliest, latest = instant(min(times)), instant(max(times))
    return Window(min(window.start, earliest), max(window.end, latest))


def _contents(rows: Sequence[Row]) -> set[int]:
    """The contents of ``rows``, by hashes of this process: all of a window's would take much memory."""
    return {hash(row.content) for row in rows}


def _keys(rows: Sequence[Row]) -> set[int]:
    """The same of their keys."""
    return {hash(row.identity) for row in rows}


@dataclass(slots=True)
class PageSize:
    """The number of rows that is ``asked`` for, and the ``largest`` page that came.

    Walks share it, and what tells the end: whether rows came ``behind_empty`` pages, and whether next links
    were ``refused_at_end``, behind pages with rows that were not full.
    """

    asked: int
    largest: int = 0
    behind_empty: bool = False
    refused_at_end: bool = False

    def may_be_full(self, rows: int, top: int | None = None) -> bool:
        """Whether a page of so many ``rows``, of ``top`` if it asked for that many, may have been cut
        off: services may give smaller pages than are asked for."""
        return rows >= min(top or self.asked, max(self.largest, LEAST_PAGE))


class Order(Enum):
    """How receive times follow each other."""

    NEWEST_FIRST = "newest first"
    OLDEST_FIRST = "oldest first"
    NONE = "no order"


@dataclass(slots=True)
class RowOrder:
    """The order in which rows came so far, None as long as no page showed any.

    Walks share it: the pages of a single window may look as if they were in order. It is ``proven`` once
    rows went on in it behind a page.
    """

    known: Order | None = None
    proven: bool = False

    def observe(self, received: Sequence[int]) -> None:
        """Take in the receive times of rows that came one after the other."""
        pairs = list(pairwise(received))
        falls = any(later < earlier for earlier, later in pairs)
        rises = any(later > earlier for earlier, later in pairs)
        if falls or rises:
            one_way = Order.NEWEST_FIRST if falls else Order.OLDEST_FIRST
            fits = falls != rises and self.known in (None, one_way)
            self.known = one_way if fits else Order.NONE


class _Circle(WindowTooLarge):
    """Links of pages that may be full lead to known rows only."""


class _Links:
    """The links of a request's pages, one after the other, and what each is worth.

    A link of a page that was not full is no link if it is refused or leads back; neither is a link of
    an empty page that leads nowhere.
    """

    def __init__(
        self, window: Window, size: PageSize, top: int | None = None, rows: int = 0
    ) -> None:
        self.oddity: str | None = None
        self.rows = rows
        """Of the last page that held any."""
        self.seen: set[int] = set()
        """Keys of rows; a page that is alone is not looked at."""
        self.moved = False
        """Whether a row was on two pages."""
        self._window = window
        self._size = size
        self._top = top
        self._followed: set[str] = set()
        self._pages: set[int] = set()  # hashes
        self._empty = self._repeating = 0

    @property
    def ended(self) -> bool:
        """Whether the last page that held rows, if any, was not full."""
        return not self._size.may_be_full(self.rows, self._top)

    def judged(self, rows: Sequence[Row], link: str | None) -> tuple[Sequence[Row], str | None]:
        """The page of ``rows`` without strays, and without what only a link that is none led to; and
        its ``link``, if it is one. Raises `_Circle`.
        """
        rows = without_strays(rows, self._window)
        self._empty = 0 if rows else self._empty + 1
        alone = not link and not self._followed
        keys = set() if alone else _keys(rows)
        new = alone or not keys <= self.seen
        if rows and not new and self.ended:
            self.oddity = _BACK
            return (), None
        self.moved = self.moved or not keys.isdisjoint(self.seen)
        self.seen |= keys
        if rows:
            if self._followed and not self.rows:
                self._size.behind_empty = True
            self.rows = len(rows)
            self._size.largest = max(self._size.largest, self.rows)
            self._repeating = 0 if new else self._repeating + 1
        if link is None:
            return rows, None
        back = link in self._followed or self._came_before(keys)
        if not rows and (back or self._empty >= MOST_EMPTY):
            self.oddity = _NOWHERE
            return rows, None
        if back and self.ended:
            self.oddity = _BACK
            return rows, None
        if back or self._repeating >= MOST_REPEATING:
            raise _Circle("next links lead in a circle")
        self._followed.add(link)
        return rows, link

    def _came_before(self, keys: set[int]) -> bool:
        """Whether the same page came before, by a link that may be written in another way."""
        if not keys:
            return False
        known = len(self._pages)
        self._pages.add(hash(frozenset(keys)))
        return len(self._pages) == known


class _LinkedWalk(ABC):
    """What all walks do alike: they believe links as far as `_Links` does."""

    oddity: str | None = None
    covered: Window | None = None

    def __init__(self, window: Window, size: PageSize) -> None:
        self.first = Ask(window)
        self._window = window
        self._size = size
        self._links = _Links(window, size)

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """As `Walk` says."""
        rows, link = self._links.judged(rows, link)
        self.oddity = self._links.oddity or self.oddity
        return self._after(rows, link)

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """As `Walk` says."""
        size = self._size
        if not self._links.rows and (size.behind_empty or not size.refused_at_end):
            raise Unavailable(refusal.sentence, refusal.detail)
        if not self._links.ended:
            return self._cut_off(refusal)
        size.refused_at_end = True
        self.oddity = _REFUSED
        return self._after((), None)

    @abstractmethod
    def _after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """The next request after a page whose ``link``, if any, leads on."""

    def _cut_off(self, refusal: MessageTraceError) -> Ask | None:
        """The next request after a page that may be full and has no usable link."""
        raise WindowTooLarge(refusal.sentence, refusal.detail)


class ByLinks(_LinkedWalk):
    """Follows next links to the end, at most ``most`` pages.

    A row that is on two pages shows that rows moved in between, so that others may be on none. Then it
    begins again, until as many different rows came as one reading has places. A reading that brings nothing
    new may lack the same rows each time, as where two servers answer in turn: smaller windows tell.
    """

    def __init__(self, window: Window, size: PageSize, most: int | None = None) -> None:
        super().__init__(window, size)
        self._most = most or MOST_PAGES
        self._pages = self._rows = 0
        self._moved = False
        self._known: set[int] = set()  # keys, of the readings before

    def _after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        self._pages += 1
        self._rows += len(rows)
        self._moved = self._moved or self._links.moved
        if link is None:
            if len(rows) >= self._size.asked:
                raise AnswerTruncated("a full page without a next link", f"{len(rows)} rows")
            if self._moved and not self._is_settled():
                self._rows = 0
                self._links = _Links(self._window, self._size)
                return self.first
            self.covered = self._window
            return None
        if self._pages >= self._most:
            raise WindowTooLarge("more pages than are good to read again")
        return Ask(self._window, link)

    def _is_settled(self) -> bool:
        """Take in the reading that ends; whether as many different rows came as it has places."""
        news = not self._links.seen <= self._known
        self._known |= self._links.seen
        if len(self._known) >= self._rows:
            return True
        if not news:
            raise WindowTooLarge("rows that move from page to page")
        return False


class _Reading:
    """One reading of a millisecond: what it brought, and what there is to doubt about it."""

    def __init__(self, top: int | None = None) -> None:
        self.top = top
        self.keys: set[int] = set()
        self.contents: set[int] = set()
        self.rows = 0  # without those that the next page merely repeats
        self.pages = 0  # that hold rows
        self.edges: list[str] = []
        self.blind = False  # whether what follows some page cannot be asked for
        self.full_end = False  # whether the last page is full, so that rows after it may be skipped
        self.first_page = self.last_page = 0  # rows, of pages that hold any
        self.last: Row | None = None

    def add(self, rows: Sequence[Row]) -> bool:
        """Take in a page; whether it brought anything new."""
        known = len(self.contents)
        self.keys |= _keys(rows)
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


class Instant(_LinkedWalk):
    """Reads a millisecond until a reading brings nothing new and shows that nothing was cut off.

    It serves the rows of one message as well: what no smaller window can divide.

    With ``by_recipient``, for a service that takes a page size and continues after the last row's
    recipient: readings differ in their page size, so that page edges fall elsewhere, and at each edge
    the rows of the recipient there are asked for. Without, a full last page is followed by a request
    for what is beyond it. Raises `AnswerTruncated` if rows are missing, or if that cannot be told.
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
        self._beyond = 0  # rows, at the last request for what is beyond them

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """As `Walk` says."""
        self._pages += 1
        if self._pages >= MOST_PAGES:
            raise self._truncated("too many rows in one millisecond")
        if self._edge is not None:
            return self._after_edge(self._edge, rows, link)
        try:
            return super().after(rows, link)
        except _Circle as circle:
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
        """Leave it to a reading with other page edges, or to a request for what is beyond the page."""
        if self._by_recipient:
            self._reading.blind = True
            return self._after_end()
        if isinstance(refusal, _Circle):
            raise self._truncated(refusal.sentence)
        if self._beyond == self._reading.rows:
            raise WindowTooLarge(refusal.sentence, refusal.detail, window=self._around)
        return self._ask_beyond()

    def _ask_beyond(self) -> Ask:
        reading = self._reading
        self._beyond = reading.rows
        self._links = _Links(self._window, self._size, rows=reading.last_page)
        return Ask(self._window, beyond=reading.rows)

    def _after_last(self, rows: Sequence[Row], new: bool) -> Ask | None:
        """After a page without a link, which is the last one unless it is full."""
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
        """After the last ``row`` of a page, rows of the same recipient may have been skipped."""
        if self._by_recipient:
            edge = row.recipient
            self._reading.edges += [edge] if edge else []
            self._reading.blind = self._reading.blind or not edge

    def _after_edge(self, edge: "OnePage", rows: Sequence[Row], link: str | None) -> Ask | None:
        self._reading.keys |= _keys(rows)
        self._reading.contents |= _contents(rows)
        try:
            following = edge.after(rows, link)
            self.oddity = edge.oddity or self.oddity
        except WindowTooLarge:
            raise self._truncated("more rows of one recipient than a page holds") from None
        return following or self._at_next_edge()

    def _at_next_edge(self) -> Ask | None:
        reading = self._reading
        if not self._readings and reading.pages > 1:
            self._usual_page = min(reading.first_page, self._size.asked)
        if not reading.edges:
            self._edge = None
            return self._judged()
        self._edge = OnePage(self._window, self._size)
        return Ask(self._window, recipient=reading.edges.pop())

    def _judged(self) -> Ask | None:
        """After a whole reading: read again, or done."""
        reading = self._reading
        self._readings += 1
        new = reading.contents - self._contents
        missing = self._keys - reading.keys
        self._keys |= reading.keys
        self._contents |= reading.contents
        if self._readings == 1 and reading.pages <= 1 and not reading.full_end:
            self.covered = self._window
            return None
        alone = self._by_recipient and reading.pages == 1 and not reading.blind
        if alone and self._readings > 1 and len(self._keys) > (reading.top or self._size.asked):
            raise self._truncated("a page that was cut short")
        self._quiet = 0 if new else self._quiet + 1
        whole = not reading.blind and reading.rows <= len(self._contents)
        if self._quiet and whole and (not missing or self._quiet >= _ENOUGH_QUIET):
            self.covered = self._window
            return None
        if self._readings == MOST_READINGS:
            raise self._truncated("readings of one millisecond that differ")
        share = _SHARES[self._readings % len(_SHARES)]
        top = max(int(self._usual_page * share), 1) if self._by_recipient else None
        self._reading = _Reading(top)
        self._beyond = 0
        self._links = _Links(self._window, self._size, top)
        return Ask(self._window, top=top)

    def _truncated(self, sentence: str) -> AnswerTruncated:
        rows = len(self._keys | self._reading.keys)
        return AnswerTruncated(sentence, f"{rows} rows", window=self._around)


class ByTime(_LinkedWalk):
    """Asks again for what is behind the last row of a page, as long as rows come in the same order.

    That order is newest first unless pages show that it is oldest first. The last row's millisecond is
    asked for once more, and newest first one more than that: receive times are shown in milliseconds,
    and the service knows finer ones. The link of a page that is not full is followed to see whether
    there is anything behind it; so is that of any page while ``order`` is not proven.
    Once rows are in no order, the links of the whole window are followed. At most ``most`` pages, but
    for a millisecond that fills a page.
    """

    def __init__(
        self, window: Window, size: PageSize, most: int | None, order: RowOrder | None = None
    ) -> None:
        super().__init__(window, size)
        self._order = order or RowOrder()
        self._rest = window
        self._most = most or MOST_PAGES
        self._pages = 0
        self._full_page = size.asked
        self._peeking: tuple[int, int] | None = None
        self._part: ByLinks | Instant | None = None

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """As `Walk` says."""
        self._pages += 1
        if self._part is not None:
            return self._through(self._part, self._part.after(rows, link))
        try:
            return super().after(rows, link)
        except _Circle as circle:
            rows = without_strays(rows, self._rest)
            if self._order.proven and self._peeking is None and (received := self._inside(rows)):
                self._order.observe(received)
                self._peeking = received[-1], len(rows)
            return self._cut_off(circle)

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """As `Walk` says."""
        if self._part is not None:
            return self._through(self._part, self._part.refused(refusal))
        return super().refused(refusal)

    def _cut_off(self, refusal: MessageTraceError) -> Ask | None:
        """Go on by time where a link cannot prove the order that a page has shown."""
        if self._peeking is None or self._order.known in (None, Order.NONE):
            raise WindowTooLarge(refusal.sentence, refusal.detail)
        last, rows = self._peeking
        return self._proven(last, rows)

    @property
    def _oldest_first(self) -> bool:
        return self._order.known is Order.OLDEST_FIRST

    def _after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        received = self._inside(rows)
        if self._peeking is not None:
            return self._peeked(*self._peeking, received, link)
        self._order.observe(received)
        first = self._rest == self._window
        disordered = self._order.known is Order.NONE
        if link is None and len(rows) < self._size.asked and (first or not disordered):
            self.covered = self._window
            return None
        if disordered:
            links = self._by_links()
            return self._through(links, links.after(rows, link)) if first else links.first
        if not received:
            return self._by_link(link)
        if link is not None and (len(rows) < self._full_page or not self._order.proven):
            self._peeking = received[-1], len(rows)
            return Ask(self._rest, link)
        return self._behind(received[-1])

    def _inside(self, rows: Sequence[Row]) -> list[int]:
        """The receive times of ``rows`` that lie in the time asked for."""
        inside = range(milliseconds(self._rest.start), milliseconds(self._rest.end) + 1)
        return [row.received for row in rows if row.received in inside]

    def _behind(self, received: int) -> Ask:
        """Ask for what is behind the last row of a page, which was ``received`` then."""
        last, start, end = instant(received), self._rest.start, self._rest.end
        bound = last if self._oldest_first else last + MILLISECOND
        if start < bound < end:
            following = self._advance(bound)
            if self._pages >= self._most:
                raise WindowTooLarge("more pages than are good to read again")
            return following
        if self._oldest_first:
            crowded = Window(last, min(last + MILLISECOND, end))
        else:
            crowded = Window(max(last - MILLISECOND, start), end)
        self._part = Instant(crowded, self._size, by_recipient=True)
        return self._part.first

    def _peeked(self, last: int, rows: int, received: list[int], link: str | None) -> Ask | None:
        """After what a page of so many ``rows`` links to: if that holds any, it was a full page."""
        if not received:
            if link is None:
                self.covered = self._window
                return None
            return self._by_link(link)
        self._order.observe([last, *received])
        if self._order.known is Order.NONE:
            return self._by_links().first
        if link is not None and not self._order.known:
            return self._by_link(link)  # still the same millisecond
        return self._proven(last, rows)

    def _proven(self, last: int, rows: int) -> Ask:
        self._order.proven = True
        self._peeking = None
        self._full_page = rows
        return self._behind(last)

    def _by_links(self) -> ByLinks:
        """Begin again, because what was taken for covered may lack rows of other pages."""
        self.covered = None
        self._rest = self._window
        self._part = ByLinks(self._window, self._size, self._most)
        return self._part

    def _by_link(self, link: str | None) -> Ask:
        """Go on by ``link`` where a page tells no time to go on from."""
        if link is None:
            raise AnswerTruncated("a full page without a next link")
        if self._pages >= MOST_PAGES:
            raise WindowTooLarge("more pages than are good to read again")
        return Ask(self._rest, link)

    def _through(self, part: ByLinks | Instant, following: Ask | None) -> Ask | None:
        """Go on after a stretch of ``part``, at the end of which the rest is asked for by time."""
        if following is not None:
            return following
        self.oddity = part.oddity or self.oddity
        self._part = None
        read = part.first.window
        bound = read.end if self._oldest_first else read.start
        if self._rest.start < bound < self._rest.end:
            return self._advance(bound)
        self.covered = self._window
        return None

    def _advance(self, bound: datetime) -> Ask:
        """Ask for what is on the other side of ``bound``; of its millisecond rows may be missing."""
        if self._oldest_first:
            self._rest = Window(bound, self._rest.end)
            self.covered = Window(self._window.start, max(bound - MILLISECOND, self._window.start))
        else:
            self._rest = Window(self._rest.start, bound)
            self.covered = Window(bound, self._window.end)
        self._links = _Links(self._rest, self._size)
        return Ask(self._rest)


class OnePage(_LinkedWalk):
    """Takes a window only if all its rows are on one page; links are followed to see that they are.

    Behind a page that may be full no link is believed: where it leads to nothing, it may lead elsewhere.
    """

    def __init__(self, window: Window, size: PageSize) -> None:
        super().__init__(window, size)
        self._found = False

    def _after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        full = self._size.may_be_full(len(rows)) if link else len(rows) >= self._size.asked
        if rows and (full or self._found):
            received = sorted(row.received for row in rows)
            cut = instant(received[len(received) // 2])
            raise WindowTooLarge("more than a page", cut=cut)
        self._found = self._found or bool(rows)
        if link is None:
            self.covered = self._window
            return None
        return Ask(self._window, link)
