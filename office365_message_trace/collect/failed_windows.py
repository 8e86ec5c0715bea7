"""Windows of the past that could not be read, and when to try each again: pure, no I/O and no clock.

A fault that belongs to the service passes, and the window is tried again as it is. A fault that belongs
to the data does not: some services fail for every page that holds one bad record. A window that fails
again though others were read meanwhile is therefore divided, until only the bad millisecond is left.
A part is divided further when it fails once, because that costs little if it was a passing fault. But a
millisecond that is left is at fault only if it fails again and again by itself.
Where many windows fail again it is an outage of a part of the past, and nothing more is divided.

Times are monotonic seconds.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from office365_message_trace.collect.coverage import Read
from office365_message_trace.model import MILLISECOND, Window

_PAUSES = (60.0, 180.0, 540.0, 900.0)  # seconds before a window is tried again as it is
_PART_PAUSE = 5.0  # seconds before the parts of a divided one are
_PARTS = 4
_FAILURES_OF_A_MILLISECOND = 3  # until it is at fault, over four minutes
_TAIL_SHARE = 8
_LONGEST_TAIL = timedelta(seconds=2)
_MOST_FAILING = (
    16  # windows that failed and wait; a bad record makes a few, an outage makes all of them
)


@dataclass(frozen=True, slots=True)
class Trial:
    """A window to read once more at ``due``.

    It failed ``failures`` times; ``successes`` windows had been read when it failed first. As a final
    read it was repeated because it brought something new (``news``), or because the intake refused an
    event of it (``refusals``), so many times.
    """

    read: Read
    due: float = 0.0
    failures: int = 0
    successes: int = 0
    news: int = 0
    refusals: int = 0

    @property
    def alone(self) -> bool:
        """Whether the reason for waiting is its own: it is a single millisecond, which may hold a bad record,
        or a final read that is being repeated."""
        return self.read.window.span <= MILLISECOND or self.news + self.refusals > 0


class FailedWindows:
    """What waits to be tried again."""

    def __init__(self) -> None:
        self._waiting: list[Trial] = []
        self._successes = 0

    @property
    def windows(self) -> list[Window]:
        """The time that must not be planned meanwhile."""
        return [trial.read.window for trial in self._waiting]

    def succeeded(self) -> None:
        """Note that some window was read to its end, or the first pages of one that failed."""
        self._successes += 1

    def forget_before(self, oldest: datetime) -> None:
        """Try no window again that lies before ``oldest`` as a whole."""
        self._waiting = [trial for trial in self._waiting if trial.read.window.end > oldest]

    def postpone(self, read: Read, until: float, news: int = 0, refusals: int = 0) -> None:
        """Read the same window at ``until``; it did not fail."""
        self._waiting.append(Trial(read, until, news=news, refusals=refusals))

    def again(self, trial: Trial, now: float) -> None:
        """Try ``trial`` again as it is: what made it fail tells nothing of its window."""
        self._waiting.append(replace(trial, due=now + _PAUSES[0]))

    def failed(self, trial: Trial, now: float) -> Window | None:
        """Note that ``trial`` failed; returns the window if it is the millisecond at fault."""
        first = self._successes if not trial.failures else trial.successes
        failures = trial.failures + 1
        window = trial.read.window
        outage = sum(each.failures > 0 for each in self._waiting) >= _MOST_FAILING
        few = failures < (2 if window.span > MILLISECOND else _FAILURES_OF_A_MILLISECOND)
        if few or self._successes == first or outage:
            pause = _PAUSES[min(failures, len(_PAUSES)) - 1]
            self._waiting.append(Trial(trial.read, now + pause, failures, first))
            return None
        if window.span <= MILLISECOND:
            return window
        for part in divided(window, _PARTS):
            read = replace(trial.read, window=part)
            failures = int(part.span > MILLISECOND)
            self._waiting.append(Trial(read, now + _PART_PAUSE, failures, self._successes))
        return None

    def next_due(self, now: float) -> Trial | None:
        """Take out the trial that is due longest, if any is."""
        trial = min(self._waiting, key=lambda each: each.due, default=None)
        if trial is None or trial.due > now:
            return None
        self._waiting.remove(trial)
        return trial

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until a trial is due; infinite without any."""
        return max(min((each.due for each in self._waiting), default=float("inf")) - now, 0.0)

    def hurry(self) -> None:
        """Have everything tried at once, because what stood in the way is gone: all but what waits for a
        reason of its own, a millisecond that may be at fault or a final read that is repeated.
        """
        self._waiting = [each if each.alone else replace(each, due=0.0) for each in self._waiting]


def divided(window: Window, parts: int) -> list[Window]:
    """``window`` in at most so many parts of whole milliseconds, which share their bounds."""
    span = max(-(-window.span // (parts * MILLISECOND)) * MILLISECOND, MILLISECOND)
    return window.divided_at(*(window.start + span * number for number in range(1, parts)))


def divided_around(window: Window, instant: datetime) -> list[Window]:
    """``window`` in parts, one of them the millisecond from ``instant`` on.

    If ``instant`` lies behind the window, whose end services read beyond, a small part before the end is
    divided off, so that the other one does not reach ``instant``; if it lies before it, halves.
    """
    parts = window.divided_at(instant, instant + MILLISECOND)
    if instant >= window.end:
        tail = min(window.span // (_TAIL_SHARE * MILLISECOND) * MILLISECOND, _LONGEST_TAIL)
        parts = window.divided_at(window.end - max(tail, 2 * MILLISECOND))
    return parts if len(parts) > 1 else divided(window, 2)
