"""How much to read at once, and how soon to try again what failed."""

from datetime import timedelta

from office365_message_trace.model import MILLISECOND

NARROWEST = MILLISECOND
"""Receive times have milliseconds; less than one cannot be told apart."""

ATTEMPTS = 4
"""At one request, before its window is given back; it will be planned again."""

_FIRST_GUESS = timedelta(hours=6)
_BOLDEST_GUESS = timedelta(days=4)
_WIDEST = timedelta(days=10)  # what Graph accepts at most, and the Reporting Web Service's history
_CUT = 4
_GROWTH = 16
_FEW = 4  # of a window's rows: less than one in so many
_SECOND = timedelta(seconds=1)
_PROBES = (60.0, 180.0, 540.0, 600.0)  # seconds
_DOUBTFUL = 3  # failed probes in a row that may still pass; the fourth comes after 13 minutes


class WindowWidth:
    """The width that makes a window hold about ``rows`` rows: wide in quiet times, else narrow.

    A window of that size costs little to read again, and few requests are wasted on empty ones.
    """

    def __init__(self, rows: int) -> None:
        self.now = _FIRST_GUESS
        self.rows = rows
        self._observed = False

    def aim(self, rows: int) -> None:
        """Have windows hold about ``rows`` rows from now on."""
        self.rows = max(rows, 1)

    def observe(self, span: timedelta, rows: int) -> None:
        """Learn from a window that was read to its end; grow only if it was a full-width one.

        A narrower one may be the crowded or the lonely millisecond that others were divided at.
        """
        fitting = self._fitting(span, rows)
        if span >= self.now:
            self.now = min(fitting, self.now * _GROWTH, _WIDEST)
        elif fitting < self.now and rows * _FEW >= self.rows:
            self.now = max(fitting, _rounded(self.now / _GROWTH))
        self._observed = True

    def expect(self, span: timedelta, rows: int) -> None:
        """A guess from another window, as long as none of this kind was read."""
        if not self._observed:
            self.now = min(self._fitting(span, rows), _BOLDEST_GUESS)

    def narrow(self, span: timedelta, at_least: timedelta = NARROWEST) -> None:
        """After a window of ``span`` that could not be read to its end."""
        self.now = min(self.now, max(_rounded(span / _CUT), at_least))
        self._observed = True

    def _fitting(self, span: timedelta, rows: int) -> timedelta:
        return max(_rounded(min(span * (self.rows / max(rows, 1)), _WIDEST)), NARROWEST)


class SlowProbe:
    """Waits from 1 to 10 minutes between tries of what is not likely to work yet.

    The first ``patience`` failures in a row mean nothing yet.
    """

    def __init__(self, patience: int = 0) -> None:
        self._patience = patience
        self._failures = 0
        self._lasting = 0  # the last ones of them in a row
        self._next = 0.0

    @property
    def certain(self) -> bool:
        """Whether enough failures in a row were of a kind that lasts: it will not pass by itself."""
        return self._lasting > _DOUBTFUL

    @property
    def waiting(self) -> bool:
        """Whether nothing has worked since it began to wait."""
        return self._failures > self._patience

    def failed(self, now: float, lasting: bool = False) -> float:
        """Note a failure at ``now``, in monotonic seconds; returns how long to wait.

        ``lasting`` tells that it seems to be of a kind that does not pass by itself.
        """
        self._failures += 1
        self._lasting = self._lasting + 1 if lasting else 0
        if not self.waiting:
            return 0.0
        pause = _PROBES[min(self._failures - self._patience, len(_PROBES)) - 1]
        self._next = now + pause
        return pause

    def wait(self, now: float) -> float:
        """Seconds from ``now``, in monotonic seconds, until it is time to try (again)."""
        return max(self._next - now, 0.0)

    def reset(self) -> None:
        """Note a success."""
        self._failures = self._lasting = 0
        self._next = 0.0


def _rounded(span: timedelta) -> timedelta:
    """Whole seconds, or whole milliseconds where less than a second is meant."""
    unit = _SECOND if span >= _SECOND else MILLISECOND
    return span // unit * unit
