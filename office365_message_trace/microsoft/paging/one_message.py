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

    def __init__(self, trace_id: str, by_id: Walk, listing: Walk | None = None) -> None:
        self.first = by_id.first
        self._trace_id = trace_id
        self._walk = self._by_id = by_id
        self._listing = listing
        self._ignored = False

    @property
    def covered(self) -> Window | None:
        return self._walk.covered

    @property
    def oddity(self) -> str | None:
        return _IGNORED if self._ignored else self._walk.oddity

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """As `Walk` says."""
        if self._walk is not self._by_id or not self._has_others(rows):
            return self._walk.after(rows, link)
        if self._listing is None:
            self._ignored = True
            return None
        self._walk = self._listing
        return self._walk.first

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """As `Walk` says."""
        return self._walk.refused(refusal)

    def _has_others(self, rows: Sequence[Row]) -> bool:
        asked = without_strays(rows, self.first.window)
        return any(row.trace_id.lower() != self._trace_id.lower() for row in asked)
