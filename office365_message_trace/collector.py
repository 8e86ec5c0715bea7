"""The loop: fetch, push, record, commit, in that order.

A row is recorded once the intake accepted it, and a window counts as read once its last page was.
Any failure leaves the coverage where it was: the window is read again, and the ledger drops what
was accepted already. Nothing else moves the state, least of all a ``finally``.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from office365_message_trace.catchup import CatchUp, progress_line
from office365_message_trace.clock import Clock
from office365_message_trace.collect.flicker import Flicker
from office365_message_trace.coverage import Coverage, Kind, Policy, Read, Wait, plan
from office365_message_trace.errors import (
    AnswerTruncated,
    HistoryExceeded,
    Misconfigured,
    Refused,
    Unavailable,
    WindowTooLarge,
)
from office365_message_trace.ledger import Ledger
from office365_message_trace.model import (
    MILLISECOND,
    Event,
    Log,
    Page,
    Pause,
    Row,
    Window,
)
from office365_message_trace.pace import NARROWEST, SlowProbe, WindowWidth
from office365_message_trace.state import StateStore
from office365_message_trace.sweep import Sweep

MOST_PAGES = 20
"""Pages of one window: what a failure can make necessary to read again."""

_USUAL_PAGES = MOST_PAGES * 3 // 4
_PAST = (Kind.REREAD, Kind.BACKLOG)
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_REPORT_EVERY = 60.0  # seconds
_TIDY_EVERY = 900.0  # seconds, the time that a bucket of the ledger spans
_ASIDE = 900.0  # seconds; longer than the longest pause, so that another window comes in between


class Source(Protocol):
    """One of Microsoft's message trace services."""

    page_size: int

    def pages(self, window: Window, background: bool, most: int | None) -> Iterator[Page | Pause]:
        """The pages of ``window``; see `ODataClient.pages`."""

    def render(self, row: Row) -> str:
        """The event of ``row``."""


class Pusher(Protocol):
    """Where events go."""

    def push(self, events: list[Event]) -> Iterator[list[Event]]:
        """Deliver ``events``; yields each batch that the intake is done with."""


class Progress(Protocol):
    """Who is told how it goes."""

    def covered(self, coverage: Coverage, now: datetime) -> None:
        """What has been read at ``now``."""

    def page(self, kind: Kind, rows: int, forwarded: list[Event], now: datetime) -> None:
        """A page of ``rows`` was delivered by ``now``; ``forwarded`` of them were not known."""

    def refused(self, kind: Kind, refused: bool) -> None:
        """Whether windows of ``kind`` are refused, by whomever."""


class _Reading:
    """A window under way. ``not_before`` is when its next page may be taken, in monotonic seconds."""

    def __init__(self, read: Read, pages: Iterator[Page | Pause]) -> None:
        self.read = read
        self.pages = pages
        self.sweep = Sweep(read.window)
        self.not_before = 0.0


