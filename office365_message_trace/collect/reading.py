"""A window that is being read: what its pages brought and cover so far."""

from collections.abc import Callable, Iterator

from office365_message_trace.collect.coverage import Gap, Kind, Read, minus
from office365_message_trace.collect.failed_windows import Trial
from office365_message_trace.collect.large_messages import Message, MessageCounter
from office365_message_trace.errors import MessageTraceError, Stopped
from office365_message_trace.model import Event, Page, Pause, Row, Window


class Reading:
    """The reading of a window, or of the time of a declared ``gap``.

    After its own pages come those of the large messages in it: ``message`` is the one being read,
    ``left`` are the others; ``incomplete`` holds those that could not be completed, and why. ``fresh`` events were
    accepted, of which ``late`` ones had not been refused before, and ``owed`` counts rows of which one was refused for
    the first time. Its next page may be taken from ``not_before`` on, in monotonic seconds.
    """

    def __init__(
        self,
        trial: Trial,
        pages: Iterator[Page | Pause],
        moment: float,
        counter: MessageCounter,
        gap: Gap | None = None,
    ) -> None:
        self.trial = trial
        self.pages = pages
        self.began = moment
        self.gap = gap
        self.message: Message | None = None
        self.left: list[Message] | None = None
        self.incomplete: dict[Gap, str] = {}
        self.not_before = 0.0
        self.covered: Window | None = None
        # what is covered and not committed yet, a page a part, with the rows of each
        self._parts: list[tuple[Window, int]] = []
        self._assigned = 0  # rows of all parts so far
        self._edge: list[Row] = []  # the rows of the last page that are compared with the next one
        self.rows = self.fresh = self.late = self.owed = 0
        self.refused: list[Event] = []
        self.messages = counter

    @property
    def read(self) -> Read:
        """The window, and why it is read."""
        return self.trial.read

    def cover(self, covered: Window | None) -> None:
        """Take in what the pages cover by now."""
        before, self.covered = self.covered, covered
        if covered is None:
            self._parts.clear()
            return
        for part in minus([covered], [before] if before else []):
            self._parts.append((part, self.rows - self._assigned))
            self._assigned = self.rows

    def to_compare(self, page: Page) -> list[Row]:
        """The rows to compare with the record after ``page``, which was read last.

        Rows of one key are compared together, so those of a page's last millisecond come with the next page.
        If that fails, they are read again. None is held back where nothing smaller is read after a failure,
        nor of a page that holds a single millisecond.
        """
        rows, at = page.rows, len(page.rows)
        if page.more and self._is_whole and self.read.window.is_divisible:
            last = rows[-1].received if rows else 0
            while at and rows[at - 1].received == last:
                at -= 1
        held, self._edge = self._edge, [row.alone for row in rows[at:]] if at else []
        return [*held, *rows[: at or None]]

    def take_parts(self, rest: Window | None = None) -> list[tuple[Window, int]]:
        """The covered parts since the last call, each with its rows; of a complete window also the ``rest``
        of it that no page covered."""
        parts, self._parts = self._parts, []
        if rest:
            for part in minus([rest], [self.covered] if self.covered else []):
                parts.append((part, self.rows - self._assigned))
                self._assigned = self.rows
        return parts

    @property
    def commits_pages(self) -> bool:
        """True if each page is committed: for windows of the past, until the last page."""
        return (
            self._is_whole and self.read.kind is not Kind.LIVE and self.covered != self.read.window
        )

    @property
    def _is_whole(self) -> bool:
        """True for the pages of a window of its own, neither of a message nor of a gap."""
        return self.message is None and self.gap is None


def begun(pages: Callable[[], Iterator[Page | Pause]]) -> Iterator[Page | Pause]:
    """The iterator that ``pages`` returns. If the call fails unexpectedly, taking the first page raises the
    error instead, so that it affects this window only."""
    try:
        return pages()
    except (MessageTraceError, Stopped):
        raise
    except Exception as error:
        return map(_raise, [error])


def _raise(error: Exception) -> Page:
    raise error
