"""Believes a window only if one page holds all of it."""

from collections.abc import Sequence

from office365_message_trace.errors import WindowTooLarge
from office365_message_trace.microsoft.paging.links import LinkedWalk
from office365_message_trace.microsoft.paging.walk import Ask, PageSize
from office365_message_trace.model import Row, Window, instant


class OnePage(LinkedWalk):
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
