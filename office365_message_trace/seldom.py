"""Limits how often a log line is repeated: pure, the caller tells the time."""

from math import inf

HOURLY = 3600.0
"""Seconds between two lines that tell of the same lasting condition."""


class Seldom:
    """Allows each line once every so many ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._said: dict[str, float] = {}

    def may_say(self, what: str, moment: float) -> bool:
        """True if ``what`` was not said too recently; then it counts as said at ``moment``, in monotonic seconds."""
        if moment - self._said.get(what, -inf) < self._seconds:
            return False
        self._said[what] = moment
        return True
