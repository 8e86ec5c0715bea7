"""What has been read and what to read next: pure values and functions, no I/O and no clock.

Receive time is read in several passes. The first pass reads mail as soon as it is `Policy.delay`
old. Each later pass reads the same time again once it has a certain age, its trail, for the rows
that Microsoft showed late or changed meanwhile. Every pass keeps what it still has to read::

    ──── read ────┤ behind ├── read ──┤ behind ├── read ──┤ edge ─────────► (open end)

The open end of the first pass is the live edge; the closed intervals are what an outage or a first
start left behind, the backlog. One read serves every pass that accepts rows of that age.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

from office365_message_trace.model import EPOCH, Window

FIRST_TRAIL = timedelta(minutes=10)
"""Microsoft: rows show 5 to 10 minutes after sending as a rule, and up to 24 hours late."""

_WIDEST_STEP = 2.2  # a row shown at age d is re-read by 1.25 · 2.2 · d at the latest, within 3 · d
_FOREVER = datetime.max.replace(tzinfo=UTC)
_MORE_THAN_A_PAUSE = timedelta(minutes=5)
_FIRST_PASS = timedelta(0)
_LEAST_LOOK_BACK = timedelta(hours=1)  # that is read again after the clock was set back
_CLOCK_TOLERANCE = timedelta(minutes=1)  # time services correct less than this all the time


class Kind(Enum):
    """Why a window is read, in order of precedence."""

    LIVE = "live"
    REREAD = "re-read"
    BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide what is read when.

    ``delay``: how far the first read stays behind now. ``frequency``: the pause between live reads.
    ``lookback``: up to what age rows are looked for again. ``history``: how long the service keeps
    rows, by calendar day in UTC; 30 days is what the Reporting Web Service documents.
    """

    delay: timedelta
    frequency: timedelta
    lookback: timedelta
    history: timedelta = timedelta(days=30)

    @property
    def trails(self) -> tuple[timedelta, ...]:
        """The ages at which time is read again: a geometric series from 10 minutes to ``lookback``.

        The series roughly doubles, and has nine members for the longest ``lookback`` of 72 hours, so
        no row is read more than ten times. Trails up to ``delay`` are left out: the first read is as
        late as they are.
        """
        if self.lookback <= self.delay:
            return ()
        ratio = max(self.lookback / FIRST_TRAIL, 1.0)
        steps = math.ceil(math.log(ratio) / math.log(_WIDEST_STEP))
        seconds = FIRST_TRAIL.total_seconds()
        series = [round(seconds * ratio ** (k / max(steps, 1))) for k in range(steps)]
        series.append(int(self.lookback.total_seconds()))
        return tuple(timedelta(seconds=s) for s in series if s > self.delay.total_seconds())

    @property
    def reach(self) -> timedelta:
        """How far back from the latest mail anything that was read already may be read again."""
        return max(self.lookback, _LEAST_LOOK_BACK) * 1.25

    def oldest_kept(self, now: datetime) -> datetime:
        """The earliest receive time that the service can be expected to show at ``now``."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - self.history


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over receive time: everything in ``behind`` and from ``edge`` on is still to be read.

    ``trail`` is the age that rows must have to be read by this pass; zero marks the first pass,
    which reads at `Policy.delay`.
    """

    trail: timedelta
    edge: datetime
    behind: tuple[Window, ...] = ()

    def pending(self) -> tuple[Window, ...]:
        """All that is still to be read, oldest first; the last interval has no end."""
        return (*self.behind, Window(self.edge, _FOREVER))

    def without(self, window: Window) -> "Pass":
        """The same pass after ``window`` was read."""
        left: list[Window] = []
        for interval in self.pending():
            if interval.start < window.start < interval.end:
                left.append(Window(interval.start, min(interval.end, window.start)))
            if window.end <= interval.start or interval.end <= window.start:
                left.append(interval)
            elif window.end < interval.end:
                left.append(Window(max(interval.start, window.end), interval.end))
        return replace(self, edge=left[-1].start, behind=_joined(left[:-1]))

    def with_pending(self, other: "Pass") -> "Pass":
        """The same pass with all that ``other`` still has to read, too."""
        edge = min(self.edge, other.edge)
        behind = (*self.behind, *other.behind)
        earlier = [Window(w.start, min(w.end, edge)) for w in behind if w.start < edge]
        return replace(self, edge=edge, behind=_joined(earlier))

    def split_at(self, cut: datetime) -> "Pass":
        """The same pass with all before ``cut`` left behind."""
        if cut <= self.edge:
            return self
        return replace(self, edge=cut, behind=_joined([*self.behind, Window(self.edge, cut)]))

    def again_from(self, start: datetime) -> "Pass":
        """The same pass with everything from ``start`` on to be read again."""
        before = [Window(w.start, min(w.end, start)) for w in self.behind if w.start < start]
        return replace(self, edge=min(self.edge, start), behind=_joined(before))