class Collector:
    """Keeps the promises for one tenant.

    Fresh mail is read at once, in whole. Up to two windows of the past are under way besides and
    advance by a page in turns: one prefers re-reads and one the backlog, so that neither waits for
    the other, and the next page of one is on its way while a page of the other is delivered.
    """

    def __init__(
        self,
        source: Source,
        pusher: Pusher,
        ledger: Ledger,
        store: StateStore,
        policy: Policy,
        clock: Clock,
        log: Log,
        progress: Progress,
    ) -> None:
        self._source = source
        self._pusher = pusher
        self._ledger = ledger
        self._store = store
        self._policy = policy
        self._clock = clock
        self._log = log
        self._progress = progress
        self._widths = {kind: WindowWidth(_USUAL_PAGES * source.page_size) for kind in Kind}
        self._live_probe = SlowProbe()
        self._past_probe = SlowProbe()
        self._refused: set[Kind] = set()
        self._aside: list[tuple[Window, float]] = []
        self._past: dict[Kind, _Reading] = {}
        self._forwarded = 0
        self._catch_up = CatchUp()
        self._flicker = Flicker(log)
        self._reported_at = self._tidied_at = clock.monotonic()

    def run(self, coverage: Coverage) -> None:
        """Collect from ``coverage`` on. Ends only by `Stopped`, which any wait raises."""
        self._coverage = coverage.adapted(self._policy)
        self._commit(self._coverage)
        self._ledger.mark(self._coverage.oldest)
        while True:
            self._step()

    def _step(self) -> None:
        now = self._clock.now()
        self._report(now)
        self._progress.covered(self._coverage, now)
        self._observe(now)
        live = self._plan(now, [Kind.LIVE], Kind.LIVE)
        if isinstance(live, Read):
            reading = self._begin(live)
            while self._advance(reading):
                pass
            return
        wait = min((live.until - now).total_seconds(), self._open_past(now))
        if self._past:
            preference, reading = min(self._past.items(), key=lambda item: item[1].not_before)
            pause = reading.not_before - self._clock.monotonic()
            if pause <= 0:
                if not self._advance(reading):
                    self._past.pop(preference, None)
                return
            wait = min(wait, pause)
        self._clock.wait_until(now + max(timedelta(seconds=wait), MILLISECOND))

    def _observe(self, now: datetime) -> None:
        """Take in what the passing of time did to the coverage."""
        recorded = self._ledger.buckets if self._coverage.is_ahead_of(now) else ()
        coverage = self._coverage.with_clock_set_back(now, self._policy, recorded)
        if coverage is not self._coverage:
            self._log("The system clock was set back; the look-back is read again.", "warning")
            self._ledger.mark(coverage.oldest)
        self._coverage = coverage.with_outage_behind(now, self._policy)
        # No further than the last read confirms the clock: a step ahead and back gives nothing up.
        self._give_up_before(self._policy.oldest_kept(min(now, self._coverage.read_at + _DAY)))
        moment = self._clock.monotonic()
        self._aside = [(window, until) for window, until in self._aside if until > moment]

    def _plan(self, now: datetime, kinds: list[Kind], first: Kind) -> Read | Wait:
        """What to do at ``now``, considering only windows of ``kinds``, ``first`` before others."""
        under_way = [reading.read.window for reading in self._past.values()]
        aside = [window for window, _ in self._aside]
        coverage = self._coverage.overlooking([*under_way, *aside])
        widths = {kind: self._widths[kind].now for kind in kinds}
        return plan(coverage, self._policy, now, widths, first)

    def _open_past(self, now: datetime) -> float:
        """Begin windows of the past until there are two; returns in how many seconds to look again."""
        if probe := self._past_probe.wait(self._clock.monotonic()):
            return probe
        for preference in _PAST:
            if preference not in self._past:
                step = self._plan(now, list(_PAST), preference)
                if isinstance(step, Wait):
                    return (step.until - now).total_seconds()
                self._past[preference] = self._begin(step)
        return math.inf

    def _begin(self, read: Read) -> _Reading:
        most = MOST_PAGES if read.window.span > _SECOND else None
        background = read.kind is not Kind.LIVE
        return _Reading(read, self._source.pages(read.window, background, most))

    def _advance(self, reading: _Reading) -> bool:
        """Deliver the next page, or after the last one commit the window; whether there is more."""
        read = reading.read
        try:
            page = self._next_page(reading)
            if isinstance(page, Page):
                self._deliver(page, read.kind)
                reading.sweep.add(page.rows)
        except WindowTooLarge as problem:
            if not self._kept(reading):
                self._narrow(read, problem)
        except HistoryExceeded as problem:
            self._shorten_history(read, problem)
        except Unavailable:
            if not self._kept(reading):
                self._widths[read.kind].narrow(read.window.span, at_least=_MINUTE)
            if read.kind is not Kind.LIVE:
                self._past_probe.failed(self._clock.monotonic())
                self._set_aside(read.window)
        except Refused as refusal:
            self._hold(read, refusal)
        else:
            if page is None:
                self._completed(read, reading.sweep.rows)
                return False
            pause = page.seconds if isinstance(page, Pause) else 0.0
            reading.not_before = self._clock.monotonic() + pause
            return True
        return False

    def _next_page(self, reading: _Reading) -> Page | Pause | None:
        """None after the last page. A window of the past that is refused may be the only such one."""
        try:
            return next(reading.pages, None)
        except Refused:
            if reading.read.kind is not Kind.LIVE:
                self._set_aside(reading.read.window)
            raise

    def _kept(self, reading: _Reading) -> bool:
        """Commit what the pages of an unfinished window cover; whether that is anything."""
        covered = reading.sweep.covered
        if covered is None:
            return False
        self._widths[reading.read.kind].observe(covered.span, reading.sweep.rows)
        self._commit_read(replace(reading.read, window=covered))
        return True

    def _deliver(self, page: Page, kind: Kind) -> None:
        """Push what the ledger does not know, and record each batch before the next is pushed."""
        fresh = self._ledger.unseen(page.rows)
        self._flicker.observe(page.rows, fresh, self._clock.now())
        events = [
            Event(row.received, row.trace_id, fingerprint, self._source.render(row))
            for fingerprint, row in fresh.items()
        ]
        for batch in self._pusher.push(events):
            self._ledger.record((event.received, event.fingerprint) for event in batch)
            self._forwarded += len(batch)
        self._progress.page(kind, len(page.rows), events, self._clock.now())
        self._clock.wait(0)

    def _completed(self, read: Read, rows: int) -> None:
        self._widths[read.kind].observe(read.window.span, rows)
        self._probe(read.kind).reset()
        if read.kind in self._refused:
            self._refused.remove(read.kind)
            self._progress.refused(read.kind, False)
            self._aside.clear()
            self._log("Collecting again.", "info")
        if read.kind is Kind.LIVE:
            for width in self._widths.values():
                width.expect(read.window.span, rows)
        self._commit_read(read)

    def _commit_read(self, read: Read) -> None:
        """Commit that all of ``read`` was delivered."""
        at = min(read.at, self._clock.now())  # the clock may have been set back meanwhile
        self._commit(self._coverage.completed(replace(read, at=at)))

    def _set_aside(self, window: Window) -> None:
        """Let other windows have their turn before ``window`` is tried again."""
        self._aside.append((window, self._clock.monotonic() + _ASIDE))

    def _commit(self, coverage: Coverage) -> None:
        """Make ``coverage`` the one to continue from, now and after a restart."""
        previous, self._coverage = self._coverage, coverage
        self._store.save(coverage)
        moment = self._clock.monotonic()
        if moment - self._tidied_at >= _TIDY_EVERY:
            # by the previous copy of the state, which may have to serve if this one is damaged
            self._ledger.mark(previous.oldest)
            self._ledger.forget(previous.will_read)
            self._tidied_at = moment

    def _narrow(self, read: Read, problem: WindowTooLarge) -> None:
        """Have the time of ``read`` read in smaller windows, as long as there are any."""
        if read.window.span > NARROWEST:
            self._widths[read.kind].narrow(read.window.span)
            return
        if not isinstance(problem, AnswerTruncated):
            self._hold(read, Refused(problem.sentence, problem.detail))
            return
        self._log(
            f"Rows may be missing at {read.window}: the service does not give all rows of a single "
            f"millisecond ({problem}). The time is declared as a gap.",
            "error",
        )
        self._commit(self._coverage.completed(read).with_gap(read.window))

    def _shorten_history(self, read: Read, problem: HistoryExceeded) -> None:
        """Believe a service that says how long it keeps rows; it may count by day or by the hour."""
        now = self._clock.now()
        history = timedelta(days=problem.days)
        self._policy = replace(self._policy, history=history)
        hour_later = read.window.start + timedelta(hours=1)
        limits = (self._policy.oldest_kept(now), now - history, hour_later)
        self._give_up_before(next(limit for limit in limits if limit > read.window.start))

    def _give_up_before(self, oldest: datetime) -> None:
        """Drop what lies before ``oldest`` and declare as a gap what was never read of it."""
        if self._coverage.oldest >= oldest:
            return
        coverage = self._coverage.without_before(oldest)
        if coverage.gaps != self._coverage.gaps:
            self._log(
                f"Message traces from before {oldest:%Y-%m-%d %H:%M} UTC that had not been read yet "
                "are lost: Microsoft 365 does not keep them that long. The time is declared as a "
                "gap in the trigger's state.",
                "error",
            )
        self._commit(coverage)

    def _hold(self, read: Read, refusal: Refused) -> None:
        """Say who has to do what, and probe slowly. No row is lost: the coverage stays.

        While fresh mail is refused, nothing else is tried. Windows of the past are put off: most
        likely all of them would be refused.
        """
        self._refused.add(read.kind)
        self._progress.refused(read.kind, True)
        level = "critical" if isinstance(refusal, Misconfigured) else "error"
        self._log(str(refusal), level)
        pause = self._probe(read.kind).failed(self._clock.monotonic())
        if read.kind is Kind.LIVE:
            self._clock.wait(pause)
            return
        for reading in self._past.values():
            self._kept(reading)
        self._past.clear()

    def _probe(self, kind: Kind) -> SlowProbe:
        return self._live_probe if kind is Kind.LIVE else self._past_probe

    def _report(self, now: datetime) -> None:
        """One line a minute, so that a person can follow."""
        moment = self._clock.monotonic()
        if moment - self._reported_at < _REPORT_EVERY:
            return
        backlog = self._coverage.backlog_span.total_seconds()
        self._catch_up = self._catch_up.at(now, backlog)
        self._log(progress_line(now, self._coverage.live, self._forwarded, self._catch_up), "info")
        self._forwarded = 0
        self._reported_at = moment
