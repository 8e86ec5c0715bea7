"""The coverage: which receive time has been read, and when. Pure values, no I/O and no clock.

The coverage is a map. Each span of it holds when all of its time was last read, or that it never was::

    ── final ──┤ read 2 h ago │ read 30 min ago │ never │ read 8 min ago │ just now ├ live edge ──►

Everything else follows from it: due time (`schedule`), backlog (never read), final time (in no span). A
read overwrites what it covers. Time becomes final by a last read once it is `Policy.final_age` old and
was read before, so no time is final after a single read.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import chain
from math import floor, log2

from office365_message_trace.model import EPOCH, Window

CONFIRM_AFTER = timedelta(minutes=30)
"""The least difference between the age of a last read and `Policy.delay`."""

MOST_GAPS = 5000
"""Gaps that are kept, the latest ones, so that the state stays small whatever happened."""
MOST_OUTAGES = 30
"""Outages that are kept, the latest ones: more long ones than fit in what services keep."""
MOST_SPANS = 5000
"""Spans beyond which neighbours are joined though it makes a difference; usually there are some hundred."""

_FOREVER = datetime.max.replace(tzinfo=UTC)
_MORE_THAN_A_PAUSE = timedelta(minutes=5)
_HIDDEN = timedelta(days=3)  # without a row at the beginning; longer than a weekend
_STRAYS = timedelta(seconds=2)  # around a window, from which services may return rows
_CLOCK_TOLERANCE = timedelta(minutes=1)
_BURST = 4  # times as many rows in the same time
_FEW = 20  # rows that are no burst
_GRAIN = 64  # joining spans may change when they were read by one part of their age in so many


class Kind(Enum):
    """Reasons to read a window, in order of precedence."""

    LIVE = "live"  # fresh mail
    REREAD = "re-read"  # time that was read while rows could still come late, perhaps for the last time now
    BACKLOG = "backlog"  # time that was never read
    CONFIRM = "confirm"  # the last read of time that was old enough for it when it was read before


class Cause(Enum):
    """Reasons why rows of some time are or may be missing."""

    TOO_OLD = "too_old"  # never read before the service stopped keeping it
    UNREADABLE = "unreadable"  # every request for it fails, while others succeed
    INCOMPLETE = "incomplete"  # some rows of one millisecond or message come, and not all
    HIDDEN = "hidden"  # the service shows nothing from before some instant, without an error
    REFUSED = "refused"  # the intake refuses an event of that time


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """Time whose rows are or may be missing. `GapProbe` has it tried again as long as the service may still keep it."""

    window: Window
    cause: Cause


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that decide when time is read.

    ``delay``: the minimum age of the first read. ``frequency``: the pause between live reads.
    ``lookback``: the age up to which time is read again. ``history``: how long the service keeps rows,
    by calendar day in UTC; the Reporting Web Service documents 30 days.
    """

    delay: timedelta
    frequency: timedelta
    lookback: timedelta
    history: timedelta = timedelta(days=30)

    @property
    def final_age(self) -> timedelta:
        """The age from which a read is the last one: `lookback`, but always later than the first."""
        return max(self.lookback, self.delay + CONFIRM_AFTER)

    @property
    def ordinary_pause(self) -> timedelta:
        """The largest distance of the live edge behind `delay` while nothing fails."""
        return max(2 * self.frequency, _MORE_THAN_A_PAUSE)

    @property
    def usual_lag(self) -> timedelta:
        """The largest lag of the live edge while nothing fails."""
        return self.delay + self.ordinary_pause

    def oldest_kept(self, now: datetime) -> datetime:
        """The earliest receive time that the service can be expected to show at ``now``."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - self.history


@dataclass(frozen=True, slots=True)
class Span:
    """Receive time that was all last read at ``read_at``, or never (None), and the rows found then."""

    window: Window
    read_at: datetime | None = None
    rows: int = 0

    def part(self, window: Window) -> "Span":
        """The part in ``window``, which it overlaps, with its share of the rows."""
        start, end = max(self.window.start, window.start), min(self.window.end, window.end)
        part = Window(start, end)
        share = part.span / self.window.span if self.rows else 0
        return replace(self, window=part, rows=round(self.rows * share))


@dataclass(frozen=True, slots=True)
class Outage:
    """Time that passed before any of it was read, and the earliest receive time since its start that was
    shown, None until one is. Time before a first start is one, too.
    """

    window: Window
    shown_from: datetime | None = None

    @property
    def silent(self) -> Window:
        """Its beginning, up to the first row that was shown; nothing while none was."""
        start = self.window.start
        end = min(self.shown_from or start, self.window.end)
        return Window(start, max(end - _STRAYS, start))

    def may_show_earlier(self, window: Window) -> bool:
        """True if ``window`` may hold an earlier row since the start than was shown."""
        known = self.shown_from
        return self.window.start <= window.end and (known is None or window.start < known)

    def showing(self, received: datetime) -> "Outage":
        """The outage after a row with the receive time ``received`` was shown."""
        row = Window(received, received)
        if received < self.window.start or not self.may_show_earlier(row):
            return self
        return replace(self, shown_from=received)

    def before(self, end: datetime) -> "Outage":
        """The part before ``end``, which is later than its start."""
        return replace(self, window=Window(self.window.start, min(self.window.end, end)))


@dataclass(frozen=True, slots=True)
class Read:
    """A window to read, planned at ``at``. A ``final`` one is the last read of its time."""

    kind: Kind
    window: Window
    at: datetime
    final: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """The ``spans`` of time that is still to be read (again), oldest first, and the ``gaps``.

    ``live`` is the live edge: how far the first read has come. Time before it that is in no span is
    final, or declared as a gap. Rows received before ``since`` are not wanted, and none received before
    ``shown_from`` has been shown; None until one is. ``read_at`` is when a window was last completed, and
    ``started_at`` when the first process started, or the former module stopped, None if that is not known.
    ``outages`` are later ones.
    """

    live: datetime
    spans: tuple[Span, ...] = ()
    gaps: tuple[Gap, ...] = ()
    since: datetime = EPOCH
    read_at: datetime = EPOCH
    shown_from: datetime | None = None
    started_at: datetime | None = None
    outages: tuple[Outage, ...] = ()

    @classmethod
    def starting(cls, start: datetime, now: datetime | None = None) -> "Coverage":
        """The coverage at ``now`` with nothing read yet and everything from ``start`` on wanted."""
        return cls(start, since=start, started_at=now)

    @property
    def backlog(self) -> tuple[Window, ...]:
        """The time before the live edge that was never read."""
        return _joined(span.window for span in self.spans if span.read_at is None)

    @property
    def backlog_span(self) -> timedelta:
        """The total receive time of `backlog`."""
        return sum((window.span for window in self.backlog), timedelta())

    @property
    def oldest(self) -> datetime:
        """The earliest receive time that is still to be read."""
        return self.spans[0].window.start if self.spans else self.live

    def rows_since(self, start: datetime) -> int:
        """The rows received from ``start`` on, in time that is still to be read again."""
        window = Window(min(start, self.live), self.live)
        return sum(s.part(window).rows for s in self.spans if overlap(s.window, window))

    @property
    def hidden(self) -> tuple[Gap, ...]:
        """Undeclared days at the beginning of an outage for which no read, not even the last, showed a row. The
        tenant may have had no mail, or the service may hide its history.
        """
        silent = [each.silent for each in self._all_outages if each.silent.end <= self.oldest]
        undeclared = minus(silent, (gap.window for gap in self.gaps))
        return tuple(Gap(window, Cause.HIDDEN) for window in undeclared if window.span >= _HIDDEN)

    @property
    def _all_outages(self) -> tuple[Outage, ...]:
        """The time before the first start, and the outages since."""
        end = max(self.started_at or _FOREVER, self.since)
        return Outage(Window(self.since, end), self.shown_from), *self.outages

    def silent_from(self, window: Window) -> list[datetime]:
        """The starts of the outages since which ``window`` may hold an earlier row than was shown."""
        return [o.window.start for o in self._all_outages if o.may_show_earlier(window)]

    def showing(self, received: datetime) -> "Coverage":
        """The coverage after a row with the receive time ``received`` was shown."""
        outages = tuple(outage.showing(received) for outage in self.outages)
        shown_from = min(received, self.shown_from or received)
        return replace(self, shown_from=shown_from, outages=outages)

    def will_read(self, window: Window) -> bool:
        """True if any of ``window``, bounds inclusive, is still to be read, or a gap there to be tried."""
        wanted = chain((span.window for span in self.spans), (gap.window for gap in self.gaps))
        return self.live <= window.end or any(
            each.start <= window.end and window.start <= each.end for each in wanted
        )

    def owes(self, at: datetime) -> bool:
        """True if the time ``at`` is still to be read, or declared as a gap."""
        known = chain((span.window for span in self.spans), (gap.window for gap in self.gaps))
        return self.live <= at or any(each.start <= at < each.end for each in known)

    def completed(self, read: Read, rows: int, frequency: timedelta) -> "Coverage":
        """The coverage after all of ``read`` was delivered, which brought this many ``rows``.

        A final read removes time that was read before. Time that is final, or was read later, stays as it
        is. Time between the live edge and ``read`` becomes backlog. Spans whose difference does not matter
        to a collector that reads every ``frequency`` are joined.
        """
        at = _whole_second(read.at)
        end = min(read.window.end, at)
        if end <= read.window.start:
            return self
        window = Window(read.window.start, end)
        if window.start > self.live:
            return self.with_left_behind(window.start).completed(read, rows, frequency)
        known = [span.part(window) for span in self.spans if overlap(span.window, window)]
        if end > self.live:
            known.append(Span(Window(self.live, end)))
        density = rows / read.window.span.total_seconds()
        news = [
            Span(
                span.window,
                max(span.read_at or at, at),
                round(density * span.window.span.total_seconds()),
            )
            for span in known
            if not (read.final and span.read_at)
        ]
        spans = tuple(_coarse(_ordered(_outside(self.spans, window), news), at, frequency))
        return replace(
            self,
            live=max(self.live, end),
            spans=spans if len(spans) <= MOST_SPANS else tuple(_in_pairs(spans)),
            read_at=max(self.read_at, read.at),
        )

    def adapted(
        self, policy: Policy, now: datetime, recorded: timedelta = timedelta.max
    ) -> "Coverage":
        """The coverage adapted to ``policy`` at ``now``.

        Time younger than the policy's delay was read too early, and counts as unread. All time younger
        than its final age is read again, even if it was final by earlier settings; that time counts as
        read when it ended, which is no later than it really was. But what is older than ``recorded`` is not read
        again: nothing would tell which of its rows were forwarded.
        """
        newest = _whole_second(now)
        live = min(self.live, max(newest - min(policy.delay, recorded), self.since))
        coverage = replace(self._forgetting(Window(live, max(self.live, live))), live=live)
        return coverage.with_final_reopened(newest - min(policy.final_age, recorded), live)

    def with_final_reopened(self, start: datetime, end: datetime) -> "Coverage":
        """The coverage with final time from ``start`` to ``end`` to be read again, except for gaps."""
        start, end = max(self.since, start), min(self.live, end)
        if start >= end:
            return self
        known = chain((span.window for span in self.spans), (gap.window for gap in self.gaps))
        again = [Span(window, window.end) for window in minus([Window(start, end)], known)]
        return replace(self, spans=_ordered(self.spans, again))

    def with_first_start_earlier(self, ahead: timedelta, oldest: datetime) -> "Coverage":
        """The coverage with the time that a first start by a clock that was ``ahead`` left out, as far as the service
        keeps it: from ``oldest`` on."""
        since = min(max(self.since - ahead, oldest), self.since)
        started_at = self.started_at - ahead if self.started_at else None
        added = Window(since, max(min(self.since, self.live), since))
        left_out = minus([added], (span.window for span in self.spans))
        spans = _ordered(self.spans, map(Span, left_out))
        return replace(self, since=since, started_at=started_at, spans=spans)

    def with_outage_behind(self, now: datetime, policy: Policy) -> "Coverage":
        """The coverage with missed time as backlog, if the live edge trails by more than an ordinary
        pause: so fresh mail does not queue behind it."""
        newest = _whole_second(now) - policy.delay
        if newest - self.live <= policy.ordinary_pause:
            return self
        end = newest - policy.frequency
        start = min(max(self.live, self.started_at or self.live), end)
        outages = tuple(_with_outage(self.outages, Window(start, end)))
        return replace(self.with_left_behind(end), outages=outages[-MOST_OUTAGES:])

    def with_left_behind(self, end: datetime) -> "Coverage":
        """The coverage with everything from the live edge to ``end`` as backlog."""
        if end <= self.live:
            return self
        return replace(self, live=end, spans=(*self.spans, Span(Window(self.live, end))))

    def without_future(self, now: datetime, policy: Policy) -> "Coverage":
        """The coverage corrected if time was read that lies in the future at ``now``.

        A clock was wrong then, and time was read too early, so everything up to the final age is read again, and gaps
        that reach into the future are reopened. The beginning of a first start stays; if it lies in the future, reading
        continues at ``now``. What such a clock left out before it, `with_first_start_earlier` adds.
        """
        if self.live <= now + _CLOCK_TOLERANCE:
            return self
        newest = _whole_second(now) - policy.delay
        start = min(max(self.since, newest - policy.final_age), newest)
        if start >= self.live:
            return self
        coverage = self
        for gap in self.gaps:
            if gap.window.end > now:
                coverage = coverage.with_gap_reopened(gap)
        outages = tuple(each.before(start) for each in self.outages if each.window.start < start)
        coverage = replace(coverage, live=start, outages=outages)
        return coverage._forgetting(Window(start, _FOREVER))

    def without_unwanted(self, now: datetime) -> "Coverage":
        """The coverage without time before ``since``, once that is not in the future at ``now``."""
        if not self.live < self.since <= now:
            return self
        return self._forgetting(Window(min(self.oldest, self.since), self.since))

    def without_before(self, oldest: datetime) -> "Coverage":
        """The coverage without time before ``oldest``; the part of it that was never read becomes a gap."""
        coverage = self
        for window in (*self.backlog, Window(self.live, _FOREVER)):
            if window.start < oldest:
                lost = Window(window.start, min(window.end, oldest))
                coverage = coverage.with_gap(Gap(lost, Cause.TOO_OLD))
        return coverage._forgetting(Window(min(coverage.oldest, oldest), oldest))

    def with_gap(self, gap: Gap) -> "Coverage":
        """The coverage with ``gap`` declared; its time is no longer to be read."""
        return self.with_gaps([gap])

    def with_gaps(self, gaps: Collection[Gap]) -> "Coverage":
        """The coverage with all ``gaps`` declared. Of more than `MOST_GAPS` the oldest are forgotten."""
        coverage = self
        windows: dict[Cause, list[Window]] = {}
        for gap in gaps:
            coverage = coverage._forgetting(gap.window)
        for gap in chain(self.gaps, gaps):
            windows.setdefault(gap.cause, []).append(gap.window)
        alike = (Gap(each, cause) for cause in windows for each in _joined(windows[cause]))
        return replace(coverage, gaps=tuple(sorted(alike, key=_by_time)[-MOST_GAPS:]))

    def with_gap_closed(self, gap: Gap) -> "Coverage":
        """The coverage without ``gap``, which was read after all."""
        return replace(self, gaps=tuple(each for each in self.gaps if each != gap))

    def with_gap_reopened(self, gap: Gap) -> "Coverage":
        """The coverage with the time of ``gap`` as backlog again: it can be read after all."""
        window = Window(min(gap.window.start, self.live), min(gap.window.end, self.live))
        again = [Span(window)] if window.span else []
        spans = _ordered(_outside(self.spans, window), again)
        return replace(self.with_gap_closed(gap), spans=spans)

    def _forgetting(self, window: Window) -> "Coverage":
        """The coverage with nothing to be read in ``window``."""
        live = window.end if window.start <= self.live < window.end < _FOREVER else self.live
        return replace(self, live=live, spans=tuple(_outside(self.spans, window)))


def minus(windows: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """The time that is in ``windows`` but in none of ``others``."""
    left: list[Window] = []
    ordered = sorted(others)
    for window in windows:
        start = window.start
        for other in ordered:
            end = min(other.start, window.end)
            if start < end:
                left.append(Window(start, end))
            start = max(start, other.end)
        if start < window.end:
            left.append(Window(start, window.end))
    return left


def _with_outage(outages: Sequence[Outage], missed: Window) -> Iterator[Outage]:
    """``outages`` that are long enough to matter, and ``missed``, by which the last one may go on."""
    for outage in outages:
        if outage.window.end == missed.start and outage.shown_from is None:
            missed = Window(outage.window.start, missed.end)
        elif outage.window.span >= _HIDDEN:
            yield outage
    if missed.span:
        yield Outage(missed)


def _ordered(*spans: Iterable[Span]) -> tuple[Span, ...]:
    """All ``spans``, which do not overlap, by time."""
    return tuple(sorted(chain(*spans), key=_start))


def _outside(spans: Iterable[Span], window: Window) -> Iterator[Span]:
    """``spans`` without the time in ``window``."""
    for span in spans:
        if not overlap(span.window, window):
            yield span
            continue
        for side in minus([span.window], [window]):
            yield span.part(side)


def _coarse(spans: Iterable[Span], now: datetime, frequency: timedelta) -> Iterator[Span]:
    """Join neighbouring ``spans`` if it makes no difference which was read earlier.

    That holds within a power of two times ``frequency``, by which sweeps count; it grows with their age.
    """
    last: Span | None = None
    for span in spans:
        if last is None:
            last = span
        elif last.window.end == span.window.start and _alike(last, span, now, frequency):
            last = _both(last, span)
        else:
            yield last
            last = span
    if last is not None:
        yield last


def _in_pairs(spans: Sequence[Span]) -> Iterator[Span]:
    """Join every second one of ``spans`` to its neighbour, if they adjoin and both were read, or neither."""
    last: Span | None = None
    for span in spans:
        if last is None:
            last = span
            continue
        adjoining = last.window.end == span.window.start
        if adjoining and (last.read_at is None) == (span.read_at is None):
            yield _both(last, span)
            last = None
        else:
            yield last
            last = span
    if last is not None:
        yield last


def _both(one: Span, other: Span) -> Span:
    """Both spans, which adjoin, as one that was last read when the first of them was."""
    read_at = min(one.read_at, other.read_at) if one.read_at and other.read_at else None
    return Span(Window(one.window.start, other.window.end), read_at, one.rows + other.rows)


def _alike(one: Span, other: Span, now: datetime, frequency: timedelta) -> bool:
    if _is_burst_beside(one, other) or _is_burst_beside(other, one):
        return False
    if one.read_at == other.read_at:
        return True
    if one.read_at is None or other.read_at is None:
        return False
    age = max(now - other.window.end, timedelta(seconds=1))
    grain = frequency * 2.0 ** floor(log2(age / frequency / _GRAIN))
    return (one.read_at - EPOCH) // grain == (other.read_at - EPOCH) // grain


def _is_burst_beside(one: Span, other: Span) -> bool:
    """True if the rows of ``one`` are so much denser that an average over both would mislead the planning."""
    expected = other.rows * (one.window.span / other.window.span)
    expected_of_other = one.rows * (other.window.span / one.window.span)
    return one.rows > _BURST * expected + _FEW and expected_of_other > _BURST * other.rows + _FEW


def overlap(one: Window, other: Window) -> bool:
    """True if the windows share more than a bound."""
    return one.start < other.end and other.start < one.end


def _start(span: Span) -> datetime:
    return span.window.start


def _by_time(gap: Gap) -> tuple[Window, str]:
    return gap.window, gap.cause.value


def _joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    """The same time in as few windows as possible, oldest first."""
    joined: list[Window] = []
    for window in sorted(w for w in windows if w.span):
        if joined and window.start <= joined[-1].end:
            joined[-1] = Window(joined[-1].start, max(joined[-1].end, window.end))
        else:
            joined.append(window)
    return tuple(joined)


def _whole_second(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)
