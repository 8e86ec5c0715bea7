"""Which request comes next while a window is read, and when the window is complete: pure, no I/O.

A walk is told what each page brought and answers with the next request. Next links are trusted as
little as possible: that of Graph names the receive time and the recipient of the last row and skips
rows that share both; links of either service were seen to lead to themselves or to empty pages.

* `NewestFirst` (Graph): a page is a window. What is older than its last row is asked for by time.
* `ByLinks` (Reporting Web Service; Graph where rows are not in order): follows the links.
* `OnePage`: believes only what fits one page, for which neither order nor links matter.
* `Instant`: reads a single millisecond again and again until nothing new appears.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Protocol

from office365_message_trace.errors import AnswerTruncated, Unavailable, WindowTooLarge
from office365_message_trace.model import MILLISECOND, Row, Window, instant, milliseconds

MOST_FRUITLESS = 3
"""Pages in a row that bring nothing new, before links count as endless."""
MOST_READINGS = 12
"""Readings of one millisecond, before it counts as one that cannot be read completely."""

_ENOUGH_QUIET = 3  # readings in a row that bring nothing new, though each lacks rows of another
_SHARES = (1.0, 0.8, 0.9, 0.7, 0.6)  # of a page, for readings with other page edges
_MOST_PAGES_OF_AN_INSTANT = (
    600  # more than the million rows at which the Reporting Web Service ends
)


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


Recipient = Callable[[Row], str]
"""Tells the recipient of a row; empty if it has none."""


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

    def without_link(self) -> None:
        """The next link was refused: returns if the window is complete all the same, else raises."""


class ByLinks:
    """Follows next links to the end, at most ``most`` pages."""

    oddity: str | None = None
    covered: Window | None = None

    def __init__(self, window: Window, page_size: int, most: int | None = None) -> None:
        self.first = Ask(window)
        self._window = window
        self._page_size = page_size
        self._most = most
        self._pages = 0
        self._fruitless = 0
        self._seen: set[bytes] = set()
        self._followed: set[str] = set()

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        self._pages += 1
        known = len(self._seen)
        self._seen.update(row.key for row in rows)
        self._fruitless = 0 if len(self._seen) > known else self._fruitless + 1
        if link is None:
            if len(rows) >= self._page_size:
                raise AnswerTruncated("a full page without a next link", f"{len(rows)} rows")
            self.covered = self._window
            return None
        circular = link in self._followed
        if (circular and not rows) or self._fruitless >= MOST_FRUITLESS:
            self.oddity = "next links that lead nowhere"
            self.covered = self._window
            return None
        if circular:
            raise WindowTooLarge("a next link leads in a circle")
        if self._pages == self._most:
            raise WindowTooLarge("more pages than are good to read again")
        self._followed.add(link)
        return Ask(self._window, link)

    def without_link(self) -> None:
        raise WindowTooLarge("a next link is refused")


class Instant:
    """Reads a millisecond until a reading brings nothing new and shows that nothing was cut off.

    With ``recipient``, for a service that takes a page size and continues after the last row's
    recipient: readings differ in their page size, so that page edges fall elsewhere, and at each edge
    the rows of the recipient there are asked for. Without, a full last page is followed by a request
    for what is beyond it. Raises `AnswerTruncated` if rows are missing for certain.
    """

    oddity: str | None = None

    def __init__(self, window: Window, page_size: int, recipient: Recipient | None = None) -> None:
        self.covered: Window | None = None
        self.first = Ask(window)
        self._window = window
        self._page_size = page_size
        self._recipient = recipient
        self._usual_page = page_size
        self._seen: set[bytes] = set()
        self._readings = self._quiet = 0
        self._begin()

    def _begin(self) -> None:
        self._reading: set[bytes] = set()
        self._followed: set[str] = set()
        self._edges: list[str] = []
        self._at_edges = False
        self._rows = self._fruitless = 0

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        known = len(self._reading)
        self._reading.update(row.key for row in rows)
        if self._at_edges:
            if link is not None or len(rows) >= self._page_size:
                raise self._truncated("more rows of one recipient than a page holds")
            return self._at_next_edge()
        whole = link is None and len(rows) < self._page_size
        if whole and not self._readings and not self._followed:
            self.covered = self._window
            return None
        brings_more = len(self._reading) > known
        self._fruitless = 0 if brings_more else self._fruitless + 1
        self._rows += len(rows)
        if link is None:
            probing = self._recipient is None and brings_more and len(rows) >= self._page_size
            return Ask(self._window, beyond=self._rows) if probing else self._at_next_edge()
        if link in self._followed or self._fruitless >= MOST_FRUITLESS:
            self.oddity = "next links that lead nowhere"
            return self._at_next_edge()
        if not self._readings and not self._followed:
            self._usual_page = min(len(rows), self._page_size) or self._page_size
        if self._recipient is not None and rows and (edge := self._recipient(rows[-1])):
            self._edges.append(edge)
        self._followed.add(link)
        return Ask(self._window, link)

    def without_link(self) -> None:
        raise Unavailable("a next link is refused")

    def _at_next_edge(self) -> Ask | None:
        self._at_edges = True
        if self._edges:
            return Ask(self._window, recipient=self._edges.pop())
        return self._judged()

    def _judged(self) -> Ask | None:
        """After a whole reading: read again, or done."""
        self._readings += 1
        new = self._reading - self._seen
        missing = self._seen - self._reading
        self._seen |= self._reading
        self._quiet = 0 if new else self._quiet + 1
        if missing and self._recipient is not None and not self._followed:
            raise self._truncated("a page that was cut short")
        if (self._quiet and not missing) or self._quiet == _ENOUGH_QUIET:
            self.covered = self._window
            return None
        if self._readings == MOST_READINGS:
            raise self._truncated("readings of one millisecond that differ")
        self._begin()
        share = _SHARES[self._readings % len(_SHARES)]
        top = max(int(self._usual_page * share), 1) if self._recipient is not None else None
        return Ask(self._window, top=top)

    def _truncated(self, sentence: str) -> AnswerTruncated:
        return AnswerTruncated(sentence, f"{len(self._seen | self._reading)} rows", self._window)


class NewestFirst:
    """Asks again for what is older than the last row of a page, as long as rows come newest first.

    The last row's millisecond is asked for once more, and one more than that: receive times are shown
    in milliseconds, and the service knows finer ones.
    """

    oddity: str | None = None

    def __init__(
        self, window: Window, page_size: int, most: int | None, recipient: Recipient
    ) -> None:
        self.first = Ask(window)
        self.covered: Window | None = None
        self._window = window
        self._rest = window
        self._page_size = page_size
        self._most = most
        self._recipient = recipient
        self._pages = 0
        self._part: ByLinks | Instant | None = None

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        self._pages += 1
        if self._part is not None:
            return self._through(self._part, self._part.after(rows, link))
        if link is None and len(rows) < self._page_size:
            self.covered = self._window
            return None
        start, end = self._rest.start, self._rest.end
        inside = range(milliseconds(start), milliseconds(end) + 1)
        received = [row.received for row in rows if row.received in inside]
        in_order = all(later <= earlier for earlier, later in pairwise(received))
        last = instant(received[-1]) if received else end
        if in_order and last + MILLISECOND < end:
            following = self._advance(last + MILLISECOND)
            if self._pages == self._most:
                raise WindowTooLarge("more pages than are good to read again")
            return following
        if in_order and len(rows) >= self._page_size:
            crowded = Window(max(last - MILLISECOND, start), end)
            self._part = Instant(crowded, self._page_size, self._recipient)
            return self._part.first
        self._part = ByLinks(self._rest, self._page_size, self._most)
        return self._through(self._part, self._part.after(rows, link))

    def without_link(self) -> None:
        (self._part or ByLinks(self._rest, self._page_size)).without_link()

    def _through(self, part: ByLinks | Instant, following: Ask | None) -> Ask | None:
        """Go on after a stretch of ``part``, at the end of which the rest is asked for by time."""
        if following is not None:
            return following
        self.oddity = part.oddity or self.oddity
        self._part = None
        begun = part.first.window.start
        if begun > self._rest.start:
            return self._advance(begun)
        self.covered = self._window
        return None

    def _advance(self, upper: datetime) -> Ask:
        self._rest = Window(self._rest.start, upper)
        self.covered = Window(upper, self._window.end)
        return Ask(self._rest)


class OnePage:
    """Takes a window only if all of it fits one page; links are followed to see that nothing is there.

    ``largest`` is the largest page that the service has given: a smaller one was not cut for its size,
    and is believed if its link is refused.
    """

    oddity: str | None = None
    covered: Window | None = None

    def __init__(self, window: Window, page_size: int, largest: int) -> None:
        self.first = Ask(window)
        self._window = window
        self._page_size = page_size
        self._largest = largest
        self._rows = 0
        self._followed: set[str] = set()

    def after(self, rows: Sequence[Row], link: str | None) -> Ask | None:
        if len(rows) >= self._page_size or (self._rows and rows):
            received = sorted(row.received for row in rows)
            cut = instant(received[len(received) // 2])
            raise WindowTooLarge("more than a page", cut=cut)
        self._rows += len(rows)
        if link is None or link in self._followed or len(self._followed) == MOST_FRUITLESS:
            self.oddity = "next links that lead nowhere" if link else None
            self.covered = self._window
            return None
        self._followed.add(link)
        return Ask(self._window, link)

    def without_link(self) -> None:
        if self._rows >= self._largest:
            raise WindowTooLarge("a next link is refused")
        self.oddity = "next links that it refuses"
        self.covered = self._window
