"""Learns the width of windows from the rows in earlier ones: pure."""

from datetime import timedelta

from office365_message_trace.model import MILLISECOND

_FIRST_GUESS = timedelta(hours=6)
_BOLDEST_GUESS = timedelta(days=4)
_WIDEST = timedelta(days=10)  # what Graph accepts at most
_CUT = 4
_GROWTH = 16
# up to the width of a window that failed: more mail may be beside the little just read
_CAREFUL_GROWTH = 2
_FEW = 4  # divisor: a window with fewer than that share of the rows says little
_SECOND = timedelta(seconds=1)


class WindowWidth:
    """The width at which a window holds about ``rows`` rows: wide in quiet times, else narrow.

    Such a window costs little to read again, and few requests are wasted on empty ones.
    """

    def __init__(self, rows: int) -> None:
        self.now = _FIRST_GUESS
        self.rows = rows
        self._observed = False
        self._failed = timedelta(0)  # the width of the last window that was too large

    def aim(self, rows: int) -> None:
        """Aim at about ``rows`` rows a window from now on."""
        self.rows = max(rows, 1)

    def observe(self, span: timedelta, rows: int) -> None:
        """Learn from a window that was read to its end; grow only if it had the full width.

        A narrower one may be a crowded or an empty millisecond at which others were divided.
        """
        fitting = self._fitting(span, rows)
        if span >= self.now:
            growth = _CAREFUL_GROWTH if self.now < self._failed else _GROWTH
            self.now = min(fitting, self.now * growth, _WIDEST)
        elif fitting < self.now and rows * _FEW >= self.rows:
            self.now = max(fitting, _rounded(self.now / _GROWTH))
        self._observed = True

    def expect(self, span: timedelta, rows: int) -> None:
        """Guess from a window of another kind, as long as none of this kind was read."""
        if not self._observed:
            self.now = min(self._fitting(span, rows), _BOLDEST_GUESS)

    def narrow(self, span: timedelta, at_least: timedelta = MILLISECOND) -> None:
        """Narrow after a window of ``span`` that could not be read to its end."""
        self.now = min(self.now, max(_rounded(span / _CUT), at_least))
        self._observed = True
        self._failed = span

    def _fitting(self, span: timedelta, rows: int) -> timedelta:
        return max(_rounded(min(span * (self.rows / max(rows, 1)), _WIDEST)), MILLISECOND)


def _rounded(span: timedelta) -> timedelta:
    """``span`` in whole seconds, or in whole milliseconds below a second."""
    unit = _SECOND if span >= _SECOND else MILLISECOND
    return span // unit * unit
