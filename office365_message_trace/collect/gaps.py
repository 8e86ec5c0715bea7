"""When declared gaps are tried again: pure, no I/O and no clock."""

from collections.abc import Sequence
from datetime import datetime

from office365_message_trace.coverage import Gap, Policy

PROBE_EVERY = 3600.0
"""Seconds between two tries, one gap a try, as long as none can be read."""


class GapProbe:
    """Chooses the gap to try, as long as the service may still have it: the newest first and then in turn.

    Gaps often have a cause in common, so after one that could be read the next one is tried at once, up to
    the end of the turn. Times are monotonic seconds.
    """

    def __init__(self, now: float) -> None:
        self._next = now + PROBE_EVERY
        self._tried: set[Gap] = set()
        self._hurried = False

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until a gap may be tried."""
        return 0.0 if self._hurried else max(self._next - now, 0.0)

    def hurry(self) -> None:
        """Note that the gap tried last can be read."""
        self._hurried = True

    def next(self, gaps: Sequence[Gap], policy: Policy, now: datetime, moment: float) -> Gap | None:
        """The gap to try at ``now``, which is ``moment``: one of which the service may have a part."""
        hurried, self._hurried = self._hurried, False
        if moment < self._next and not hurried:
            return None
        oldest = policy.oldest_kept(now)
        kept = [gap for gap in gaps if gap.window.end > oldest]
        untried = [gap for gap in kept if gap not in self._tried]
        if not hurried:
            self._next = moment + PROBE_EVERY
            if not untried:
                self._tried.clear()
                untried = kept
        if not untried:
            return None
        self._tried.add(untried[-1])
        return untried[-1]