@dataclass(frozen=True, slots=True)
class Read:
    """A window to read, planned at ``at``."""

    kind: Kind
    window: Window
    at: datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before ``until``."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is still to be read by each pass, the first pass first, and what never can be (gaps).

    ``read_at`` is the latest time of day at which something was read.
    """

    passes: tuple[Pass, ...]
    gaps: tuple[Window, ...] = ()
    read_at: datetime = EPOCH

    @classmethod
    def starting(cls, start: datetime, policy: Policy) -> "Coverage":
        """Nothing read yet, everything from ``start`` on wanted."""
        return cls((Pass(_FIRST_PASS, start),)).adapted(policy)

    @property
    def live(self) -> datetime:
        """The live edge: how far the first pass has come."""
        return self.passes[0].edge

    @property
    def backlog(self) -> tuple[Window, ...]:
        """What the first pass left behind."""
        return self.passes[0].behind

    @property
    def backlog_span(self) -> timedelta:
        """How much receive time `backlog` holds."""
        return sum((window.span for window in self.backlog), timedelta())

    @property
    def oldest(self) -> datetime:
        """The earliest receive time that any pass still has to read."""
        return min(each.pending()[0].start for each in self.passes)

    def will_read(self, window: Window) -> bool:
        """Whether any pass still has to read some of ``window``, its boundaries included."""
        return any(
            interval.start <= window.end and window.start <= interval.end
            for each in self.passes
            for interval in each.pending()
        )

    def completed(self, read: Read) -> "Coverage":
        """After all of ``read`` was delivered: each pass lacks what was old enough for it."""

        def advanced(each: Pass) -> Pass:
            end = min(read.window.end, _whole_second(read.at) - each.trail)
            return each.without(Window(read.window.start, end)) if end > read.window.start else each

        return replace(
            self,
            passes=tuple(advanced(each) for each in self.passes),
            read_at=max(self.read_at, read.at),
        )

    def adapted(self, policy: Policy) -> "Coverage":
        """The same coverage with the passes that ``policy`` wants, whatever it had before.

        A new pass takes over from the next slower one (all that one has read, was read late enough),
        or else from the slowest. What is owed by passes that a longer delay makes pointless is read
        by the first pass instead; and if no later passes are wanted, so is what the next slower one owes.
        """
        first, *slower = self.passes
        for each in slower:
            if each.trail <= policy.delay:
                first = first.with_pending(each)
            elif not policy.trails:
                first = first.with_pending(each)
                break

        def heir(trail: timedelta) -> Pass:
            source = next((p for p in slower if p.trail >= trail), self.passes[-1])
            return replace(source, trail=trail)

        return replace(self, passes=(first, *(heir(trail) for trail in policy.trails)))

    def with_outage_behind(self, now: datetime, policy: Policy) -> "Coverage":
        """If the live edge trails by more than an ordinary pause, leave the missed time behind.

        So fresh mail does not queue behind it. What the later passes had to read there is left
        behind as well: the read that catches up serves them too.
        """
        ordinary = max(2 * policy.frequency, _MORE_THAN_A_PAUSE)
        if _whole_second(now) - policy.delay - self.live <= ordinary:
            return self
        cut = _whole_second(now) - policy.delay - policy.frequency
        return replace(self, passes=tuple(each.split_at(cut) for each in self.passes))

    def is_ahead_of(self, now: datetime) -> bool:
        """Whether something was read that is in the future at ``now``: the clock was wrong, or is."""
        return max(self.read_at, self.live) > now + _CLOCK_TOLERANCE

    def with_clock_set_back(
        self, now: datetime, policy: Policy, recorded: Iterable[Window] = ()
    ) -> "Coverage":
        """If something was read in the future, the clock was wrong: read the look-back again.

        What was read then was younger than it seemed, or not there yet: so the look-back counts from
        the newest time of which rows are ``recorded``, as long as the clock may have been wrong. But if
        rows are recorded that were received in the future, the clock is wrong now and was right then:
        nothing has to be read again.
        """
        if not self.is_ahead_of(now):
            return self
        times = [window.start for window in recorded if window.start <= self.live]
        if any(now < time for time in times):
            return self
        latest = min([_whole_second(now) - policy.delay, *times[-1:]])
        start = latest - max(policy.lookback, _LEAST_LOOK_BACK)
        passes = tuple(each.again_from(start) for each in self.passes)
        return replace(self, passes=passes, read_at=now)

    def without_before(self, oldest: datetime) -> "Coverage":
        """Give up what lies before ``oldest``; what the first pass had not read becomes a gap."""
        past = Window(datetime.min.replace(tzinfo=UTC), oldest)
        lost = [
            Window(w.start, min(w.end, oldest))
            for w in self.passes[0].pending()
            if w.start < oldest
        ]
        return replace(
            self,
            passes=tuple(each.without(past) for each in self.passes),
            gaps=_joined([*self.gaps, *lost]),
        )

    def overlooking(self, windows: Iterable[Window]) -> "Coverage":
        """The same coverage as if ``windows`` had been read; for planning only."""
        passes = self.passes
        for window in windows:
            passes = tuple(each.without(window) for each in passes)
        return replace(self, passes=passes)

    def with_gap(self, window: Window) -> "Coverage":
        """Declare that rows of ``window`` may be missing for good."""
        return replace(self, gaps=_joined([*self.gaps, window]))


def plan(
    coverage: Coverage,
    policy: Policy,
    now: datetime,
    width: dict[Kind, timedelta],
    first: Kind = Kind.REREAD,
) -> Read | Wait:
    """What to do at ``now``: the window to read, or until when nothing is due.

    Fresh mail goes before all others, and of re-reads and backlog the kind that is named ``first``.
    Re-reads go by their due time, backlog from the oldest. No window is wider than ``width`` of its
    kind, and kinds without a width are not considered.
    """
    fresh = coverage.passes[0]
    due = [fresh.edge + policy.delay + policy.frequency]
    if Kind.LIVE in width:
        live = _part(fresh, Window(fresh.edge, _FOREVER), now, policy, width[Kind.LIVE])
        if live and live.span >= min(policy.frequency, width[Kind.LIVE]):
            return Read(Kind.LIVE, live, now)

    for kind in sorted(width.keys() - {Kind.LIVE}, key=lambda kind: kind is not first):
        candidates = _rereads(coverage) if kind is Kind.REREAD else _left_behind(coverage)
        for each, interval in candidates:
            due.append(_due(each, interval, policy))
            if due[-1] <= now and (window := _part(each, interval, now, policy, width[kind])):
                return Read(kind, window, now)

    return Wait(max(min(due), now + timedelta(seconds=1)))


def _rereads(coverage: Coverage) -> list[tuple[Pass, Window]]:
    """The open ends of the later passes, the first to fall due first."""
    ends = [(p, Window(p.edge, _FOREVER)) for p in coverage.passes[1:]]
    return sorted(ends, key=lambda end: end[0].edge + end[0].trail * 1.25)


def _left_behind(coverage: Coverage) -> list[tuple[Pass, Window]]:
    """What any pass left behind, the oldest first."""
    intervals = [(each, window) for each in coverage.passes for window in each.behind]
    return sorted(intervals, key=lambda entry: entry[1].start)


def _due(each: Pass, interval: Window, policy: Policy) -> datetime:
    """When ``interval`` is worth reading: it has aged in whole, or a quarter of the trail has."""
    if each.trail == _FIRST_PASS:
        return interval.start + policy.delay
    return min(interval.end, interval.start + each.trail / 4) + each.trail


def _part(
    each: Pass, interval: Window, now: datetime, policy: Policy, width: timedelta
) -> Window | None:
    """The beginning of ``interval`` that is old enough to be read at ``now``."""
    aged = _whole_second(now) - (each.trail or policy.delay)
    end = min(interval.end, aged)
    if end <= interval.start:
        return None
    return Window(interval.start, min(end, interval.start + width))


def _joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The same time as few windows as possible, oldest first."""
    joined: list[Window] = []
    for window in sorted(w for w in windows if w.span):
        if joined and window.start <= joined[-1].end:
            joined[-1] = Window(joined[-1].start, max(joined[-1].end, window.end))
        else:
            joined.append(window)
    return tuple(joined)


def _whole_second(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)
