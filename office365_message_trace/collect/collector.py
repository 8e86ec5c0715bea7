"""The loop: fetch, push, record, commit, in that order.

A row is recorded once the intake has accepted it (`delivery`), and a window counts as read once its last page was.
Any failure leaves the coverage where it was: the window is read again, and the ledger drops what was already accepted.
Only `checkpoint` moves the state, and nothing in a ``finally``.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from math import inf

from office365_message_trace.clock import Clock
from office365_message_trace.collect.backoff import SlowProbe
from office365_message_trace.collect.checkpoint import Checkpoint
from office365_message_trace.collect.claimed_history import (
    ASK_AGAIN,
    ClaimedHistory,
    seemingly_kept,
)
from office365_message_trace.collect.coverage import (
    Cause,
    Coverage,
    Gap,
    Kind,
    Policy,
    Read,
)
from office365_message_trace.collect.delivery import PageDelivery
from office365_message_trace.collect.failed_windows import (
    LONGEST_PAUSE,
    Trial,
    divided_around,
)
from office365_message_trace.collect.final_reads import FinalReads
from office365_message_trace.collect.gaps import GapProbe, part_to_try
from office365_message_trace.collect.interfaces import Source
from office365_message_trace.collect.large_messages import LargeMessages, MessageCounter
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.collect.reading import Reading, begun
from office365_message_trace.collect.refusals import Refusals
from office365_message_trace.collect.schedule import Schedule
from office365_message_trace.collect.timetable import LARGEST_BOUND, choose
from office365_message_trace.collect.trial_store import TrialStore
from office365_message_trace.collect.window_sizes import MOST_PAGES, WindowSizes
from office365_message_trace.errors import (
    AnswerTruncated,
    Hindered,
    HistoryExceeded,
    MessageTraceError,
    Refused,
    Rejected,
    Stopped,
    Unavailable,
    WindowTooLarge,
    origin,
)
from office365_message_trace.model import (
    MILLISECOND,
    Log,
    Page,
    Pause,
    Window,
)
from office365_message_trace.transport.retry import USUAL_ATTEMPTS

_PAST = (
    (Kind.REREAD, Kind.BACKLOG, Kind.CONFIRM),
    (Kind.BACKLOG, Kind.REREAD, Kind.CONFIRM),
)
"""The two windows of the past that are in progress at once, by what each prefers."""

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_ASIDE = LONGEST_PAUSE  # seconds, so that another window comes in between
_CONFIRM_EVERY = 8  # windows of the past, of which at least one confirms if there is no backlog
_PAST_AGE = timedelta(hours=1)  # from which a live window holds no fresh mail
_CHOOSE_EVERY = 900.0  # seconds
_NEIGHBOURS = 3  # parts that one bad record may spoil, since services read beyond bounds
_LIVE_IN_A_ROW = 4  # windows, after which one page of the past comes first if it is due
_CLOCK_JUMP = 60.0  # seconds by which the time may be corrected while a page is requested

_READ_OFTEN = (
    "Rows that Microsoft 365 shows late are now found within {:.1f} times their lateness: with this much mail, the "
    "request quota allows to look for them that often."
)
_READ_RARELY = (
    "There is more mail than the request quota allows to read again in time: rows that Microsoft 365 shows late are "
    "found within {:.1f} times their lateness, or by the last read at the end of the look-back. A shorter lookback, or "
    "fewer requests of other tools, make that better."
)


class Collector:
    """Collects the mail of one tenant.

    Fresh mail is read at once, in whole windows; if that never ends, a page of the past comes after every few of them.
    Up to two windows of the past are read meanwhile, a page at a time in turns. One prefers re-reads and one the
    backlog, so that neither waits for the other, and the next page of one is requested while a page of the other is
    delivered. Last reads that only confirm come when nothing else is due. ``granted`` returns the requests a day that
    Microsoft grants.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # each is a part of its own
        self,
        source: Source,
        checkpoint: Checkpoint,
        delivery: PageDelivery,
        final_reads: FinalReads,
        trials: TrialStore,
        clock: Clock,
        log: Log,
        monitor: Monitor,
        granted: Callable[[], float],
    ) -> None:
        self._source = source
        self._checkpoint = checkpoint
        self._delivery = delivery
        self._final_reads = final_reads
        self._trials = trials
        self._configured = checkpoint.policy
        self._clock = clock
        self._log = log
        self._monitor = monitor
        self._granted = granted
        self._sizes = WindowSizes(source.full_page, source.one_page)
        self._timetable = choose(checkpoint.policy, 0, self._sizes.page, inf)
        self._refusals = Refusals(log, monitor)
        self._outage_probe = SlowProbe(patience=1)  # a single failed window says nothing of others
        self._gap_probe = GapProbe(clock.now(), clock.monotonic())
        self._failed = trials.load(checkpoint.coverage, clock.now(), clock.monotonic())
        self._messages = LargeMessages()
        self._past: dict[tuple[Kind, ...], Reading] = {}
        self._looks = 0
        self._narrow_live = False
        self._parts_refused = 0  # in a row, of windows that were sampled
        self._live_in_a_row = 0
        self._live_from = -inf  # monotonic seconds; from then on fresh mail is tried again
        self._chosen_at = -inf
        self._claimed_history = ClaimedHistory()

    def run(self) -> None:
        """Collect until any wait raises `Stopped`."""
        while True:
            self._step()
            self._save_trials()

    @property
    def _coverage(self) -> Coverage:
        return self._checkpoint.coverage

    @property
    def _policy(self) -> Policy:
        return self._checkpoint.policy

    def _step(self) -> None:
        now = self._clock.now()
        self._monitor.covered(self._coverage, now)
        self._checkpoint.observe(now)
        self._give_up_before(self._policy.oldest_kept(now))
        self._choose_timetable(now)
        schedule = self._schedule(now)
        live = schedule.next((Kind.LIVE,))
        if isinstance(live, Read):
            until_live = max(self._live_from - self._clock.monotonic(), 0.0)
        else:
            until_live = (live.until - now).total_seconds()
        if isinstance(live, Read) and not until_live and self._live_in_a_row < _LIVE_IN_A_ROW:
            self._live_in_a_row += not self._refusals.of_live
            reading = self._begin(Trial(live))
            while self._advance(reading):
                pass
            return
        self._live_in_a_row = 0
        wait = min(until_live, self._open_past(schedule))
        if self._past:
            slot, reading = min(self._past.items(), key=lambda item: item[1].not_before)
            pause = reading.not_before - self._clock.monotonic()
            if pause <= 0:
                if not self._advance(reading):
                    self._past.pop(slot, None)
                return
            wait = min(wait, pause)
        if until_live:
            self._clock.wait_until(now + max(timedelta(seconds=wait), MILLISECOND))

    def _save_trials(self) -> None:
        under_way = [each.trial for each in self._past.values()]
        self._trials.save(self._failed, under_way, self._clock.now(), self._clock.monotonic())

    def _choose_timetable(self, now: datetime) -> None:
        """Choose the densest timetable that the amount of mail and the request budget allow."""
        moment = self._clock.monotonic()
        if moment - self._chosen_at < _CHOOSE_EVERY:
            return
        self._chosen_at = moment
        requests = self._granted()
        rows = self._coverage.rows_since(now - self._policy.lookback)
        present = self._timetable
        chosen = choose(self._policy, rows, self._sizes.rows_a_page, requests, present)
        if chosen.bound != present.bound:
            wide = chosen.bound > LARGEST_BOUND
            text = _READ_RARELY if wide else _READ_OFTEN
            self._log(text.format(chosen.bound), "warning" if wide else "info")
        self._timetable = chosen
        self._monitor.promised(chosen.bound)
        self._sizes.fill_rereads(not chosen.newest_first)

    def _schedule(self, now: datetime) -> Schedule:
        """The schedule at ``now``, without windows that are being read or wait to be tried again."""
        under_way = [each.trial.window for each in self._past.values()]
        sizes = self._sizes.limits(extended=not (self._narrow_live or self._past_hindered))
        busy = [*under_way, *self._failed.windows]
        return Schedule(self._coverage, self._policy, self._timetable, now, sizes, busy)

    def _open_past(self, schedule: Schedule) -> float:
        """Begin windows of the past until there are two, or one while none can be read, or that may begin.

        Returns the seconds until it should be called again.
        """
        moment = self._clock.monotonic()
        if probe := max(self._refusals.wait_for_past(moment), self._outage_probe.wait(moment)):
            return probe
        wait = inf
        one_at_a_time = self._past_hindered or self._parts_refused > 0
        for slot in _PAST:
            if slot in self._past or (self._past and one_at_a_time):
                continue
            found = self._next_past(slot, schedule, moment)
            if isinstance(found, Reading):
                self._past[slot] = found
                schedule = self._schedule(schedule.now)
            else:
                wait = min(wait, found)
        return wait

    def _next_past(
        self, slot: tuple[Kind, ...], schedule: Schedule, moment: float
    ) -> Reading | float:
        """Begin the next reading for ``slot``; if none is due, return the seconds until one is.

        While nothing of the past can be read or delivered, a window that has not failed yet goes first:
        it shows if the failed windows themselves are at fault.
        """
        if not self._past_hindered and (trial := self._failed.next_due(moment)):
            return self._begin(trial)
        kinds = slot
        self._looks += 1
        if self._looks % _CONFIRM_EVERY == 0 and not self._coverage.backlog:
            kinds = (Kind.CONFIRM, *slot[:2])
        step, now = schedule.next(kinds), schedule.now
        if isinstance(step, Read):
            return self._begin(Trial(step))
        if trial := self._failed.next_due(moment):
            return self._begin(trial)
        gaps = self._coverage.gaps
        if gap := self._gap_probe.next(gaps, self._configured, now, moment):
            return self._begin_gap(gap, now)
        waits = [(step.until - now).total_seconds(), self._failed.wait(moment)]
        waits += [self._gap_probe.wait(moment)] if gaps else []
        return min(waits)

    @property
    def _past_hindered(self) -> bool:
        """True while nothing of the past can be read or delivered."""
        return self._outage_probe.waiting or self._refusals.of_past

    def _begin(self, trial: Trial, gap: Gap | None = None) -> Reading:
        """Begin to read the window of ``trial``, which may have been planned long ago."""
        past = trial.read.kind is not Kind.LIVE
        divisible = trial.read.window.is_divisible
        # a millisecond is given up for its own failures, so no passing fault may count as one
        probing = past and divisible and (trial.failures or gap or self._outage_probe.waiting)
        read = replace(trial.read, at=self._clock.now())
        trial = replace(trial, read=read)
        self._sizes.aim(self._source.full_page)
        pages = partial(
            self._source.pages,
            read.window,
            background=past,
            max_pages=MOST_PAGES if read.window.span > _SECOND else None,
            single_page=read.final,
            trace_id=None,
            attempts=1 if probing else USUAL_ATTEMPTS,
        )
        counter = MessageCounter(self._source.many_recipients)
        return Reading(trial, begun(pages), self._clock.monotonic(), counter, gap=gap)

    def _begin_gap(self, gap: Gap, now: datetime) -> Reading:
        oldest, turn = self._configured.oldest_kept(now), self._gap_probe.turn
        window = part_to_try(gap, self._sizes.last, oldest, now, turn)
        read = Read(Kind.CONFIRM, window, now, final=True)
        return self._begin(Trial(read), gap)

    def _advance(self, reading: Reading) -> bool:
        """Deliver the next page, or commit the window after the last one. Returns True if there is more.

        An unexpected fault costs its own window, which is set aside: others go on.
        """
        try:
            return self._advanced(reading)
        except (MessageTraceError, Stopped):
            raise
        except Exception as error:
            return self._unforeseen(reading, error)

    def _advanced(self, reading: Reading) -> bool:
        page: Page | Pause | None = None
        try:
            page = next(reading.pages, None)
            if self._planned_by_wrong_time(reading):
                return False
            if isinstance(page, Page):
                self._deliver(page, reading)
                if reading.commits_pages:
                    self._commit_covered(reading)
        except (Unavailable, Rejected, WindowTooLarge, HistoryExceeded) as problem:
            return self._page_failed(reading, problem)
        except Refused as refusal:
            self._hold(reading, refusal, by_intake=page is not None)
        else:
            if page is None:
                if reading.message is not None:
                    self._messages.completed(reading.message)
                return self._go_on(reading)
            pause = page.seconds if isinstance(page, Pause) else 0.0
            reading.not_before = self._clock.monotonic() + pause
            return True
        return False

    def _go_on(self, reading: Reading) -> bool:
        """Request the next large message of a window that was read, or commit the window. Returns True if
        there is more.

        So time is not final before its large messages were read.
        """
        final = reading.read.final
        if reading.left is None:
            reading.left = self._messages.to_ask(reading.messages.large, final)
        if not reading.left:
            self._completed(reading)
            return False
        now = self._clock.now()
        message = reading.message = reading.left.pop()
        start = max(message.window.start, min(self._policy.oldest_kept(now), message.known.start))
        end = max(message.known.end, min(message.window.end, now))
        pages = partial(
            self._source.pages,
            Window(start, end),
            background=reading.read.kind is not Kind.LIVE,
            max_pages=None,
            single_page=False,
            trace_id=message.trace_id,
            attempts=USUAL_ATTEMPTS if final else 1,
        )
        reading.pages = begun(pages)
        return True

    def _page_failed(
        self,
        reading: Reading,
        problem: Unavailable | Rejected | WindowTooLarge | HistoryExceeded,
    ) -> bool:
        """Continue without the rows of a message that cannot be completed, or end the reading. Returns True
        if there is more.

        A message that its final read cannot complete, either, is declared.
        """
        if message := reading.message:
            window = Window(message.known.start, message.known.end + MILLISECOND)
            reading.incomplete[Gap(window, Cause.INCOMPLETE)] = _reason(problem)
            return self._go_on(reading)
        if reading.gap is not None:
            self._gap_failed(reading, reading.gap, problem)
        else:
            self._failed_at(reading, problem)
        return False

    def _failed_at(
        self,
        reading: Reading,
        problem: Unavailable | Refused | WindowTooLarge | HistoryExceeded,
    ) -> None:
        """Commit the part of a window that was read, and arrange another way to read the rest."""
        read = reading.read
        self._narrow_live = self._narrow_live or read.kind is Kind.LIVE
        match problem:
            case AnswerTruncated(window=Window() as window):
                self._keep_covered(reading)
                self._checkpoint.declare(Gap(window, Cause.INCOMPLETE), str(problem))
            case WindowTooLarge(cut=datetime() as cut) if read.window.is_divisible:
                for part in divided_around(read.window, cut):
                    trial = replace(read, window=part)
                    self._failed.postpone(trial, self._clock.monotonic())
            case WindowTooLarge() if read.window.is_divisible:
                if not self._keep_covered(reading):
                    self._sizes.narrow(read)
            case HistoryExceeded():
                self._shorten_history(read, problem)
            case _ if self._reaches_back(read):
                # perhaps the older time is the reason: fresh mail is read alone at once
                self._keep_covered(reading)
            case Rejected() if read.kind is Kind.LIVE:
                self._hold(reading, problem, by_intake=False)
            case _:
                kept = self._keep_covered(reading)
                if read.kind is not Kind.LIVE:
                    self._slow_down(reading.trial, problem)
                    self._set_aside(reading, problem)
                elif not kept:
                    self._sizes.narrow(read, at_least=_MINUTE)
                    self._live_from = reading.began + _MINUTE.total_seconds()

    def _reaches_back(self, read: Read) -> bool:
        """True for fresh mail that is read together with older time."""
        return read.kind is Kind.LIVE and read.window.start < self._coverage.live

    def _slow_down(self, trial: Trial, problem: MessageTraceError) -> None:
        """Probe the past slowly after ``trial`` failed, unless its failure is most likely its own."""
        if trial.sampled:
            return
        moment = self._clock.monotonic()
        self._outage_probe.failed(moment)
        if isinstance(problem, Rejected) and (trial.failures or self._outage_probe.waiting):
            self._refusals.tell(problem, moment)

    def _unforeseen(self, reading: Reading, error: Exception) -> bool:
        """Retry a window that made this module fail, as one that the service cannot give. Returns True if
        there is more of it.

        Fresh mail becomes backlog then, so that later mail need not wait.
        """
        self._log(
            f"An unexpected fault ended the reading of {reading.read.window}; it is tried again, and "
            "nothing is lost meanwhile. Report this to the maintainers of this module with the text in "
            f"brackets. [{origin(error)}]",
            "error",
        )
        problem = Unavailable("an unexpected fault of this module", origin(error))
        if reading.message is not None:
            return self._page_failed(reading, problem)
        if reading.gap is None:
            if reading.read.kind is Kind.LIVE:
                self._checkpoint.leave_behind(reading.read.window)
                read = replace(reading.read, kind=Kind.BACKLOG)
                reading.trial = replace(reading.trial, read=read)
            else:
                self._slow_down(reading.trial, problem)
            self._set_aside(reading, problem)
        return False

    def _planned_by_wrong_time(self, reading: Reading) -> bool:
        """True if the time was corrected since ``reading`` began: then it is planned again."""
        elapsed = self._clock.monotonic() - reading.began
        shift = (self._clock.now() - reading.read.at).total_seconds() - elapsed
        return abs(shift) > _CLOCK_JUMP

    def _keep_covered(self, reading: Reading) -> bool:
        """Commit what the pages of a failed window cover, and learn its width. Returns False if they cover
        nothing."""
        kept = self._commit_covered(reading)
        if kept and reading.covered:
            self._sizes.observe(reading.read, reading.covered.span, reading.rows)
        return kept

    def _commit_covered(self, reading: Reading) -> bool:
        """Commit what the pages of an unfinished window cover. Returns False if they cover nothing."""
        if reading.covered is None or reading.read.final:
            return False
        self._checkpoint.commit_read(reading.read, reading.take_parts())
        return True

    def _deliver(self, page: Page, reading: Reading) -> None:
        self._delivery.deliver(page, reading)
        if reading.message is None:
            reading.rows += len(page.rows) - page.strays
            reading.cover(page.covered)
            reading.messages.add(page.rows)
            self._checkpoint.note_shown(page.rows, reading.read.window)
        self._clock.wait(0)

    def _completed(self, reading: Reading) -> None:
        read = reading.read
        if read.window.start < self._policy.oldest_kept(read.at):
            self._checkpoint.policy = self._configured  # the service keeps more than it claimed
        self._sizes.observe(read, read.window.span, reading.rows)
        # fresh mail says little about faults of the past
        if read.kind is Kind.LIVE and reading.rows:
            self._failed.fresh_mail = True
        if read.kind is not Kind.LIVE or self._policy.delay >= _PAST_AGE:
            self._narrow_live = False
            self._parts_refused = 0
            self._failed.completed(reading.trial, self._clock.monotonic())
            if self._outage_probe.waiting:
                self._failed.hurry()
            self._outage_probe.reset()
        self._claimed_history.contradict(read.window.start, self._clock.now())
        if self._refusals.end(read.kind, reading.fresh > 0):
            self._failed.hurry()
        if reading.gap is not None:
            self._probed(reading, reading.gap)
            if reading.gap not in self._coverage.gaps:
                self._gap_probe.hurry()
            return
        if not read.final:
            self._checkpoint.commit_read(read, reading.take_parts(read.window))
        elif not self._repeated(reading):
            self._complete_finally(reading)

    def _repeated(self, reading: Reading) -> bool:
        """Schedule a final read once more if it is not settled yet. Returns True if it was scheduled."""
        moment = self._clock.monotonic()
        self._final_reads.warn_of_late_rows(reading, self._policy.final_age, moment)
        repetition = self._final_reads.repetition(reading)
        if repetition:
            self._failed.postpone(reading.read, moment + _ASIDE, *repetition)
        return repetition is not None

    def _complete_finally(self, reading: Reading) -> None:
        """Commit a final read, and declare what stays missing after it."""
        for gap, why in reading.incomplete.items():
            self._checkpoint.log_missing(gap, why)
        refused = self._final_reads.given_up(reading, self._coverage, self._clock.now())
        parts = reading.take_parts(reading.read.window)
        self._checkpoint.commit_read(reading.read, parts, [*reading.incomplete, *refused])
        for hidden in self._coverage.hidden:
            self._checkpoint.declare(hidden, "it shows no rows from before that")

    def _probed(self, reading: Reading, gap: Gap) -> None:
        """Reopen a declared ``gap`` after some of its time was read, so that all of it is read and
        confirmed."""
        hidden = gap.cause is Cause.HIDDEN and not reading.rows
        owed = reading.refused or self._final_reads.owed_unseen(reading)
        if hidden or reading.incomplete or (owed and gap.cause is Cause.REFUSED):
            return
        self._checkpoint.reopen(gap)

    def _gap_failed(self, reading: Reading, gap: Gap, problem: MessageTraceError) -> None:
        """Reopen a gap that only held too many rows at once: smaller windows can read it.

        A millisecond cannot be divided, so it stays declared. One that was unreadable is reopened if some of its rows
        came, because another read declares its present cause.
        """
        truncated = isinstance(problem, AnswerTruncated)
        divisible = reading.read.window.is_divisible and not truncated
        helps = reading.rows > 0 if gap.cause is Cause.UNREADABLE else divisible
        if isinstance(problem, WindowTooLarge) and helps:
            self._probed(reading, gap)

    def _set_aside(self, reading: Reading, problem: MessageTraceError) -> None:
        """Let other windows have their turn before this one, or its parts, are tried again."""
        if isinstance(problem, Hindered):
            self._failed.again(reading.trial, self._clock.monotonic())
            return
        bad = self._failed.failed(reading.trial, self._clock.monotonic())
        if reading.rows:  # its first pages came, so not all of the past fails
            self._failed.succeeded()
        if bad is not None:
            cause = Cause.INCOMPLETE if reading.rows else Cause.UNREADABLE
            window = problem.window if isinstance(problem, WindowTooLarge) else None
            self._checkpoint.declare(Gap(window or bad, cause), _reason(problem))

    def _shorten_history(self, read: Read, problem: HistoryExceeded) -> None:
        """Believe a service that says twice how long it keeps rows, which may count by day or by hour, until it
        answers for older time. Gaps are tried as if it had not said so.

        The part of the window that it seems to keep is read meanwhile: later, more of it is too old.
        """
        now, moment = self._clock.now(), self._clock.monotonic()
        if read.kind is Kind.LIVE:
            read = replace(read, kind=Kind.BACKLOG)
        if not self._claimed_history.believed(problem.days, moment):
            doubtful, kept = seemingly_kept(read.window, problem.days, now)
            self._failed.postpone(replace(read, window=doubtful), moment + ASK_AGAIN)
            for part in kept:
                self._failed.postpone(replace(read, window=part), moment)
            return
        shortened = replace(self._policy, history=timedelta(days=problem.days))
        limits = (shortened.oldest_kept(now), now - shortened.history)
        limit = next((limit for limit in limits if limit > read.window.start), None)
        if limit is None:
            self._failed.postpone(read, moment + _ASIDE)
            return
        self._checkpoint.policy = shortened
        self._give_up_before(limit)

    def _give_up_before(self, oldest: datetime) -> None:
        if self._checkpoint.give_up_before(oldest):
            self._failed.forget_before(oldest)

    def _hold(self, reading: Reading, refusal: Refused, by_intake: bool) -> None:
        """Pause fresh mail, or postpone windows of the past, after a refusal. No row is lost: the coverage stays.

        While fresh mail is refused, nothing else is tried; but if it was read together with older time, it is read
        alone first. Windows of the past are postponed, because most likely all of them would be refused. If not,
        another one shows that at the next probe, and a window that the service refuses again counts as one that it
        cannot give. A gap that is refused says nothing about other time, nor does a part of a window of which a sample was
        read, unless nothing else is read any more.
        """
        if reading.gap is not None:
            return
        of_all = self._refusals.of_past or self._parts_refused >= _NEIGHBOURS
        by_itself = reading.trial.sampled and not of_all
        self._parts_refused += by_itself
        if not by_intake and (by_itself or self._reaches_back(reading.read)):
            self._failed_at(reading, refusal)
            return
        kind, moment = reading.read.kind, self._clock.monotonic()
        pause = self._refusals.note(kind, refusal, by_intake, moment)
        if kind is Kind.LIVE:
            self._clock.wait(pause)
            return
        for each in self._past.values():
            self._keep_covered(each)
        self._past.clear()
        if by_intake:
            # what it showed was not accepted: if the next answer is false, another one has to be the last
            self._failed.postpone(replace(reading.read, final=False), moment)
        else:
            self._set_aside(reading, refusal)


def _reason(problem: MessageTraceError) -> str:
    """Why rows may be missing. The words of a refusal name its usual cause, which that of a single window is not."""
    return f"refused, {problem.detail}" if isinstance(problem, Refused) else str(problem)
