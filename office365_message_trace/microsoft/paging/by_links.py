"""Follows next links to the end of a window."""

from collections.abc import Hashable, Sequence

from office365_message_trace.errors import AnswerTruncated, MessageTraceError, WindowTooLarge
from office365_message_trace.microsoft.paging.instant import Instant
from office365_message_trace.microsoft.paging.links import LinkedWalk, Links
from office365_message_trace.microsoft.paging.walk import (
    ENOUGH_QUIET,
    MOST_PAGES,
    Ask,
    Order,
    PageSize,
    RowOrder,
)
from office365_message_trace.model import MILLISECOND, UNDATED, Row, Window, instant


class ByLinks(LinkedWalk):
    """Follows next links to the end, at most ``max_pages`` pages with rows if the window is read again later.

    A row on two pages shows that rows moved in between, so that others may be on none. Then the walk
    begins again, until as many different rows came as one reading has places, or some readings in a row
    bring nothing new. Where the only rows on two pages are the last one of a page and the first one of the next, a single
    such reading is enough: the service repeats them, or it hides another row of the same millisecond behind each, so
    these milliseconds are requested by themselves.

    Pages cover what they have passed, once whole windows have proven the ``order`` of rows, and as long as
    rows keep to it and to their places.
    """

    def __init__(
        self,
        window: Window,
        size: PageSize,
        max_pages: int | None = None,
        order: RowOrder | None = None,
    ) -> None:
        super().__init__(window, size, again=max_pages is not None)
        self._order = order or RowOrder(Order.NONE)
        self._reached: int | None = None  # receive time of the last row
        self._crossed = False  # true if rows continued across a page edge
        self._max_pages = max_pages or MOST_PAGES
        self._pages = self._rows = self._quiet = 0
        self._last: Hashable | None = None  # identity of the last row; a row would hold its page
        self._edges: list[int] = []  # receive times of last rows with which the next page begins
        self._at_edge: Instant | None = None
        self._moved = False
        self._known: set[int] = set()  # keys in earlier readings

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """As `Walk` says."""
        if self._at_edge is not None:
            return self._at_edge.after(rows, link) or self._at_next_edge()
        return super().after(rows, link)

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """As `Walk` says."""
        if self._at_edge is not None:
            return self._at_edge.refused(refusal) or self._at_next_edge()
        return super().refused(refusal)

    def _after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        self._rows += len(rows)
        if rows:
            self._pages += 1
            if rows[0].identity == self._last and rows[0].received != UNDATED:
                self._edges.append(rows[0].received)
            self._last = rows[-1].identity
        self._moved = self._moved or self._links.moved
        self._observe_order(rows)
        if link is None:
            if len(rows) >= self._size.asked:
                raise AnswerTruncated("a full page without a next link", f"{len(rows)} rows")
            if self._moved and not self._is_settled():
                self._rows, self._reached, self._last = 0, None, None
                self._edges.clear()
                self._links = Links(self._window, self._size)
                return self.first
            self._order.proven = self._order.proven or self._crossed
            return self._at_next_edge()
        self.covered = self._passed()
        if self._pages >= self._max_pages:
            raise WindowTooLarge("more pages than are good to read again")
        return Ask(self._window, link)

    def _at_next_edge(self) -> Ask | None:
        """The request for the next millisecond at a page edge that may hold another row, if any is left. A service may
        leave out what lies on the bounds."""
        if not self._edges:
            self.covered = self._window
            return None
        edge = instant(self._edges.pop())
        self._at_edge = Instant(Window(edge - MILLISECOND, edge + MILLISECOND), self._size)
        return self._at_edge.first

    def _observe_order(self, rows: Sequence[Row]) -> None:
        received = [row.received for row in rows if row.received != UNDATED]
        if not received:
            return
        if self._reached is not None:
            self._crossed = True
            received.insert(0, self._reached)
        self._order.observe(received)
        self._reached = received[-1]

    def _passed(self) -> Window | None:
        """The part of the window that the pages so far have passed, if their order and places are certain."""
        if self._reached is None or self._moved or not self._order.proven:
            return None
        start, end, reached = self._window.start, self._window.end, instant(self._reached)
        match self._order.known:
            case Order.NEWEST_FIRST if start <= reached + MILLISECOND < end:
                return Window(reached + MILLISECOND, end)
            case Order.OLDEST_FIRST if start < reached <= end:
                return Window(start, reached)
        return None

    def _is_settled(self) -> bool:
        """Judge the reading that ends. Returns True if another one is unlikely to bring anything new."""
        self._quiet = self._quiet + 1 if self._links.seen <= self._known else 0
        self._known |= self._links.seen
        if len(self._known) >= self._rows:
            self._edges.clear()
        places = self._rows - (len(self._edges) if self._quiet else 0)
        return len(self._known) >= places or self._quiet >= ENOUGH_QUIET
