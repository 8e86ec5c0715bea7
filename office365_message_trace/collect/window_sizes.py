"""Sizes windows of each kind by the rows of earlier ones and by the rows that fit a page: pure."""

from datetime import timedelta

from office365_message_trace.collect.coverage import Kind, Read
from office365_message_trace.collect.schedule import Size, Sizes
from office365_message_trace.collect.window_width import WindowWidth
from office365_message_trace.model import MILLISECOND

MOST_PAGES = 20
"""Pages of one window, which a failure may make us read again."""

_USUAL_PAGES = MOST_PAGES * 3 // 4
_OF_A_PAGE = 0.9  # to fill with the rows of a window that should fit one page
_FILLED = 0.85  # of a page on average, if windows should fit one


class WindowSizes:
    """The widths of windows. ``page`` is the number of rows that fit a page, as far as is known.

    Last reads should fit one page, and so should all windows of a service with positional links
    (``one_page``). Re-reads of the largest tenants need not, and fill their pages.
    """

    def __init__(self, page: int, one_page: bool) -> None:
        self._one_page = one_page
        self._full_rereads = False
        self._widths = {kind: WindowWidth(_USUAL_PAGES * page) for kind in Kind}
        self.aim(page)

    @property
    def rows_a_page(self) -> int:
        """The rows on a page of many, on average."""
        return max(int(_FILLED * self.page), 1) if self._one_page else self.page

    @property
    def last(self) -> timedelta:
        """The width of last reads."""
        return self._widths[Kind.CONFIRM].now

    def limits(self, extended: bool) -> Sizes:
        """The limits of the windows to plan; with ``extended``, live windows reach back as far as one page
        holds."""
        sizes = {kind: Size(width.now, width.rows) for kind, width in self._widths.items()}
        return Sizes(sizes, sizes[Kind.CONFIRM], _OF_A_PAGE * self.page if extended else 0)

    def aim(self, page: int) -> None:
        """Size windows for pages of so many rows."""
        self.page = page
        alone = set(Kind) if self._one_page else {Kind.CONFIRM}
        if self._full_rereads:
            alone.discard(Kind.REREAD)
        for kind, width in self._widths.items():
            width.aim(int((_OF_A_PAGE if kind in alone else _USUAL_PAGES) * page))

    def fill_rereads(self, fill: bool) -> None:
        """Let re-reads fill several pages, or fit one as before."""
        self._full_rereads = fill
        self.aim(self.page)

    def observe(self, read: Read, span: timedelta, rows: int) -> None:
        """Learn from the part of ``read`` that came: so many ``rows`` in ``span``."""
        self._width(read).observe(span, rows)
        if read.kind is Kind.LIVE and span == read.window.span:
            for each in self._widths.values():
                each.expect(span, rows)

    def narrow(self, read: Read, at_least: timedelta = MILLISECOND) -> None:
        """Learn from ``read``, which was too large, or failed, perhaps for its size."""
        self._width(read).narrow(read.window.span, at_least)

    def _width(self, read: Read) -> WindowWidth:
        return self._widths[Kind.CONFIRM if read.final else read.kind]
