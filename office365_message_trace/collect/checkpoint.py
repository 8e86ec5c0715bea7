"""Holds the coverage of a running collector, and makes every change to it."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from office365_message_trace.clock import Clock
from office365_message_trace.collect.beginning import Beginning
from office365_message_trace.collect.checkpoint_store import CheckpointStore
from office365_message_trace.collect.coverage import Coverage, Gap, Policy, Read
from office365_message_trace.collect.ledger import KEPT_FOR, Ledger
from office365_message_trace.model import (
    UNDATED,
    Log,
    Row,
    Window,
    instant,
    milliseconds,
)
from office365_message_trace.seldom import HOURLY, Seldom

_TIDY_EVERY = 900.0  # seconds, the time that a bucket of the ledger spans

_CLOCK_WAS_WRONG = (
    "A wrong clock made the trigger read time that had not come yet; the look-back is read again."
)
_TOO_OLD = (
    "Message traces from before {:%Y-%m-%d %H:%M} UTC that had not been read yet are lost: Microsoft 365 does not keep "
    "them that long. The time is declared as a gap in the trigger's state."
)
_MISSING = (
    "Rows may be missing at {}: the service does not give them ({}). The time is declared as a gap, and tried again "
    "now and then."
)


class Checkpoint:
    """The ``coverage`` to continue from, now and after a restart.

    ``policy`` is the one of the settings, with a shorter history while the service claims that it keeps less. The
    process ``began`` at that time: what was young enough then is read again, although the first answer may have taken
    long.
    """

    def __init__(
        self,
        coverage: Coverage,
        began: datetime,
        policy: Policy,
        store: CheckpointStore,
        ledger: Ledger,
        clock: Clock,
        log: Log,
    ) -> None:
        self.policy = policy
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._log = log
        self._telling = Seldom(HOURLY)
        now, moment = clock.now(), clock.monotonic()
        self._tidied_at = moment
        self._beginning = Beginning(
            began,
            moment - max((now - began).total_seconds(), 0.0),
            coverage.read_at + policy.ordinary_pause,
        )
        self._coverage = coverage.adapted(policy, began, KEPT_FOR)
        self.commit(self._coverage)
        ledger.mark(self._coverage.oldest)

    @property
    def coverage(self) -> Coverage:
        """The coverage to continue from."""
        return self._coverage

    def observe(self, now: datetime) -> None:
        """Take in that time has passed."""
        known = self._with_time_of_beginning(self._coverage, now)
        coverage = known.without_future(now, self.policy)
        if coverage is not known:
            self._ledger.mark(coverage.oldest)
            if self._telling.may_say(_CLOCK_WAS_WRONG, self._clock.monotonic()):
                self._log(_CLOCK_WAS_WRONG, "warning")
        coverage = coverage.without_unwanted(now)
        self._coverage = coverage.with_outage_behind(now, self.policy)

    def _with_time_of_beginning(self, coverage: Coverage, now: datetime) -> Coverage:
        """``coverage`` with what was still young when the process began, or wanted when the first one did, if that
        was earlier than was known then: no answer had told the time, or a wrong one."""
        moment = self._clock.monotonic()
        ahead = self._beginning.first_start_ahead(coverage, now, moment)
        if ahead:
            coverage = coverage.with_first_start_earlier(ahead, self.policy.oldest_kept(now))
            self._ledger.mark(coverage.oldest)
        if earlier := self._beginning.earlier(now, moment):
            began, known = (each - self.policy.final_age for each in earlier)
            coverage = coverage.with_final_reopened(began, known)
        return coverage

    def note_shown(self, rows: list[Row], window: Window) -> None:
        """Note the receive times of the earliest of ``rows`` in ``window`` since each outage, ignoring those
        outside. A row without a usable time counts as the first."""
        for start in self._coverage.silent_from(window):
            first = milliseconds(max(start, window.start))
            times = {first if row.received == UNDATED else row.received for row in rows}
            inside = range(first, milliseconds(window.end) + 1)
            received = min((time for time in times if time in inside), default=None)
            if received is not None:
                self._coverage = self._coverage.showing(instant(received))

    def commit_read(
        self, read: Read, parts: Iterable[tuple[Window, int]], gaps: Collection[Gap] = ()
    ) -> None:
        """Commit ``parts`` of ``read``, which were delivered with so many rows each, and declare ``gaps`` with
        them."""
        at = min(read.at, self._clock.now())  # the time may have been corrected meanwhile
        coverage = self._coverage
        for window, rows in sorted(parts):
            final = read.final and window.end <= at - self.policy.final_age
            part = replace(read, window=window, at=at, final=final)
            coverage = coverage.completed(part, rows, self.policy.frequency)
        self.commit(coverage.with_gaps(gaps))

    def leave_behind(self, window: Window) -> None:
        """Make the fresh mail of ``window`` backlog, so that later mail need not wait."""
        self.commit(self._coverage.with_left_behind(window.end))

    def declare(self, gap: Gap, why: str) -> None:
        """Log that rows may be missing in ``gap``, and record it."""
        self.log_missing(gap, why)
        self.commit(self._coverage.with_gap(gap))

    def log_missing(self, gap: Gap, why: str) -> None:
        """Log that rows may be missing in ``gap``."""
        self._log(_MISSING.format(gap.window, why), "error")

    def reopen(self, gap: Gap) -> None:
        """Have the time of a declared ``gap`` read after all."""
        self.commit(self._coverage.with_gap_reopened(gap))
        self._ledger.mark(self._coverage.oldest)
        self._log(f"A gap can be read after all: {gap.window}.", "info")

    def give_up_before(self, oldest: datetime) -> bool:
        """Drop time before ``oldest``, and declare the part of it that was never read as a gap. Returns False if there
        is none."""
        if self._coverage.oldest >= oldest:
            return False
        coverage = self._coverage.without_before(oldest)
        if coverage.gaps != self._coverage.gaps:
            self._log(_TOO_OLD.format(oldest), "error")
        self.commit(coverage)
        return True

    def commit(self, coverage: Coverage) -> None:
        """Make ``coverage`` the one to continue from."""
        previous, self._coverage = self._coverage, coverage
        self._store.save(coverage)
        moment = self._clock.monotonic()
        if moment - self._tidied_at >= _TIDY_EVERY:
            # by the previous copy of the state, which is used if this one is damaged
            self._ledger.mark(previous.oldest)
            self._ledger.forget(previous.will_read, self._clock.now())
            self._tidied_at = moment
