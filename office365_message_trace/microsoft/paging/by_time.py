"""Takes a page as a window: the rest after its last row is requested by time."""

from collections.abc import Sequence
from datetime import datetime

from office365_message_trace.errors import AnswerTruncated, MessageTraceError, WindowTooLarge
from office365_message_trace.microsoft.paging.by_links import ByLinks
from office365_message_trace.microsoft.paging.instant import Instant
from office365_message_trace.microsoft.paging.links import Circle, LinkedWalk, Links
from office365_message_trace.microsoft.paging.walk import (
    LEAST_PAGE,
    MOST_PAGES,
    Ask,
    Order,
    PageSize,
    RowOrder,
    without_strays,
)
from office365_message_trace.model import MILLISECOND, Row, Window, instant, milliseconds


class ByTime(LinkedWalk):
    """Requests the rest after the last row of a page by time, as long as rows come in one order.

    That order is newest first unless pages show that it is oldest first. The last row's millisecond is
    requested once more, and newest first one more than that: receive times are shown in milliseconds,
    and the service knows finer ones. The walk follows the link of a page that is not full, and of any
    page while ``order`` is not proven, to see if there is anything behind it.
    Once rows are in no order, it follows the links of the whole window. It takes at most ``max_pages``
    with rows if the window is read again later, except for a millisecond that fills a page.
    """

    def __init__(
        self, window: Window, size: PageSize, max_pages: int | None, order: RowOrder | None = None
    ) -> None:
        super().__init__(window, size, again=max_pages is not None)
        self._order = order or RowOrder()
        self._rest = window
        self._max_pages = max_pages
        self._pages = 0
        self._full_page = size.full
        # the last receive time and the number of rows of the page
        self._peeking: tuple[int, int] | None = None  # whose link is followed
        self._edge: tuple[int, int] | None = None  # behind which the rest is requested by time
        self._part: ByLinks | Instant | None = None

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """As `Walk` says."""
        self._pages += bool(rows)
        if self._part is not None:
            return self._through(self._part, self._part.after(rows, link))
        try:
            return super().after(rows, link)
        except Circle as circle:
            rows = without_strays(rows, self._rest)
            if self._order.proven and self._peeking is None and (received := self._inside(rows)):
                self._order.observe(received)
                self._peeking = received[-1], len(rows)
            return self._cut_off(circle)

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """As `Walk` says."""
        if self._part is not None:
            return self._through(self._part, self._part.refused(refusal))
        if self._peeking and self._peeking[1] >= LEAST_PAGE and self._has_order:
            return self._proven(*self._peeking)  # pages need not be of one size
        return super().refused(refusal)

    def _cut_off(self, refusal: MessageTraceError) -> Ask | None:
        """Continue by time if a link cannot prove the order that a page has shown."""
        if self._peeking is None or not self._has_order:
            raise WindowTooLarge(refusal.sentence, refusal.detail)
        return self._proven(*self._peeking)

    @property
    def _has_order(self) -> bool:
        return self._order.known not in (None, Order.NONE)

    @property
    def _oldest_first(self) -> bool:
        return self._order.known is Order.OLDEST_FIRST

    def _after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        received = self._inside(rows)
        if self._peeking is not None:
            return self._peeked(*self._peeking, received, link)
        self._order.observe(received)
        if self._edge and received and received[-1] != self._edge[0]:
            self._size.short = self._size.short or self._edge[1] < self._size.asked
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
        return self._behind(received[-1], len(rows))

    def _inside(self, rows: Sequence[Row]) -> list[int]:
        """The receive times of ``rows`` that lie in the time asked for."""
        inside = range(milliseconds(self._rest.start), milliseconds(self._rest.end) + 1)
        return [row.received for row in rows if row.received in inside]

    def _behind(self, received: int, rows: int) -> Ask:
        """Request what is behind the last row of a page of so many ``rows``, which has that receive time."""
        self._edge = received, rows
        last, start, end = instant(received), self._rest.start, self._rest.end
        bound = last if self._oldest_first else last + MILLISECOND
        if start < bound < end:
            following = self._advance(bound)
            if self._pages >= (self._max_pages or MOST_PAGES):
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
        return self._behind(last, rows)

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
        self._links = Links(self._rest, self._size)
        return Ask(self._rest)
