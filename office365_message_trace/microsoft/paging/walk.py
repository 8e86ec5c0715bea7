"""What a walk is, and the facts about pages that walks share.

A walk takes each page and returns the next request. It trusts next links as little as possible: those
of Graph name the receive time and the recipient of the last row and skip rows that share both; links
of either service were seen to lead to themselves or to empty pages.

* `ByTime` (Graph): a page is a window. The rest after its last row is requested by time.
* `ByLinks` (Reporting Web Service; Graph where rows are in no order): follows the links.
* `OnePage`: believes only what fits one page, for which neither order nor links matter.
* `Instant`: reads a single millisecond, or one message, again until nothing new appears.
* `OneMessage`: reads one message by its id, unless the service ignores that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from itertools import pairwise
from typing import Protocol

from office365_message_trace.errors import MessageTraceError
from office365_message_trace.microsoft.conditions import Conditions
from office365_message_trace.model import UNDATED, Row, Window, milliseconds

MOST_PAGES = 1200
"""Pages of one walk: two readings of the million rows at which the Reporting Web Service ends."""

ENOUGH_QUIET = 3
"""Readings of the same rows in a row without anything new that end it, though each lacks some rows."""

LEAST_PAGE = 10
"""Rows that fit a page of any service, as long as no larger page was seen."""

_LEEWAY = timedelta(seconds=2)  # around a window, at most its span; rows beyond it are strays


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

    @property
    def covered(self) -> Window | None:
        """The part of the window whose rows were all on the pages so far."""

    @property
    def oddity(self) -> str | None:
        """A description of what was odd, for the log."""

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        """The next request after a page of ``rows`` with a next ``link``; None if the window is
        complete. Raises `WindowTooLarge` if only smaller windows help."""

    def refused(self, refusal: MessageTraceError) -> Ask | None:
        """The next request after the request for what follows a page was refused; None if the window is
        complete. Raises `Unavailable` if rows may or may not be behind it, and `WindowTooLarge` as
        `after` does."""


@dataclass(slots=True)
class PageSize:
    """The number of rows that is ``asked`` for, and the ``largest`` page that came.

    ``short`` is true if rows came behind a page of fewer than were asked for: then the service gives smaller
    pages. Walks share that, and three facts about the end of windows: rows came ``behind_empty`` pages; behind
    pages with rows that were not full, next links were ``refused_at_end``, and chains of pages that were
    ``empty_at_end`` led to nothing. ``nowhere`` counts windows in a row, without rows and read again,
    whose chains had no end or led back.
    """

    asked: int
    largest: int = 0
    short: bool = False
    behind_empty: bool = False
    refused_at_end: bool = False
    empty_at_end: bool = False
    nowhere: int = 0

    @property
    def full(self) -> int:
        """Rows on a full page, as far as is known."""
        least = min(self.asked, LEAST_PAGE) if self.short else self.asked
        return max(self.largest, least)

    def may_be_full(self, rows: int, top: int | None = None) -> bool:
        """True if a page of this many ``rows``, requested with ``top`` if given, may have been cut off:
        services may give smaller pages than requested, and not all of one size."""
        least = LEAST_PAGE if self.short else max(self.largest, LEAST_PAGE)
        return rows >= min(top or self.asked, least)


class Order(Enum):
    """The order of receive times."""

    NEWEST_FIRST = "newest first"
    OLDEST_FIRST = "oldest first"
    NONE = "no order"


@dataclass(slots=True)
class RowOrder:
    """The order of rows so far, None until a page shows one.

    Walks share it: the pages of a single window may happen to look ordered. It is ``proven`` once rows
    continued in it across a page edge, for the Reporting Web Service up to the end of a window.
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


def without_strays(rows: Sequence[Row], window: Window) -> Sequence[Row]:
    """``rows`` without those from outside ``window``, which services may add to a page."""
    leeway = min(_LEEWAY, window.span)
    earliest = milliseconds(window.start - leeway)
    latest = milliseconds(window.end + leeway)
    received = [row.received for row in rows]
    if not received or earliest <= min(received) <= max(received) <= latest:
        return rows
    return [row for row in rows if earliest <= row.received <= latest or row.received == UNDATED]
