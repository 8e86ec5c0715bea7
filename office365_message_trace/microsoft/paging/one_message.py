"""Reads the rows of one message, by its id as long as the service heeds that."""

from collections.abc import Sequence

from office365_message_trace.errors import MessageTraceError
from office365_message_trace.microsoft.paging.walk import Ask, Walk, without_strays
from office365_message_trace.model import Row, Window

_IGNORED = "rows of other messages than the one whose id was asked for"


class OneMessage:
    """Reads what is requested by ``trace_id`` as ``by_id`` does.

    A page with rows of other messages shows that the service ignores the id: it is one of a listing, which tells
    nothing of the message. Then the walk reads the ``listing``, or ends without having covered anything.
    """

    covered: Window | None = None
    oddity: str | None = None

    def __init__(self, trace_id: str, by_id: Walk, listing: Walk | None = None) -> None:
        self.first = by_id.first
        self._trace_id = trace_id
        self._walk = self._by_id = by_id
        self._listing = listing

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """As `Walk` says."""
        if self._walk is self._by_id and self._has_others(rows):
            if self._listing is None:
                self.oddity = _IGNORED
                return None
            self._walk = self._listing
            return self._walk.first
        try:
            return self._walk.after(rows, link)
        finally:
            self._note()

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """As `Walk` says."""
        try:
            return self._walk.refused(refusal)
        finally:
            self._note()

    def _has_others(self, rows: Sequence[Row]) -> bool:
        asked = without_strays(rows, self.first.window)
        return any(row.trace_id.lower() != self._trace_id.lower() for row in asked)

    def _note(self) -> None:
        self.covered, self.oddity = self._walk.covered, self._walk.oddity
