"""Decides which request comes next while a window is read, and when it is complete: pure, no I/O.

A walk takes each page and returns the next request. It trusts next links as little as possible: those
of Graph name the receive time and the recipient of the last row and skip rows that share both; links
of either service were seen to lead to themselves or to empty pages.

* `ByTime` (Graph): a page is a window. The rest after its last row is requested by time.
* `ByLinks` (Reporting Web Service; Graph where rows are in no order): follows the links.
* `OnePage`: believes only what fits one page, for which neither order nor links matter.
* `Instant`: reads a single millisecond, or one message, again until nothing new appears.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
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
from office365_message_trace.microsoft.conditions import Conditions
from office365_message_trace.model import MILLISECOND, UNDATED, Row, Window, instant, milliseconds

MOST_EMPTY = 3
"""Empty pages in a row before their links count as endless."""
MOST_REPEATING = 3
"""Pages in a row that hold known rows only before their links count as a circle."""
MOST_READINGS = 12
"""Readings of one millisecond before it counts as one that cannot be read completely."""
MOST_PAGES = 1200
"""Pages of one walk: two readings of the million rows at which the Reporting Web Service ends."""

LEAST_PAGE = 10
"""Rows that fit a page of any service, as long as no larger page was seen."""

_LEEWAY = timedelta(seconds=2)  # around a window, at most its span; rows beyond it are strays
_NOWHERE = "next links that lead nowhere"
_BACK = "next links that lead back"
_REFUSED = "next links that cannot be followed"

_ENOUGH_QUIET = 3  # readings in a row without anything new that end it, though each lacks some rows
_SHARES = (1.0, 0.8, 0.9, 0.7, 0.6)  # of a page, for readings with other page edges


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for rows of ``window``: its first page, or the page that ``link`` leads to.

    ``top`` is the number of rows to ask for, if not the usual one. ``beyond`` skips that many rows, for a
    service whose links are positions. ``recipient`` and ``trace_id`` limit it to the rows of one
    recipient or one message, ``conditions`` to rows that meet all of them (Graph only).
    """

    window: Window
    link: str | None = None
    top: int | None = None
    beyond: int | None = None
    recipient: str | None = None
    trace_id: str | None = None
    conditions: Conditions = ()


class Walk(Protocol):
    """The way through a window."""

    first: Ask
    covered: Window | None
    """The part of the window whose rows were all on the pages so far."""
    oddity: str | None
    """A description of odd links, for the log."""

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """The next request after a page of ``rows`` with a next ``link``; None if the window is
        complete. Raises `WindowTooLarge` if only smaller windows help."""

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """The next request after the request for what follows a page was refused; None if the window is
        complete. Raises `Unavailable` if rows may or may not be behind it, and `WindowTooLarge` as
        `after` does."""


def without_strays(rows: Sequence[Row], window: Window) -> Sequence[Row]:
    """``rows`` without those from outside ``window``, which services may add to a page."""
    leeway = min(_LEEWAY, window.span)
    earliest = milliseconds(window.start - leeway)
    latest = milliseconds(window.end + leeway)
    received = [row.received for row in rows]
    if not received or earliest <= min(received) <= max(received) <= latest:
        return rows
    return [row for row in rows if earliest <= row.received <= latest or row.received == UNDATED]


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


def _keys(rows: Sequence[Row]) -> set[int]:
    """Hashes of the keys of ``rows``, valid in this process."""
    return {hash(row.identity) for row in rows}


@dataclass(slots=True)
class PageSize:
    """The number of rows that is ``asked`` for, and the ``largest`` page that came.

    Walks share it, and two facts about the end of windows: rows came ``behind_empty`` pages, and next
    links were ``refused_at_end``, behind pages with rows that were not full.
    """

    asked: int
    largest: int = 0
    behind_empty: bool = False
    refused_at_end: bool = False

    def may_be_full(self, rows: int, top: int | None = None) -> bool:
        """True if a page of this many ``rows``, requested with ``top`` if given, may have been cut off:
        services may give smaller pages than requested."""
        return rows >= min(top or self.asked, max(self.largest, LEAST_PAGE))


class Order(Enum):
    """The order of receive times."""

    NEWEST_FIRST = "newest first"
    OLDEST_FIRST = "oldest first"
    NONE = "no order"


