"""Schedules declared gaps to be tried again: pure, no I/O and no clock."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from office365_message_trace.collect.coverage import Cause, Gap, Policy
from office365_message_trace.model import MILLISECOND, Window

PROBE_EVERY = 3600.0
"""Seconds between two attempts, one gap each, as long as none can be read."""

_GOLDEN = 0.618034  # its multiples, without their whole parts, come near every fraction soon
_IN_THE_HOUR = 23 * 60 + 17  # seconds


class GapProbe:
    """Chooses the gap to try, among those that the service may still have; ``turn`` counts the turns of each.

    One is tried in each hour, whose number decides which, so that restarts skip none. The minute is an odd one, at
    which nothing restarts processes regularly. Gaps often share a cause, so after one that could be read the next one is
    tried at once, until each had its turn. ``moment`` is in monotonic seconds throughout.
    """

    def __init__(self, now: datetime, moment: float) -> None:
        self._next = moment + _until_next(now)
        self._waiting: list[Gap] = []
        self._hurried = False
        self.turn = 0

    def wait(self, moment: float) -> float:
        """Seconds from ``moment`` until a gap may be tried."""
        return 0.0 if self._hurried else max(self._next - moment, 0.0)

    def hurry(self) -> None:
        """Note that the gap tried last can be read."""
        self._hurried = True

    def next(self, gaps: Sequence[Gap], policy: Policy, now: datetime, moment: float) -> Gap | None:
        """The gap to try at ``now``, which is ``moment``; the service may still have a part of it."""
        hurried, self._hurried = self._hurried, False
        if moment < self._next and not hurried:
            return None
        oldest = policy.oldest_kept(now)
        kept = [gap for gap in gaps if gap.window.end > oldest]
        if not hurried:
            self._next = moment + _until_next(now)
            self.turn, number = divmod(int(now.timestamp() // PROBE_EVERY), max(len(kept), 1))
            last = len(kept) - number
            self._waiting = kept[last:] + kept[:last]
        while self._waiting:
            if (gap := self._waiting.pop()) in kept:
                return gap
        return None


def part_to_try(gap: Gap, width: timedelta, oldest: datetime, now: datetime, turn: int) -> Window:
    """The part of ``gap`` to read at ``now``, of this ``width`` at most and not from before ``oldest``.

    It is the newest one, which the service keeps longest; but of hidden time another one at each ``turn``, because time
    that is quiet shows no rows, hidden or not.
    """
    start = max(gap.window.start, oldest)
    end = min(gap.window.end, max(now, start + MILLISECOND))
    if gap.cause is Cause.HIDDEN:
        parts = -(-(end - start) // width)
        end -= width * int(parts * (turn * _GOLDEN % 1))
    return Window(max(start, end - width), end)


def _until_next(now: datetime) -> float:
    return PROBE_EVERY - (now.timestamp() - _IN_THE_HOUR) % PROBE_EVERY
