"""Follows next links as far as they can be believed."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import timedelta

from office365_message_trace.errors import MessageTraceError, Unavailable, WindowTooLarge
from office365_message_trace.microsoft.paging.walk import Ask, PageSize, without_strays
from office365_message_trace.model import Row, Window

MOST_EMPTY = 20
"""Empty pages in a row whose links are followed."""
FEW_EMPTY = 2
"""The same where longer chains are known to lead nowhere."""
ENOUGH_NOWHERE = 3
"""Windows in a row without rows whose chains led nowhere, before those of others are cut short."""
LONG = timedelta(hours=2)
"""A window of this span follows its chains whatever those of windows without rows did: in a tenant without mail a
sweep is that wide two to five times an hour, and reaches from now back over all that others read meanwhile."""
MOST_REPEATING = 3
"""Pages in a row that hold known rows only before their links count as a circle."""

_NOWHERE = "next links that lead nowhere"
_BACK = "next links that lead back"
_REFUSED = "next links that cannot be followed"


class Circle(WindowTooLarge):
    """Links of pages that may be full lead to known rows only."""


class Links:
    """Follows and judges the links of one request's pages.

    A link of a page that was not full does not count if it is refused or leads back; neither does a link
    of an empty page that leads nowhere. Where the window is read ``again`` later, long chains of empty pages may
    be cut short because those of other windows without rows led nowhere.
    """

    def __init__(
        self,
        window: Window,
        size: PageSize,
        top: int | None = None,
        rows: int = 0,
        again: bool = False,
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
        self._again = again
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
        ``link``, if that counts. Raises `Circle`.
        """
        rows = without_strays(rows, self._window)
        alone = not link and not self._followed
        keys = set() if alone else keys_of(rows)
        new = alone or not keys <= self.seen
        if rows and not new and self.ended:
            self.oddity = _BACK
            return (), None
        self.moved = self.moved or not keys.isdisjoint(self.seen)
        self.seen |= keys
        if rows:
            self._size.behind_empty = self._size.behind_empty or (new and self._empty > 0)
            self._empty = 0
            before, asked = self.rows, self._top or self._size.asked
            self._size.short = self._size.short or (new and 0 < before < asked)
            self.rows = len(rows)
            self._size.largest = max(self._size.largest, self.rows)
            self._repeating = 0 if new else self._repeating + 1
        else:
            self._empty += 1
        if link is None:
            self._note_chain(nowhere=False)
            return rows, None
        back = link in self._followed or self._came_before(keys)
        if not rows and (back or self._empty > self._most_empty):
            self._note_chain(nowhere=True)
            self.oddity = _NOWHERE
            return rows, None
        if back and self.ended:
            self.oddity = _BACK
            return rows, None
        if back or self._repeating >= MOST_REPEATING:
            raise Circle("next links lead in a circle")
        self._followed.add(link)
        return rows, link

    @property
    def _most_empty(self) -> int:
        """Empty pages to follow: few if chains led to nothing behind rows, and none to rows.

        That they led nowhere in windows without rows is weak evidence: rows may come behind such chains later. So it
        counts only where the window is read again, is not a long one, and has shown no rows, either.
        """
        size = self._size
        known = self.ended and (size.empty_at_end or self._nowhere_likely)
        return FEW_EMPTY if known and not size.behind_empty else MOST_EMPTY

    @property
    def _nowhere_likely(self) -> bool:
        short = self._window.span < LONG
        return self._again and not self.rows and short and self._size.nowhere >= ENOUGH_NOWHERE

    def _note_chain(self, nowhere: bool) -> None:
        """Learn from a chain of empty pages that led to nothing: to its end, or ``nowhere``."""
        if self._empty <= FEW_EMPTY:
            return
        if self.rows and self.ended:
            self._size.empty_at_end = True
        if self._again and not self.rows:
            self._size.nowhere = self._size.nowhere + 1 if nowhere else 0

    def _came_before(self, keys: set[int]) -> bool:
        """True if the same page came before, perhaps by a link that is written differently."""
        if not keys:
            return False
        known = len(self._pages)
        self._pages.add(hash(frozenset(keys)))
        return len(self._pages) == known


class LinkedWalk(ABC):
    """Base of all walks: believes links as far as `Links` does."""

    oddity: str | None = None
    covered: Window | None = None

    def __init__(self, window: Window, size: PageSize, again: bool = False) -> None:
        self.first = Ask(window)
        self._window = window
        self._size = size
        self._links = Links(window, size, again=again)

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


def keys_of(rows: Sequence[Row]) -> set[int]:
    """Hashes of the keys of ``rows``, valid in this process."""
    return {hash(row.identity) for row in rows}
