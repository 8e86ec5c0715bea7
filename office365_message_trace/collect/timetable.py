"""Timetables: when time that was read is read again. Pure; all they know is when it was last read.

Rows show late and change, so the same receive time is read repeatedly, at growing intervals. The intervals
depend on the tenant: with little mail frequent re-reads cost one request a minute, with much mail they
would cost more requests than Microsoft grants.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from math import ceil, log2
from typing import ClassVar, Protocol

from office365_message_trace.collect.coverage import Policy, Span
from office365_message_trace.model import EPOCH, Window

EARLY, FIRST_TRAIL = timedelta(minutes=5), timedelta(minutes=10)
"""Microsoft: rows show 5 to 10 minutes after sending as a rule, and up to 24 hours late."""

LARGEST_BOUND = 3.0
"""The bound promised to every tenant whose mail fits the request budget a few times."""

_DAY = timedelta(days=1)
_DENSITIES = (10, 8, 6, 5, 4, 3)
_MOST_TRAILS = 12
_SURELY = 0.9  # of the granted requests may be used by a denser timetable than the present one
_DURING_BACKLOG = timedelta(minutes=4)  # instead of a tick, if that is shorter
_OF_AGE = 0.5  # of the age of time, after which it is read again in any case: its urgency ends at the density
_PATIENCE = 0.25  # of a trail's age, for which time that has reached it may wait to fill a window
_WIDE, _ALONE = 1.03, 1.11  # requests a full page, in windows of many pages and of one


@dataclass(frozen=True, slots=True)
class Due:
    """Receive time to read again. ``urgency`` is its wait so far, where 1 is punctual.

    It is worth a request once it is as long as ``least``, together with adjoining due time.
    """

    window: Window
    urgency: float
    least: timedelta = timedelta(0)

    @classmethod
    def aged(cls, window: Window, age: timedelta, now: datetime) -> "Due":
        """Time that has reached ``age``, as more and more time does: worth a request once it is long
        enough, or late."""
        urgency = (now - window.start) / age
        return cls(window, urgency, age * _PATIENCE if urgency < 1 + _PATIENCE else timedelta(0))


class Timetable(Protocol):
    """A rule for when time is read again."""

    newest_first: ClassVar[bool]
    """True if the newest of adjoining due time is read first, else the oldest."""
    share: ClassVar[float]
    """The share of the request budget that it may cost."""

    @property
    def before_backlog(self) -> float:
        """The urgency from which a re-read comes before the backlog."""

    @property
    def bound(self) -> float:
        """The multiple of its lateness within which a late row reaches the intake."""

    def due(self, span: Span, read_at: datetime, now: datetime) -> Iterator[Due]:
        """The parts of ``span``, which was read at ``read_at``, that are due at ``now``."""


def next_tick(instant: datetime, frequency: timedelta) -> datetime:
    """The first whole multiple of ``frequency`` since 1970 after ``instant``."""
    return EPOCH + frequency * (_ticks(instant, frequency) + 1)


def _ticks(instant: datetime, frequency: timedelta) -> int:
    """The number of ticks from 1970 to ``instant``."""
    return (instant - EPOCH) // frequency


@dataclass(frozen=True)
class Sweeps:
    """Reads back from now, further back less often: ``density`` times ``frequency`` at each tick of the
    clock, twice that at each second one, and so on, and the whole look-back at each 2^`turns`-th.

    Ticks are whole multiples of ``frequency``, so that restarts keep them, and time that was not read at its
    tick stays due. A row shown at age d is found by the next sweep that still reaches it then: the
    smallest turn t for which density times t is at least d + t, so t is less than 2 d / (density - 1).
    """

    newest_first: ClassVar[bool] = True
    share: ClassVar[float] = 0.8  # because mail comes unevenly

    density: int
    frequency: timedelta
    lookback: timedelta

    @cached_property
    def turns(self) -> int:
        """The power of two of the ticks between sweeps of the whole look-back."""
        return max(ceil(log2(self.lookback / (self.density * self.frequency)) - 0.5), 0)

    @property
    def before_backlog(self) -> float:
        return min(max(_DURING_BACKLOG / self.frequency, 1.0), self.density * _OF_AGE)

    @property
    def bound(self) -> float:
        return 1 + 2 / (self.density - 1)

    def cost(self, rows: float, page: int) -> float:
        """Requests a day for this many ``rows`` a day, including a last read of all time."""
        reads = self.density * (self.turns / 2 + 1) + 2
        return _DAY / self.frequency + rows / page * reads

    def due(self, span: Span, read_at: datetime, now: datetime) -> Iterator[Due]:
        before, tick = _ticks(read_at, self.frequency), _ticks(now, self.frequency)
        if tick <= before:
            return
        level = min((before ^ tick).bit_length() - 1, self.turns)
        turn = self.frequency * 2**level
        depth = self.density * turn if level < self.turns else self.lookback + turn
        begun = EPOCH + self.frequency * (tick >> level << level)
        start = max(span.window.start, begun - depth)
        if start < span.window.end:
            usual = max(self.frequency, (now - span.window.end) / self.density)
            yield Due(Window(start, span.window.end), (now - read_at) / usual)


@dataclass(frozen=True)
class Trails:
    """Reads all time again at each of ``number`` ages: a geometric series from 10 minutes to the end of the
    look-back, where the last read follows. With ``early``, reads it after 5 minutes as well.

    All time is read once at each age, so this costs the least if pages are full anyway.
    """

    newest_first: ClassVar[bool] = False
    share: ClassVar[float] = 0.99
    before_backlog: ClassVar[float] = 1 + _PATIENCE

    number: int
    delay: timedelta
    lookback: timedelta
    early: bool = False

    @cached_property
    def ages(self) -> tuple[timedelta, ...]:
        """The ages of re-reads. Leaves out ages up to ``delay``, at which the first read comes."""
        ratio = max(self.lookback / FIRST_TRAIL, 1.0) ** (1 / max(self.number, 1))
        series = [EARLY] if self.early else []
        for step in range(self.number):
            series.append(timedelta(seconds=round(FIRST_TRAIL.total_seconds() * ratio**step)))
        return tuple(age for age in series if self.delay < age < self.lookback)

    @property
    def bound(self) -> float:
        first = max(FIRST_TRAIL, self.delay)
        ages = (first, *(age for age in self.ages if age > first), self.lookback)
        return (1 + _PATIENCE) * max(later / age for age, later in pairwise(ages))

    def cost(self, rows: float, page: int) -> float:
        """Requests a day for this many ``rows`` a day, including a last read of all time."""
        return rows / page * (len(self.ages) * _WIDE + 2 * _ALONE)

    def due(self, span: Span, read_at: datetime, now: datetime) -> Iterator[Due]:
        for age in self.ages:
            start = max(span.window.start, read_at - age)
            end = min(span.window.end, now - age)
            if start < end:
                yield Due.aged(Window(start, end), age, now)


def choose(
    policy: Policy,
    rows: int,
    page: int,
    requests: float,
    present: Sweeps | Trails | None = None,
) -> Sweeps | Trails:
    """The freshest timetable that ``requests`` a day allow, for this many ``rows`` in the look-back and
    ``page`` rows a page. The cheapest if none is cheap enough.

    One that is fresher than ``present`` must cost less, so that the choice does not oscillate.
    """
    if policy.lookback <= policy.delay:
        return Trails(0, policy.delay, policy.lookback)
    a_day = rows * (_DAY / policy.lookback)
    usable = requests if present is None else _SURELY * requests
    *dearer, cheapest = _by_freshness(policy)
    for each in dearer:
        if each == present:
            usable = requests
        if each.cost(a_day, page) <= each.share * usable:
            return each
    return cheapest


def _by_freshness(policy: Policy) -> Iterator[Sweeps | Trails]:
    """All timetables, starting with those that find most rows soonest: most are shown within ten minutes."""
    delay, lookback = policy.delay, policy.lookback
    for density in _DENSITIES:
        yield Sweeps(density, policy.frequency, lookback)
    for early in (True, False):
        for number in range(_MOST_TRAILS, 0, -1):
            trails = Trails(number, delay, lookback, early)
            if not early or trails.bound <= LARGEST_BOUND:
                yield trails
