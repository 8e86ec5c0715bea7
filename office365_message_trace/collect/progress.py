"""Progress of a backlog, and the log line about it: pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from office365_message_trace.model import span

_LEAST_SHARE = 0.001  # that has to be read before it tells a pace


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The shrinking of a backlog. ``backlog`` is its present length, in seconds of receive time,
    ``longest`` its greatest length since there was none, and ``longest_at`` the time of that, from which
    the pace is measured."""

    backlog: float = 0.0
    longest: float = 0.0
    longest_at: datetime | None = None

    def at(self, now: datetime, backlog: float) -> "CatchUp":
        """The progress with ``backlog`` seconds left at ``now``."""
        if not backlog:
            return CatchUp()
        if self.longest_at is None or backlog > self.longest:
            return CatchUp(backlog, backlog, now)
        return CatchUp(backlog, self.longest, self.longest_at)

    @property
    def done(self) -> float | None:
        """The share that has been read, from 0 to 1; None without a backlog."""
        return 1 - self.backlog / self.longest if self.backlog else None

    def left(self, now: datetime) -> timedelta | None:
        """The time that the rest takes at the pace so far; None if that is unknown."""
        caught_up = self.longest - self.backlog
        if not self.backlog or self.longest_at is None or now <= self.longest_at:
            return None
        if caught_up < self.longest * _LEAST_SHARE:
            return None
        return (now - self.longest_at) * (self.backlog / caught_up)


def progress_line(now: datetime, live: datetime, forwarded: int, catch_up: CatchUp) -> str:
    """The log line about the live edge, its lag and the backlog.

    ``forwarded`` counts the events since the previous line.
    """
    text = (
        f"Read up to {live:%Y-%m-%d %H:%M:%S} UTC, {span(now - live)} ago; "
        f"{forwarded} events forwarded since the last line"
    )
    if catch_up.done is not None:
        backlog = span(timedelta(seconds=catch_up.backlog))
        text += f"; {backlog} of backlog left, {catch_up.done:.0%} done"
        if (left := catch_up.left(now)) is not None:
            text += f", about {span(left)} to go"
    return f"{text}."
