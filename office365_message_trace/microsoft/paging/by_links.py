"""Follows next links to the end of a window."""

from collections.abc import Sequence

from office365_message_trace.errors import AnswerTruncated, WindowTooLarge
from office365_message_trace.microsoft.paging.links import LinkedWalk, Links
from office365_message_trace.microsoft.paging.walk import MOST_PAGES, Ask, Order, PageSize, RowOrder
from office365_message_trace.model import MILLISECOND, UNDATED, Row, Window, instant

ENOUGH_QUIET = 3
"""Readings in a row without anything new that end it, though each lacks some rows."""


class ByLinks(LinkedWalk):
    """Follows next links to the end, at most ``max_pages`` pages with rows.

    A row on two pages shows that rows moved in between, so that others may be on none. Then the walk
    begins again, until as many different rows came as one reading has places, or some readings in a row
    bring nothing new. A single such reading is not enough: of two rows of one time at a page edge, it may well show
    the same one twice again.

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
        super().__init__(window, size)
        self._order = order or RowOrder(Order.NONE)
        self._reached: int | None = None  # receive time of the last row
        self._crossed = False  # true if rows continued across a page edge
        self._max_pages = max_pages or MOST_PAGES
        self._pages = self._rows = self._quiet = 0
        self._moved = False
        self._known: set[int] = set()  # keys in earlier readings

    def _after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        self._rows += len(rows)
        self._pages += bool(rows)
        self._moved = self._moved or self._links.moved
        self._observe_order(rows)
        if link is None:
            if len(rows) >= self._size.asked:
                raise AnswerTruncated("a full page without a next link", f"{len(rows)} rows")
            if self._moved and not self._is_settled():
                self._rows, self._reached = 0, None
                self._links = Links(self._window, self._size)
                return self.first
            self._order.proven = self._order.proven or self._crossed
            self.covered = self._window
            return None
        self.covered = self._passed()
        if self._pages >= self._max_pages:
            raise WindowTooLarge("more pages than are good to read again")
        return Ask(self._window, link)

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
        return len(self._known) >= self._rows or self._quiet >= ENOUGH_QUIET
