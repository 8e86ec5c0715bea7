"""Windows of the past that could not be read, and when to try each again: pure, no I/O and no clock.

A fault that belongs to the service passes, and the window is tried again as it is. A fault that belongs
to the data does not: some services fail for every page that holds one bad record. A window that fails
again although others were read meanwhile is therefore divided, until only the bad millisecond is left.
A part is divided further when it fails once, because that costs little if the fault was passing. But a
single millisecond is at fault only if it fails repeatedly by itself.

In an outage of a part of the past, too, windows fail while others are read. Then all parts of a window fail, and so
does a sample of it that is so short that it hardly holds a bad record. So parts are divided only once a part or a
sample of their window was read, and few windows wait for that at a time.

Times are monotonic seconds.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from office365_message_trace.collect.coverage import Read
from office365_message_trace.model import MILLISECOND, Window

_PAUSES = (60.0, 180.0, 540.0, 900.0)  # seconds before a window is tried again as it is
_PART_PAUSE = 5.0  # seconds before the parts of a divided window are tried
_PARTS = 4
_FAILURES_OF_A_MILLISECOND = 3  # until it is at fault, over four minutes
_TAIL_SHARE = 8
_LONGEST_TAIL = timedelta(seconds=2)
_SAMPLE = timedelta(milliseconds=10)
_WORTH_A_SAMPLE = timedelta(seconds=1)
_GOLDEN = 0.618034  # its multiples, without their whole parts, spread samples evenly over a window
_MOST_UNREAD = 3  # divided windows of which no part has been read yet


@dataclass(frozen=True, slots=True)
class Trial:
    """A window to read once more at ``due``; ``whole`` is the divided one that it is a part or a sample of, if any.

    It failed ``failures`` times; ``successes`` windows had been read when it first failed. ``news`` and
    ``refusals`` count how often it was repeated as a final read because it brought something new, or
    because the intake refused an event of it.
    """

    read: Read
    due: float = 0.0
    failures: int = 0
    successes: int = 0
    news: int = 0
    refusals: int = 0
    whole: Window | None = None

    @property
    def alone(self) -> bool:
        """True if it waits for a reason of its own: it is a single millisecond, which may hold a bad record,
        or a final read that is being repeated."""
        return self.read.window.span <= MILLISECOND or self.news + self.refusals > 0


class FailedWindows:
    """The windows that wait to be tried again."""

    def __init__(self) -> None:
        self._waiting: list[Trial] = []
        self._successes = 0
        self._unread: set[Window] = (
            set()
        )  # divided windows, no part or sample of which was read yet

    @property
    def windows(self) -> list[Window]:
        """The waiting windows, which must not be planned meanwhile."""
        return [trial.read.window for trial in self._waiting]

    def succeeded(self, trial: Trial) -> None:
        """Note that the window of ``trial`` was read to its end, or its first pages were."""
        self._successes += 1
        self._unread.discard(trial.whole or trial.read.window)

    def forget_before(self, oldest: datetime) -> None:
        """Drop windows that lie entirely before ``oldest``."""
        self._waiting = [trial for trial in self._waiting if trial.read.window.end > oldest]
        self._unread.intersection_update(trial.whole for trial in self._waiting if trial.whole)

    def postpone(self, read: Read, until: float, news: int = 0, refusals: int = 0) -> None:
        """Read the same window at ``until``; it did not fail."""
        self._waiting.append(Trial(read, until, news=news, refusals=refusals))

    def again(self, trial: Trial, now: float) -> None:
        """Try ``trial`` again as it is: its failure says nothing about its window."""
        self._waiting.append(replace(trial, due=now + _PAUSES[0]))

    def failed(self, trial: Trial, now: float) -> Window | None:
        """Note that ``trial`` failed; returns the window if it is the millisecond at fault."""
        first = self._successes if not trial.failures else trial.successes
        failures = trial.failures + 1
        window = trial.read.window
        few = failures < (2 if window.span > MILLISECOND else _FAILURES_OF_A_MILLISECOND)
        if few or self._successes == first or self._may_be_outage(trial):
            pause = _PAUSES[min(failures, len(_PAUSES)) - 1]
            read = trial.read
            if trial.whole in self._unread and window.span <= _SAMPLE:
                read = replace(read, window=_sample(trial.whole, failures))
            self._waiting.append(Trial(read, now + pause, failures, first, whole=trial.whole))
            return None
        if window.span <= MILLISECOND:
            return window
        parts = divided(window, _PARTS)
        if trial.whole is None and window.span > _WORTH_A_SAMPLE:
            self._unread.add(window)
            parts.append(_sample(window, 1))
        for part in parts:
            read = replace(trial.read, window=part)
            failures = int(part.span > MILLISECOND)
            whole = trial.whole or window
            again = Trial(read, now + _PART_PAUSE, failures, self._successes, whole=whole)
            self._waiting.append(again)
        return None

    def is_partly_read(self, trial: Trial) -> bool:
        """True if ``trial`` is a part of a window that was read elsewhere: most likely its failure is its own."""
        return trial.whole is not None and trial.whole not in self._unread

    def _may_be_outage(self, trial: Trial) -> bool:
        """True if the failure of ``trial`` may have nothing to do with its window."""
        if trial.whole is not None:
            return not self.is_partly_read(trial)
        return len(self._unread.intersection(each.whole for each in self._waiting)) >= _MOST_UNREAD

    def next_due(self, now: float) -> Trial | None:
        """Remove and return the trial that has been due longest, if any is."""
        trial = min(self._waiting, key=lambda each: each.due, default=None)
        if trial is None or trial.due > now:
            return None
        self._waiting.remove(trial)
        return trial

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until a trial is due; infinite without any."""
        return max(min((each.due for each in self._waiting), default=float("inf")) - now, 0.0)

    def hurry(self) -> None:
        """Make all windows due at once, because the obstacle is gone. Excepts those that wait for a reason
        of their own, see `Trial.alone`.
        """
        self._waiting = [each if each.alone else replace(each, due=0.0) for each in self._waiting]


def divided(window: Window, parts: int) -> list[Window]:
    """``window`` in at most this many parts of whole milliseconds, which share their bounds."""
    span = max(-(-window.span // (parts * MILLISECOND)) * MILLISECOND, MILLISECOND)
    return window.divided_at(*(window.start + span * number for number in range(1, parts)))


def _sample(window: Window, number: int) -> Window:
    """A short part of ``window``, at another place for each ``number``."""
    places = (window.span - _SAMPLE) // MILLISECOND
    start = window.start + int(places * (number * _GOLDEN % 1)) * MILLISECOND
    return Window(start, start + _SAMPLE)


def divided_around(window: Window, instant: datetime) -> list[Window]:
    """``window`` in parts, one of them the millisecond from ``instant`` on.

    Services read beyond the end of a window. If ``instant`` lies there, a small part before the end is
    divided off, so that the other one does not reach ``instant``. If it lies before the window, the parts
    are halves.
    """
    parts = window.divided_at(instant, instant + MILLISECOND)
    if instant >= window.end:
        tail = min(window.span // (_TAIL_SHARE * MILLISECOND) * MILLISECOND, _LONGEST_TAIL)
        parts = window.divided_at(window.end - max(tail, 2 * MILLISECOND))
    return parts if len(parts) > 1 else divided(window, 2)
