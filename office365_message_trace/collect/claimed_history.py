"""Judges a service that says how many days it keeps rows: pure, no I/O and no clock."""

from datetime import datetime, timedelta

from office365_message_trace.model import Window

ASK_AGAIN = 60.0
"""Seconds after which a claim that is repeated is believed."""

_STILL_KEPT = (timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1))
"""Cuts after the start of the history that a service claims; they leave little to be refused again."""


class ClaimedHistory:
    """The claims that were made, each since a monotonic second."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}

    def believed(self, days: int, moment: float) -> bool:
        """True if the claim of so many ``days`` repeats one that was made at least `ASK_AGAIN` before; it is
        settled then. Else it is noted."""
        since = self._since.setdefault(days, moment)
        if moment - since < ASK_AGAIN:
            return False
        del self._since[days]
        return True

    def contradict(self, start: datetime, now: datetime) -> None:
        """Forget claims by which time from ``start`` on would be too old: the service has answered for it."""
        self._since = {
            days: since
            for days, since in self._since.items()
            if now - timedelta(days=days) <= start
        }


def seemingly_kept(window: Window, days: int, now: datetime) -> tuple[Window, list[Window]]:
    """``window`` in the part that a service that keeps so many ``days`` may not show, and the others, which it
    shows whether it counts by day or by hour."""
    oldest = now - timedelta(days=days)
    first, *later = window.divided_at(*(oldest + each for each in _STILL_KEPT))
    return first, later
