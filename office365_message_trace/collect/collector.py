"""The loop: fetch, push, record, commit, in that order.

A row is recorded once the intake has accepted it, and a window counts as read once its last page was.
Any failure leaves the coverage where it was: the window is read again, and the ledger drops what
was already accepted. Nothing else moves the state, least of all a ``finally``.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from math import inf

from office365_message_trace.clock import Clock
from office365_message_trace.collect.backoff import SlowProbe
from office365_message_trace.collect.beginning import Beginning
from office365_message_trace.collect.checkpoint_store import StateStore
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
from office365_message_trace.collect.failed_windows import (
    LONGEST_PAUSE,
    Trial,
    divided_around,
)
from office365_message_trace.collect.gaps import GapProbe, part_to_try
from office365_message_trace.collect.interfaces import Pusher, Source
from office365_message_trace.collect.large_messages import LargeMessages, MessageCounter
from office365_message_trace.collect.ledger import KEPT_FOR, Ledger
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.collect.reading import Reading, begun
from office365_message_trace.collect.refusals import Refusals
from office365_message_trace.collect.schedule import Schedule
from office365_message_trace.collect.timetable import LARGEST_BOUND, choose
from office365_message_trace.collect.trial_store import TrialStore
from office365_message_trace.collect.volatile_fields import Flicker
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
    UNDATED,
    Event,
    Log,
    Page,
    Pause,
    Row,
    Window,
    instant,
    milliseconds,
)
from office365_message_trace.seldom import Seldom
from office365_message_trace.transport.retry import USUAL_ATTEMPTS
from office365_message_trace.untrusted_text import identifier

_PAST = (
    (Kind.REREAD, Kind.BACKLOG, Kind.CONFIRM),
    (Kind.BACKLOG, Kind.REREAD, Kind.CONFIRM),
)
"""The two windows of the past that are in progress at once, by what each prefers."""

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_TIDY_EVERY = 900.0  # seconds, the time that a bucket of the ledger spans
_ASIDE = LONGEST_PAUSE  # seconds, so that another window comes in between
_CONFIRM_EVERY = 8  # windows of the past, of which at least one confirms if there is no backlog
_PAST_AGE = timedelta(hours=1)  # from which a live window holds no fresh mail
_CHOOSE_EVERY = 900.0  # seconds
_OLD = 2  # times the final age, of time that was most likely not read before it was that old
_REPEATS = 3  # of a final read that brings something new, or with a refused event
_NEIGHBOURS = 3  # parts that one bad record may spoil, since services read beyond bounds
_LIVE_IN_A_ROW = 4  # windows, after which one page of the past comes first if it is due
_SAY_AGAIN_AFTER = 3600.0  # seconds
_CLOCK_JUMP = 60.0  # seconds by which the time may be corrected while a page is requested

_LEFT_OUT = "The intake does not accept one event. Its time is declared as a gap, and it is sent again now and then."
_FOUND_LATE = "The last read of old time brought new or changed rows; they were forwarded."
_READ_OFTEN = (
    "Rows that Microsoft 365 shows late are now found within {:.1f} times their lateness: with this much mail, the "
    "request quota allows to look for them that often."
)
_READ_RARELY = (
    "There is more mail than the request quota allows to read again in time: rows that Microsoft 365 shows late are "
    "found within {:.1f} times their lateness, or by the last read at the end of the look-back. A shorter lookback, or "
    "fewer requests of other tools, make that better."
)
_CLOCK_WAS_WRONG = (
    "A wrong clock made the trigger read time that had not come yet; the look-back is read again."
)
_STILL_CHANGING = (
    "Microsoft 365 shows new or changed rows up to the end of the look-back; they were forwarded. "
    "Raise lookback if that goes on, or later ones are missed."
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
        pusher: Pusher,
        ledger: Ledger,
        store: StateStore,
        trials: TrialStore,
        policy: Policy,
        clock: Clock,
        log: Log,
        monitor: Monitor,
        granted: Callable[[], float],
    ) -> None:
        self._source = source
        self._pusher = pusher
        self._ledger = ledger
        self._store = store
        self._trials = trials
        self._configured = policy
        self._policy = policy  # with a shorter history while the service claims it
        self._clock = clock
        self._log = log
        self._monitor = monitor
        self._granted = granted
        self._sizes = WindowSizes(source.full_page, source.one_page)
        self._timetable = choose(policy, 0, self._sizes.page, inf)
        self._refusals = Refusals(log, monitor)
        self._outage_probe = SlowProbe(patience=1)  # a single failed window says nothing of others
        self._gap_probe = GapProbe(clock.now(), clock.monotonic())
        self._messages = LargeMessages()
        self._past: dict[tuple[Kind, ...], Reading] = {}
        self._looks = 0
        self._narrow_live = False
        self._parts_refused = 0  # in a row, of windows that were sampled
        self._live_in_a_row = 0
        self._live_from = -inf  # monotonic seconds; from then on fresh mail is tried again
        self._chosen_at = -inf
        self._telling = Seldom(_SAY_AGAIN_AFTER)
        self._claimed_history = ClaimedHistory()
        self._flicker = Flicker(log, source.content_fields)
        self._tidied_at = clock.monotonic()

    def run(self, coverage: Coverage, began: datetime) -> None:
        """Collect from ``coverage`` on, until any wait raises `Stopped`.

        The process ``began`` at that time: what was young enough then is read again, although the first answer
        may have taken long.
        """
        now, moment = self._clock.now(), self._clock.monotonic()
        self._beginning = Beginning(
            began,
            moment - max((now - began).total_seconds(), 0.0),
            coverage.read_at + self._policy.ordinary_pause,
        )
        self._coverage = coverage.adapted(self._policy, began, KEPT_FOR)
        self._commit(self._coverage)
        self._ledger.mark(self._coverage.oldest)
        self._failed = self._trials.load(self._coverage, now, moment)
        while True:
            self._step()
            self._save_trials()

    def _step(self) -> None:
        now = self._clock.now()
        self._monitor.covered(self._coverage, now)
        self._observe(now)
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

    def _observe(self, now: datetime) -> None:
        """Update the coverage for the passing of time."""
        known = self._with_time_of_beginning(self._coverage, now)
        coverage = known.without_future(now, self._policy)
        if coverage is not known:
            self._ledger.mark(coverage.oldest)
            self._say_seldom(_CLOCK_WAS_WRONG)
        coverage = coverage.without_unwanted(now)
        self._coverage = coverage.with_outage_behind(now, self._policy)
        self._give_up_before(self._policy.oldest_kept(now))

    def _say_seldom(self, warning: str) -> None:
        """Log a ``warning``, once an hour at most."""
        if self._telling.may_say(warning, self._clock.monotonic()):
            self._log(warning, "warning")

    def _with_time_of_beginning(self, coverage: Coverage, now: datetime) -> Coverage:
        """``coverage`` with what was still young when the process began, or wanted when the first one did, if that
        was earlier than was known then: no answer had told the time, or a wrong one."""
        moment = self._clock.monotonic()
        ahead = self._beginning.first_start_ahead(coverage, now, moment)
        if ahead:
            coverage = coverage.with_first_start_earlier(ahead, self._policy.oldest_kept(now))
            self._ledger.mark(coverage.oldest)
        if earlier := self._beginning.earlier(now, moment):
            began, known = (each - self._policy.final_age for each in earlier)
            coverage = coverage.with_final_reopened(began, known)
        return coverage

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
                self._declare(Gap(window, Cause.INCOMPLETE), str(problem))
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
                self._commit(self._coverage.with_left_behind(reading.read.window.end))
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
        self._commit_read(reading.read, reading.take_parts())
        return True

    def _deliver(self, page: Page, reading: Reading) -> None:
        """Push rows that the ledger does not know, and record each batch before the next is pushed.

        Refused events are recorded as owed: each later read of their time sends them again, and the final
        one knows of them even if its answer leaves them out. A row that is back at its accepted content is
        no longer owed; of final reads only the last repetition settles that, because one answer may be false.
        """
        rows = reading.to_compare(page)
        fresh = self._ledger.unseen(rows)
        repeated = reading.trial.refusals >= _REPEATS
        if not reading.read.final or reading.gap is not None or repeated:
            self._ledger.record(fresh.reverted)
        events = [
            Event(row.received, row.trace_id, fingerprint, self._source.render(row))
            for fingerprint, row in fresh.items()
        ]
        accepted: list[Event] = []
        refused: list[Event] = []
        for delivery in self._pusher.push(events):
            self._ledger.record((event.received, event.fingerprint) for event in delivery.accepted)
            self._monitor.delivered(delivery)
            accepted += delivery.accepted
            refused += delivery.refused
        # after the accepted ones: rows may share a key, and its latest record decides if one is owed
        reading.owed += self._ledger.record_refused(
            (each.received, each.fingerprint) for each in refused
        )
        reading.refused += refused
        reading.fresh += len(accepted)
        owed = fresh.owed and fresh.owed.intersection(event.fingerprint for event in accepted)
        reading.late += len(accepted) - len(owed)
        if reading.message is None:
            reading.rows += len(page.rows) - page.strays
            reading.cover(page.covered)
            reading.messages.add(page.rows)
            self._note_shown(page.rows, reading.read.window)
        now = self._clock.now()
        self._flicker.observe(rows, fresh, accepted, now)
        self._monitor.page(reading.read.kind, len(rows), accepted, now)
        self._clock.wait(0)

    def _completed(self, reading: Reading) -> None:
        read = reading.read
        if read.window.start < self._policy.oldest_kept(read.at):
            self._policy = self._configured  # the service keeps more than it claimed
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
        if read.final and self._repeated(reading):
            return
        gaps = self._given_up(reading) if read.final else ()
        self._commit_read(read, reading.take_parts(read.window), gaps)
        for hidden in self._coverage.hidden if read.final else ():
            self._declare(hidden, "it shows no rows from before that")

    def _repeated(self, reading: Reading) -> bool:
        """Schedule a final read once more if it is not settled yet. Returns True if it was scheduled.

        It is repeated up to `_REPEATS` times because it found something new, or an event of it was refused for the
        first time, and up to `_REPEATS` times because any event was refused or a message was incomplete. The two
        reasons are counted separately.
        """
        trial = reading.trial
        if reading.late:
            age = reading.read.at - reading.read.window.end
            old = age > _OLD * self._policy.final_age
            self._say_seldom(_FOUND_LATE if old else _STILL_CHANGING)
        new = bool(reading.fresh or reading.owed)
        news = trial.news + new
        withheld = bool(reading.refused or reading.incomplete or self._owed_unseen(reading))
        refusals = trial.refusals + withheld
        unsettled = new and news <= _REPEATS, withheld and refusals <= _REPEATS
        if any(unsettled):
            until = self._clock.monotonic() + _ASIDE
            self._failed.postpone(reading.read, until, news, refusals)
        return any(unsettled)

    def _given_up(self, reading: Reading) -> list[Gap]:
        """Log messages and events that stay missing after the final read; returns the gaps to declare."""
        for gap, why in reading.incomplete.items():
            self._log_missing(gap, why)
        unseen = self._owed_unseen(reading)
        refused = [each for each in reading.refused if self._decides(reading.read, each.received)]
        for event in refused:
            name = identifier(event.trace_id) or "none that can be shown"
            self._log(f"{_LEFT_OUT} Its message trace id: {name}", "error")
        for _ in unseen:
            self._log(_LEFT_OUT, "error")
        if events := len(refused) + len(unseen):
            self._monitor.discarded(events)
        now = self._clock.now()
        shown = [event.received for event in refused if event.received != UNDATED]
        times = [at for at in map(instant, [*shown, *unseen]) if at <= now]
        gaps = [Gap(Window(at, at + MILLISECOND), Cause.REFUSED) for at in times]
        return [*reading.incomplete, *gaps]

    def _decides(self, read: Read, received: int) -> bool:
        """True if a final ``read`` decides about refused events of that time: it is its own, or no other window will
        read it."""
        if received == UNDATED:
            return True
        at = instant(received)
        own = read.window.start <= at < read.window.end
        return own or at > self._clock.now() or not self._coverage.owes(at)

    def _owed_unseen(self, reading: Reading) -> list[int]:
        """Receive times of events that are owed in a window but were not on its pages."""
        owed = Counter(self._ledger.refused(reading.read.window))
        return list((owed - Counter(event.received for event in reading.refused)).elements())

    def _probed(self, reading: Reading, gap: Gap) -> None:
        """Reopen a declared ``gap`` after some of its time was read, so that all of it is read and
        confirmed."""
        hidden = gap.cause is Cause.HIDDEN and not reading.rows
        owed = reading.refused or self._owed_unseen(reading)
        if hidden or reading.incomplete or (owed and gap.cause is Cause.REFUSED):
            return
        self._commit(self._coverage.with_gap_reopened(gap))
        self._ledger.mark(self._coverage.oldest)
        self._log(f"A gap can be read after all: {gap.window}.", "info")

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

    def _note_shown(self, rows: list[Row], window: Window) -> None:
        """Note the receive times of the earliest of ``rows`` in ``window`` since each outage, ignoring those
        outside. A row without a usable time counts as the first."""
        for start in self._coverage.silent_from(window):
            first = milliseconds(max(start, window.start))
            times = {first if row.received == UNDATED else row.received for row in rows}
            inside = range(first, milliseconds(window.end) + 1)
            received = min((time for time in times if time in inside), default=None)
            if received is not None:
                self._coverage = self._coverage.showing(instant(received))

    def _commit_read(
        self, read: Read, parts: Iterable[tuple[Window, int]], gaps: Collection[Gap] = ()
    ) -> None:
        """Commit ``parts`` of ``read``, which were delivered with so many rows each, and declare ``gaps`` with
        them."""
        at = min(read.at, self._clock.now())  # the time may have been corrected meanwhile
        coverage = self._coverage
        for window, rows in sorted(parts):
            final = read.final and window.end <= at - self._policy.final_age
            part = replace(read, window=window, at=at, final=final)
            coverage = coverage.completed(part, rows, self._policy.frequency)
        self._commit(coverage.with_gaps(gaps))

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
            self._declare(Gap(window or bad, cause), _reason(problem))

    def _declare(self, gap: Gap, why: str) -> None:
        """Log that rows may be missing in ``gap``, and record it."""
        self._log_missing(gap, why)
        self._commit(self._coverage.with_gap(gap))

    def _log_missing(self, gap: Gap, why: str) -> None:
        self._log(
            f"Rows may be missing at {gap.window}: the service does not give them ({why}). The time "
            "is declared as a gap, and tried again now and then.",
            "error",
        )

    def _commit(self, coverage: Coverage) -> None:
        """Make ``coverage`` the one to continue from, now and after a restart."""
        previous, self._coverage = self._coverage, coverage
        self._store.save(coverage)
        moment = self._clock.monotonic()
        if moment - self._tidied_at >= _TIDY_EVERY:
            # by the previous copy of the state, which is used if this one is damaged
            self._ledger.mark(previous.oldest)
            self._ledger.forget(previous.will_read, self._clock.now())
            self._tidied_at = moment

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
        self._policy = shortened
        self._give_up_before(limit)

    def _give_up_before(self, oldest: datetime) -> None:
        """Drop time before ``oldest``, and declare the part of it that was never read as a gap."""
        if self._coverage.oldest >= oldest:
            return
        coverage = self._coverage.without_before(oldest)
        self._failed.forget_before(oldest)
        if coverage.gaps != self._coverage.gaps:
            self._log(
                f"Message traces from before {oldest:%Y-%m-%d %H:%M} UTC that had not been read yet "
                "are lost: Microsoft 365 does not keep them that long. The time is declared as a "
                "gap in the trigger's state.",
                "error",
            )
        self._commit(coverage)

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
