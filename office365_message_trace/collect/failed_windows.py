"""Windows of the past that could not be read, and when to try each again: pure, no I/O and no clock.

A fault that belongs to the service passes, and the window is tried again as it is. A fault that belongs
to the data does not: some services fail for every page that holds one bad record. A window that fails
again although others were read meanwhile is therefore divided, until only the bad millisecond is left.
A part is divided further when it fails once, because that costs little if the fault was passing. But a
single millisecond is at fault only if it fails repeatedly by itself.

In an outage of a part of the past, too, windows fail while others are read. So before a window is divided, a sample
of it is read, which is so short that it hardly holds a bad record. As long as samples fail, too, only they are tried.

If no other window of the past can be read, each may hold a bad record. Then rows of fresh mail show that the service
works, and this module: each time that some are read, one window may be divided, the smallest first, down to a
millisecond. If the past is at fault as a whole, that costs little.

Times are monotonic seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from office365_message_trace.collect.coverage import Read
from office365_message_trace.model import MILLISECOND, Window

LONGEST_PAUSE = 900.0
"""Seconds that a failed window waits at most."""

_PAUSES = (60.0, 180.0, 540.0, LONGEST_PAUSE)  # seconds before a window is tried again as it is
_PART_PAUSE = 5.0  # seconds before the parts of a divided window are tried
_PARTS = 4
_FAILURES_OF_A_MILLISECOND = 3  # until it is at fault, over four minutes
_TAIL_SHARE = 8
_LONGEST_TAIL = timedelta(seconds=2)
_SAMPLE = timedelta(milliseconds=10)
_WORTH_A_SAMPLE = timedelta(seconds=1)  # wider windows are sampled
_GOLDEN = 0.618034  # its multiples, without their whole parts, spread samples evenly over a window


@dataclass(frozen=True, slots=True)
class Trial:
    """A window to read once more at ``due``.

    It failed ``failures`` times; ``successes`` windows had been read when it first failed. ``news`` and
    ``refusals`` count how often it was repeated as a final read because it brought something new, or
    because the intake refused an event of it. A sample has its ``whole``; ``sampled`` is true for a part of a window
    of which a sample could be read.
    """

    read: Read
    due: float = 0.0
    failures: int = 0
    successes: int = 0
    news: int = 0
    refusals: int = 0
    whole: Window | None = None
    sampled: bool = False

    @property
    def window(self) -> Window:
        """The time that is decided by it."""
        return self.whole or self.read.window

    @property
    def alone(self) -> bool:
        """True if it waits for a reason of its own: it is a single millisecond, which may hold a bad record,
        or a final read that is being repeated."""
        return self.read.window.span <= MILLISECOND or self.news + self.refusals > 0

    @property
    def counts(self) -> bool:
        """True if it has failed, or is being repeated: a process that does not know that begins again."""
        return self.failures + self.news + self.refusals > 0


class FailedWindows:
    """The windows that wait to be tried again, ``trials`` at first.

    ``successes`` other windows of the past were read so far. ``fresh_mail`` is true if rows of fresh mail were read since
    a window was last divided because of that.
    """

    def __init__(self, trials: Iterable[Trial] = (), fresh_mail: bool = False) -> None:
        self._waiting = list(trials)
        self.successes = 0
        self.fresh_mail = fresh_mail

    @property
    def trials(self) -> list[Trial]:
        """The trials of the waiting windows."""
        return self._waiting

    @property
    def windows(self) -> list[Window]:
        """The waiting windows, which must not be planned meanwhile."""
        return [trial.window for trial in self._waiting]

    def succeeded(self) -> None:
        """Note that some window was read to its end, or the first pages of one that failed."""
        self.successes += 1

    def completed(self, trial: Trial, now: float) -> None:
        """Note that ``trial`` was read to its end. If it was a sample, its window is at fault: divide that.

        A sample, most likely empty, shows nothing of other windows.
        """
        if trial.whole is not None:
            self._divide(replace(trial.read, window=trial.whole), now)
        else:
            self.succeeded()

    def forget_before(self, oldest: datetime) -> None:
        """Drop windows that lie entirely before ``oldest``."""
        self._waiting = [trial for trial in self._waiting if trial.window.end > oldest]

    def postpone(self, read: Read, until: float, news: int = 0, refusals: int = 0) -> None:
        """Read the same window at ``until``; it did not fail."""
        self._waiting.append(Trial(read, until, news=news, refusals=refusals))

    def again(self, trial: Trial, now: float) -> None:
        """Try ``trial`` again as it is: its failure says nothing about its window."""
        self._waiting.append(replace(trial, due=now + _PAUSES[0]))

    def failed(self, trial: Trial, now: float) -> Window | None:
        """Note that ``trial`` failed; returns the window if it is the millisecond at fault."""
        first = self.successes if not trial.failures else trial.successes
        failures = trial.failures + 1
        window = trial.read.window
        few = failures < (2 if window.span > MILLISECOND else _FAILURES_OF_A_MILLISECOND)
        pause = _PAUSES[min(failures, len(_PAUSES)) - 1]
        if trial.whole is not None:
            sample = replace(trial.read, window=_sample(trial.whole, failures + 1))
            self._waiting.append(Trial(sample, now + pause, failures, first, whole=trial.whole))
        elif few or not self._others_read(first, window):
            again = Trial(trial.read, now + pause, failures, first, sampled=trial.sampled)
            self._waiting.append(again)
        elif window.span <= MILLISECOND:
            return window
        elif window.span > _WORTH_A_SAMPLE:
            sample = replace(trial.read, window=_sample(window, 1))
            pause = _PART_PAUSE if trial.sampled else pause
            self._waiting.append(Trial(sample, now + pause, failures, first, whole=window))
        else:
            self._divide(trial.read, now)
        return None

    def _others_read(self, first: int, window: Window) -> bool:
        """True if something else was read since ``first`` successes, so that ``window`` is most likely at fault. Uses up
        what fresh mail has shown if nothing else shows it.
        """
        if self.successes != first:
            return True
        smallest = min((each.window.span for each in self._waiting if each.failures), default=None)
        divisible = window.span > MILLISECOND and (not smallest or window.span <= smallest)
        if not (self.fresh_mail and divisible):
            return False
        self.fresh_mail = False
        return True

    def _divide(self, read: Read, now: float) -> None:
        for part in divided(read.window, _PARTS):
            again = replace(read, window=part)
            failures = int(part.span > MILLISECOND)
            self._waiting.append(
                Trial(again, now + _PART_PAUSE, failures, self.successes, sampled=True)
            )

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
