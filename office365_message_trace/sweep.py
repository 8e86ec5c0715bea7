"""How much of a window its pages have covered before the last one came: pure, no I/O and no clock."""

from collections.abc import Sequence
from datetime import timedelta

from office365_message_trace.model import Row, Window, instant

_SECOND = timedelta(seconds=1)


class Sweep:
    """The order in which the pages of ``window`` come, and what is certain to lie behind them.

    Neither service documents an order; Microsoft Graph was observed to go from the newest row to the
    oldest. So an order counts only if two pages and all their rows kept to it.
    """

    def __init__(self, window: Window) -> None:
        self.rows = 0
        self._window = window
        self._pages = 0
        self._first = self._last = 0
        self._rising = self._falling = True

    def add(self, rows: Sequence[Row]) -> None:
        """Note the next page, once it is delivered."""
        if not rows:
            return
        received = [row.received for row in rows]
        if self._pages:
            received.insert(0, self._last)
        else:
            self._first = received[0]
        in_order = sorted(received)
        self._rising = self._rising and received == in_order
        self._falling = self._falling and received[::-1] == in_order
        self._last = received[-1]
        self._pages += 1
        self.rows += len(rows)

    @property
    def covered(self) -> Window | None:
        """The part that need not be read again if no more pages come; whole seconds, None if none.

        Rows of the same instant as the last one may be to come, and a service may leave the bounds of
        a window out, so the rest begins before or ends after that instant.
        """
        if self._pages < 2 or self._first == self._last:
            return None
        edge = instant(self._last).replace(microsecond=0)
        if self._falling and self._window.start < (upper := edge + _SECOND) < self._window.end:
            return Window(upper, self._window.end)
        if self._rising and self._window.start < (lower := edge - _SECOND) < self._window.end:
            return Window(self._window.start, lower)
        return None
