"""When declared gaps are tried again: pure, no I/O and no clock."""

from collections.abc import Sequence
from datetime import datetime

from office365_message_trace.coverage import Gap, Policy

PROBE_EVERY = 3600.0
"""Seconds between two tries; one gap a try, the newest first and then in turn."""


class GapProbe:
    """Chooses the gap to try, as long as the service may still have it. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._next = now + PROBE_EVERY
        self._tried: set[Gap] = set()

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until a gap may be tried."""
        return max(self._next - now, 0.0)

    def next(self, gaps: Sequence[Gap], policy: Policy, now: datetime, moment: float) -> Gap | None:
        """The gap to try at ``now``, which is ``moment``: one of which the service may have a part."""
        if moment < self._next:
            return None
        self._next = moment + PROBE_EVERY
        oldest = policy.oldest_kept(now)
        kept = [gap for gap in gaps if gap.window.end > oldest]
        self._tried &= set(kept)
        if kept and self._tried >= set(kept):
            self._tried.clear()
        untried = [gap for gap in kept if gap not in self._tried]
        if not untried:
            return None
        self._tried.add(untried[-1])
        return untried[-1]