@dataclass(slots=True)
class RowOrder:
    """The order of rows so far, None until a page shows one.

    Walks share it: the pages of a single window may happen to look ordered. It is ``proven`` once rows
    continued in it across a page edge.
    """

    known: Order | None = None
    proven: bool = False

    def observe(self, received: Sequence[int]) -> None:
        """Learn from the receive times of consecutive rows."""
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
    """Follows and judges the links of one request's pages.

    A link of a page that was not full does not count if it is refused or leads back; neither does a link
    of an empty page that leads nowhere.
    """

    def __init__(
        self, window: Window, size: PageSize, top: int | None = None, rows: int = 0
    ) -> None:
        self.oddity: str | None = None
        self.rows = rows
        """Rows on the last page that held any."""
        self.seen: set[int] = set()
        """Keys of rows; those of a single page without links are left out."""
        self.moved = False
        """True if a row was on two pages."""
        self._window = window
        self._size = size
        self._top = top
        self._followed: set[str] = set()
        self._pages: set[int] = set()  # hashes
        self._empty = self._repeating = 0

    @property
    def ended(self) -> bool:
        """True if the last page that held rows, if any, was not full."""
        return not self._size.may_be_full(self.rows, self._top)

    def judged(self, rows: Sequence[Row], link: str | None) -> tuple[Sequence[Row], str | None]:
        """The page of ``rows`` without strays, or empty if a link that does not count led to it; and its
        ``link``, if that counts. Raises `_Circle`.
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
        """True if the same page came before, perhaps by a link that is written differently."""
        if not keys:
            return False
        known = len(self._pages)
        self._pages.add(hash(frozenset(keys)))
        return len(self._pages) == known


class _LinkedWalk(ABC):
    """Base of all walks: believes links as far as `_Links` does."""

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
        """The next request after a page whose ``link``, if any, counts."""

    def _cut_off(self, refusal: MessageTraceError) -> Ask | None:
        """The next request after a page that may be full and has no usable link."""
        raise WindowTooLarge(refusal.sentence, refusal.detail)


class ByLinks(_LinkedWalk):
    """Follows next links to the end, at most ``max_pages`` pages.

    A row on two pages shows that rows moved in between, so that others may be on none. Then the walk
    begins again, until as many different rows came as one reading has places, or some readings in a row
    bring nothing new. A service that begins each page with the last row of the one before has fewer places
    than its pages show; a reading that brings nothing new tells it from rows that moved by one.
    """

    def __init__(self, window: Window, size: PageSize, max_pages: int | None = None) -> None:
        super().__init__(window, size)
        self._max_pages = max_pages or MOST_PAGES
        self._pages = self._rows = self._quiet = 0
        self._repeats = 0  # pages that begin with the last row of the one before
        self._last: Hashable | None = None  # identity of the last row; a row would hold its page
        self._moved = False
        self._known: set[int] = set()  # keys in earlier readings

    def _after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        self._pages += 1
        self._rows += len(rows)
        if rows:
            self._repeats += self._last is not None and rows[0].identity == self._last
            self._last = rows[-1].identity
        self._moved = self._moved or self._links.moved
        if link is None:
            if len(rows) >= self._size.asked:
                raise AnswerTruncated("a full page without a next link", f"{len(rows)} rows")
            if self._moved and not self._is_settled():
                self._rows = self._repeats = 0
                self._last = None
                self._links = _Links(self._window, self._size)
                return self.first
            self.covered = self._window
            return None
        if self._pages >= self._max_pages:
            raise WindowTooLarge("more pages than are good to read again")
        return Ask(self._window, link)

    def _is_settled(self) -> bool:
        """Judge the reading that ends. Returns True if another one is unlikely to bring anything new."""
        self._quiet = self._quiet + 1 if self._links.seen <= self._known else 0
        self._known |= self._links.seen
        places = self._rows - (self._repeats if self._quiet else 0)
        return len(self._known) >= places or self._quiet >= _ENOUGH_QUIET


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
        """Try a reading with other page edges, or a request for what is beyond the page."""
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
        """The first request of another reading, or None if the readings so far are complete."""
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
    """Requests the rest after the last row of a page by time, as long as rows come in one order.

    That order is newest first unless pages show that it is oldest first. The last row's millisecond is
    requested once more, and newest first one more than that: receive times are shown in milliseconds,
    and the service knows finer ones. The walk follows the link of a page that is not full, and of any
    page while ``order`` is not proven, to see if there is anything behind it.
    Once rows are in no order, it follows the links of the whole window. It takes at most ``max_pages``,
    except for a millisecond that fills a page.
    """

    def __init__(
        self, window: Window, size: PageSize, max_pages: int | None, order: RowOrder | None = None
    ) -> None:
        super().__init__(window, size)
        self._order = order or RowOrder()
        self._rest = window
        self._max_pages = max_pages or MOST_PAGES
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
        """Continue by time if a link cannot prove the order that a page has shown."""
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
        """Request what is behind the last row of a page, which has that receive time."""
        last, start, end = instant(received), self._rest.start, self._rest.end
        bound = last if self._oldest_first else last + MILLISECOND
        if start < bound < end:
            following = self._advance(bound)
            if self._pages >= self._max_pages:
                raise WindowTooLarge("more pages than are good to read again")
            return following
        if self._oldest_first:
            crowded = Window(last, min(last + MILLISECOND, end))
        else:
            crowded = Window(max(last - MILLISECOND, start), end)
        self._part = Instant(crowded, self._size, by_recipient=True)
        return self._part.first

    def _peeked(self, last: int, rows: int, received: list[int], link: str | None) -> Ask | None:
        """The next request after following the link of a page of this many ``rows``: if there were rows
        behind it, the page was full."""
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
        """Begin again, because time that counts as covered may lack rows of other pages."""
        self.covered = None
        self._rest = self._window
        self._part = ByLinks(self._window, self._size, self._max_pages)
        return self._part

    def _by_link(self, link: str | None) -> Ask:
        """Continue by ``link`` if a page gives no time to continue from."""
        if link is None:
            raise AnswerTruncated("a full page without a next link")
        if self._pages >= MOST_PAGES:
            raise WindowTooLarge("more pages than are good to read again")
        return Ask(self._rest, link)

    def _through(self, part: ByLinks | Instant, following: Ask | None) -> Ask | None:
        """Continue ``part``, and at its end request the rest by time."""
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
        """Request what is beyond ``bound``, whose millisecond may still lack rows."""
        if self._oldest_first:
            self._rest = Window(bound, self._rest.end)
            self.covered = Window(self._window.start, max(bound - MILLISECOND, self._window.start))
        else:
            self._rest = Window(self._rest.start, bound)
            self.covered = Window(bound, self._window.end)
        self._links = _Links(self._rest, self._size)
        return Ask(self._rest)


class OnePage(_LinkedWalk):
    """Accepts a window only if all its rows are on one page; follows links to verify that.

    Believes no link behind a page that may be full: if it leads to nothing, it may lead elsewhere.
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
