"""When a process, and the first one of all, really began: pure, no I/O and no clock.

A first start reads back some hours from the time that it knows. If that time was ahead, the reading began too late, and
nothing else would ever read the hours that were left out.
"""

from datetime import datetime, timedelta

from office365_message_trace.collect.coverage import Coverage

_NOTICEABLE = timedelta(seconds=1)


class Beginning:
    """When a process began, as answers correct the time.

    ``told`` is that time as it was known then, ``moment`` the same in monotonic seconds. ``read_before`` is when an
    earlier process last read, by its own time, with some allowance for the time since.
    """

    def __init__(self, told: datetime, moment: float, read_before: datetime) -> None:
        self._told = self._known = told
        self._moment = moment
        self._read_before = read_before

    def earlier(self, now: datetime, moment: float) -> tuple[datetime, datetime] | None:
        """The real beginning and the one known so far, if the process began earlier than was known."""
        began, known = self._at(now, moment), self._known
        if known - began < _NOTICEABLE:
            return None
        self._known = began
        return began, known

    def first_start_ahead(self, coverage: Coverage, now: datetime, moment: float) -> timedelta:
        """By how much the time of the first start was ahead, or zero.

        It was if this process began before that time, unless the present time is the wrong one: it is behind if later
        mail was shown.
        """
        began, started_at, shown = self._at(now, moment), coverage.started_at, coverage.shown_from
        if started_at is None or started_at - began < _NOTICEABLE or (shown and shown > now):
            return timedelta(0)
        return max(started_at, self._told, self._read_before) - began

    def _at(self, now: datetime, moment: float) -> datetime:
        return now - timedelta(seconds=moment - self._moment)
