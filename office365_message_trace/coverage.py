"""What has been read and what to read next: pure values and functions, no I/O and no clock.

Receive time is read in several passes. The first pass reads mail as soon as it is `Policy.delay`
old. Each later pass reads the same time again once it has a certain age, its trail, for the rows
that Microsoft showed late or changed meanwhile. Every pass keeps what it still has to read::

    ──── read ────┤ behind ├── read ──┤ behind ├── read ──┤ edge ─────────► (open end)

The open end of the first pass is the live edge; the closed intervals are what an outage or a first
start left behind, the backlog. One read serves every pass that accepts rows of that age, but for the
last pass: it makes time final, so it reads only what was read before. No time is believed that was
read once.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import chain

from office365_message_trace.model import EPOCH, Window

FIRST_TRAIL = timedelta(minutes=10)
"""Microsoft: rows show 5 to 10 minutes after sending as a rule, and up to 24 hours late."""

CONFIRM_AFTER = timedelta(minutes=30)
"""How much older than `Policy.delay` time is at least when it is read for the last time."""

_WIDEST_STEP = 2.2  # a row shown at age d is re-read by 1.25 · 2.2 · d at the latest, within 3 · d
_FOREVER = datetime.max.replace(tzinfo=UTC)
_MORE_THAN_A_PAUSE = timedelta(minutes=5)
_HIDDEN = timedelta(days=3)  # without a row at the beginning; longer than a weekend
_STRAYS = timedelta(seconds=2)  # around a window, from which services may return rows
_FIRST_PASS = timedelta(0)
_CLOCK_TOLERANCE = timedelta(minutes=1)


class Kind(Enum):
    """Why a window is read, in order of precedence."""

    LIVE = "live"
    REREAD = "re-read"
    BACKLOG = "backlog"
    CONFIRM = "confirm"


class Cause(Enum):
    """Why rows of some time are or may be missing."""

    TOO_OLD = "too_old"  # never read before the service stopped keeping it
    UNREADABLE = "unreadable"  # every request for it fails, while others succeed
    INCOMPLETE = "incomplete"  # the service does not give all rows of one millisecond or message
    HIDDEN = "hidden"  # the service shows nothing from before some instant, and says nothing
    REFUSED = "refused"  # the intake refuses an event of that time


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Time of which rows are or may be missing. It is tried again now and then, see `Collector`."""

    window: Window
    cause: Cause


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
    def final_age(self) -> timedelta:
        """The age from which on a read is the last one: `lookback`, and never that of the first."""
        return max(self.lookback, self.delay + CONFIRM_AFTER)

    @property
    def ordinary_pause(self) -> timedelta:
        """How far the live edge may be behind `delay` while nothing stands in the way."""
        return max(2 * self.frequency, _MORE_THAN_A_PAUSE)

    @property
    def usual_lag(self) -> timedelta:
        """The largest lag of the live edge while nothing stands in the way."""
        return self.delay + self.ordinary_pause

    @property
    def trails(self) -> tuple[timedelta, ...]:
        """The ages at which time is read again: a geometric series from 10 minutes to `final_age`.

        The series roughly doubles, and has nine members for the longest ``lookback`` of 72 hours, so
        no row is read more than ten times. Trails up to ``delay`` are left out: the first read is as
        late as they are.
        """
        if self.lookback <= self.delay:
            return (self.final_age,)
        ratio = max(self.final_age / FIRST_TRAIL, 1.0)
        steps = math.ceil(math.log(ratio) / math.log(_WIDEST_STEP))
        seconds = FIRST_TRAIL.total_seconds()
        series = [round(seconds * ratio ** (k / max(steps, 1))) for k in range(steps)]
        series.append(int(self.final_age.total_seconds()))
        return tuple(timedelta(seconds=s) for s in series if s > self.delay.total_seconds())

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
        if window.end <= self.pending()[0].start:
            return self
        *behind, rest = _minus(self.pending(), [window])
        return replace(self, edge=rest.start, behind=_joined(behind))

    def with_behind(self, window: Window) -> "Pass":
        """The same pass with ``window`` to be read, too."""
        earlier = Window(min(window.start, self.edge), min(window.end, self.edge))
        return replace(self, behind=_joined([*self.behind, earlier]))

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
    """A window to read, planned at ``at``. A ``final`` one is the last read of its time."""

    kind: Kind
    window: Window
    at: datetime
    final: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is due before ``until``."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is still to be read by each pass, the first pass first, and what cannot be (gaps).

    Nothing received before ``since`` is wanted, and nothing received before ``shown_from`` was shown
    so far; that is None until a row is. ``read_at`` is when a window was last completed.
    """

    passes: tuple[Pass, ...]
    gaps: tuple[Gap, ...] = ()
    since: datetime = EPOCH
    read_at: datetime = EPOCH
    shown_from: datetime | None = None

    @classmethod
    def starting(cls, start: datetime, policy: Policy) -> "Coverage":
        """Nothing read yet, everything from ``start`` on wanted."""
        return cls((Pass(_FIRST_PASS, start),), since=start).adapted(policy, start)

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

    @property
    def hidden(self) -> tuple[Gap, ...]:
        """Days at the beginning of which no read showed a row, the last one included, and which are not
        declared yet. The tenant may have had no mail, or the service may hide its history.
        """
        first = self.shown_from
        if first is None or not self.since < first <= self.passes[-1].pending()[0].start:
            return ()
        empty = Window(self.since, max(first - _STRAYS, self.since))
        undeclared = _minus([empty], (gap.window for gap in self.gaps))
        return tuple(Gap(window, Cause.HIDDEN) for window in undeclared if window.span >= _HIDDEN)

    def showing(self, received: datetime) -> "Coverage":
        """After a row that was received at that instant was shown."""
        if self.shown_from is not None and self.shown_from <= received:
            return self
        return replace(self, shown_from=received)

    def will_read(self, window: Window) -> bool:
        """Whether any pass still has to read some of ``window``, its boundaries included, or a gap
        there is tried again."""
        pending = (interval for each in self.passes for interval in each.pending())
        return any(
            interval.start <= window.end and window.start <= interval.end
            for interval in chain(pending, (gap.window for gap in self.gaps))
        )

    def completed(self, read: Read) -> "Coverage":
        """After all of ``read`` was delivered: each pass lacks what was old enough for it.

        The last pass lacks it after a final read only, and only what the first pass had read before.
        """

        def advanced(each: Pass) -> Pass:
            end = min(read.window.end, _whole_second(read.at) - each.trail)
            if end <= read.window.start:
                return each
            window = Window(read.window.start, end)
            if each is not last:
                return each.without(window)
            for known in _minus([window], first.pending()) if read.final else ():
                each = each.without(known)
            return each

        first, last = self.passes[0], self.passes[-1]
        return replace(
            self,
            passes=tuple(map(advanced, self.passes)),
            read_at=max(self.read_at, read.at),
        )

    def adapted(self, policy: Policy, now: datetime) -> "Coverage":
        """The same coverage with the passes that ``policy`` wants at ``now``, whatever it had before.

        A new pass takes over from the next slower one (all that one has read, was read late enough).
        If there is none, it takes over from the slowest and reads again what was younger than its
        trail. The last pass takes over from the last one: no other has confirmed anything. What
        passes owe that a longer delay makes pointless is read by the first pass instead.
        """
        first, *slower = self.passes
        for each in slower:
            if each.trail <= policy.delay:
                first = first.with_pending(each)

        def heir(trail: timedelta, of: Iterable[Pass]) -> Pass:
            source = next((p for p in of if p.trail >= trail), None)
            if source is None:
                source = self.passes[-1].again_from(max(self.since, now - trail))
            return replace(source, trail=trail)

        *between, last = policy.trails
        heirs = (heir(trail, slower) for trail in between)
        return replace(self, passes=(first, *heirs, heir(last, slower[-1:])))

    def with_outage_behind(self, now: datetime, policy: Policy) -> "Coverage":
        """If the live edge trails by more than an ordinary pause, leave the missed time behind.

        So fresh mail does not queue behind it. What the later passes had to read there is left
        behind as well, because the read that catches up serves them too; of the last pass, what is
        overdue.
        """
        if _whole_second(now) - policy.delay - self.live <= policy.ordinary_pause:
            return self
        cut = _whole_second(now) - policy.delay - policy.frequency
        *earlier, last = self.passes
        overdue = _whole_second(now) - 1.5 * last.trail
        split = (*(each.split_at(cut) for each in earlier), last.split_at(overdue))
        return replace(self, passes=split)

    def with_left_behind(self, window: Window) -> "Coverage":
        """The same coverage with ``window``, at the live edge, as backlog: what is younger goes on."""
        first, *later = self.passes
        return replace(self, passes=(first.split_at(window.end), *later))

    def without_future(self, now: datetime, policy: Policy) -> "Coverage":
        """If time was read that lies in the future at ``now``, a clock was wrong: what was read then
        was younger than it seemed, or not there yet, so everything up to the final age is read again.
        A first start by such a clock began too late, so its beginning moves there as well, unless a row
        was shown: then it stays, and if it lies in the future, reading goes on at ``now``, because only
        answers can tell the right time.
        """
        if self.live <= now + _CLOCK_TOLERANCE:
            return self
        newest = _whole_second(now) - policy.delay
        start = newest - policy.final_age
        since = self.since if self.shown_from else min(self.since, start)
        start = min(max(since, start), newest)
        again = tuple(each.again_from(start) for each in self.passes)
        return self if again == self.passes else replace(self, passes=again, since=since)

    def without_unwanted(self, now: datetime) -> "Coverage":
        """The same without what lies before ``since``, once that is not in the future at ``now``."""
        if not self.live < self.since <= now:
            return self
        unwanted = Window(self.oldest, self.since)
        return replace(self, passes=tuple(each.without(unwanted) for each in self.passes))

    def without_before(self, oldest: datetime) -> "Coverage":
        """Give up what lies before ``oldest``; what the first pass had not read becomes a gap."""
        past = Window(datetime.min.replace(tzinfo=UTC), oldest)
        coverage = self
        for window in self.passes[0].pending():
            if window.start < oldest:
                lost = Window(window.start, min(window.end, oldest))
                coverage = coverage.with_gap(Gap(lost, Cause.TOO_OLD))
        return replace(coverage, passes=tuple(each.without(past) for each in self.passes))

    def overlooking(self, windows: Iterable[Window]) -> "Coverage":
        """The same coverage as if ``windows`` had been read; for planning only."""
        passes = self.passes
        for window in windows:
            passes = tuple(each.without(window) for each in passes)
        return replace(self, passes=passes)

    def with_gap(self, gap: Gap) -> "Coverage":
        """Declare ``gap``; no pass has to read its time any more."""
        alike = _joined([gap.window, *(g.window for g in self.gaps if g.cause is gap.cause)])
        others = (g for g in self.gaps if g.cause is not gap.cause)
        return replace(
            self.overlooking([gap.window]),
            gaps=tuple(sorted([*others, *(Gap(w, gap.cause) for w in alike)], key=_by_time)),
        )

    def with_gap_closed(self, gap: Gap) -> "Coverage":
        """``gap`` was read after all."""
        return replace(self, gaps=tuple(each for each in self.gaps if each != gap))

    def with_gap_reopened(self, gap: Gap) -> "Coverage":
        """The time of ``gap`` can be read after all: it is backlog again."""
        passes = tuple(each.with_behind(gap.window) for each in self.passes)
        return replace(self.with_gap_closed(gap), passes=passes)


def plan(
    coverage: Coverage,
    policy: Policy,
    now: datetime,
    widths: Mapping[Kind, timedelta],
    kinds: Iterable[Kind],
) -> Read | Wait:
    """What to do at ``now``: the window to read, or until when nothing is due.

    Only windows of ``kinds`` are considered, an earlier kind before a later one. Re-reads go by their
    due time; of the backlog, what a short pause left behind goes before the days of a first start. No
    window is wider than the one of its kind in ``widths``, and no final one wider than that of
    `Kind.CONFIRM`.
    """
    due = [coverage.live + policy.delay + policy.frequency]
    for kind in kinds:
        for each, interval in _candidates(coverage, kind):
            final = each.trail == coverage.passes[-1].trail
            width = widths[Kind.CONFIRM if final else kind]
            ripe = _due(each, interval, policy, width)
            if ripe <= now and (window := _part(each, interval, now, policy, width)):
                return Read(kind, window, now, final)
            due.append(ripe)
    return Wait(max(min(due), now + timedelta(seconds=1)))


def _candidates(coverage: Coverage, kind: Kind) -> list[tuple[Pass, Window]]:
    """The intervals that reads of ``kind`` are for, with their passes, the most urgent first.

    What the first pass left behind is no re-read: its first read serves the other passes too. But a
    re-read that is due may come before the first read of fresh mail, and serve that. The last pass
    takes only what the first one has read.
    """
    first, *later, last = coverage.passes
    unread = first.pending()
    if kind is Kind.LIVE:
        return [(first, Window(first.edge, _FOREVER))]
    if kind is Kind.BACKLOG:
        return [(first, window) for window in reversed(first.behind)]
    if kind is Kind.CONFIRM:
        return [(last, window) for window in _minus(last.behind, unread)]
    again = [(each, part) for each in later for part in _minus(each.pending(), first.behind)]
    again += [(last, window) for window in _minus([Window(last.edge, _FOREVER)], unread)]
    return sorted(again, key=lambda entry: entry[1].start + entry[0].trail * 1.25)


def _due(each: Pass, interval: Window, policy: Policy, width: timedelta) -> datetime:
    """When ``interval`` is worth reading: a whole window of it has aged, or a quarter of the trail."""
    if each.trail == _FIRST_PASS:
        least = min(policy.frequency, width)
        return min(interval.end, interval.start + least) + policy.delay
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


def _minus(windows: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """What is in ``windows`` but in none of ``others``."""
    left = list(windows)
    for other in others:
        sides = [
            side
            for each in left
            for side in (
                (each.start, min(each.end, other.start)),
                (max(each.start, other.end), each.end),
            )
        ]
        left = [Window(start, end) for start, end in sides if start < end]
    return left


def _by_time(gap: Gap) -> tuple[Window, str]:
    return gap.window, gap.cause.value


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
