"""Safeguards of the collector that can be turned off, one at a time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from office365_message_trace.collect.collector import Collector
from office365_message_trace.collect.coverage import Coverage, Gap, Kind, Read
from office365_message_trace.collect.failed_windows import FailedWindows, Trial
from office365_message_trace.collect.large_messages import LargeMessages
from office365_message_trace.collect.ledger import FINGERPRINT_BYTES, Ledger, Unseen, _Bucket
from office365_message_trace.collect.ownership import Ownership
from office365_message_trace.collect.reading import Reading
from office365_message_trace.collect.timetable import Sweeps
from office365_message_trace.errors import MessageTraceError, Unavailable
from office365_message_trace.microsoft import odata, reporting, rows
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.failures import Failure
from office365_message_trace.microsoft.graph import FIRST_PARTY_APP, GraphClient
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.microsoft.paging.by_links import ByLinks
from office365_message_trace.microsoft.paging.walk import Order, RowOrder
from office365_message_trace.microsoft.request_budget import RequestBudget
from office365_message_trace.microsoft.rows import GRAPH_ROWS, DecodedRow, RowFormat, UsualPage
from office365_message_trace.model import Delivery, Event, Fields, Page, Pause, Row, Window
from office365_message_trace.sekoia import intake_verdict
from office365_message_trace.sekoia.intake import BatchPusher
from office365_message_trace.sekoia.intake_verdict import Verdict
from office365_message_trace.transport.session import Answer
from sandbox.simulation import Scenario, world
from sandbox.simulation.crashes import Kill
from sandbox.simulation.disturbances import Spell
from sandbox.simulation.settings import HOUR_MS, MINUTE_MS

Pages = Iterator[Page | Pause]


def commit_before_push(patch: pytest.MonkeyPatch) -> None:
    """The window counts as read before it was."""
    original = Collector._begin

    def begin(self: Collector, trial: Trial, gap: Gap | None = None) -> Reading:
        if gap is None:
            read = replace(trial.read, at=self._clock.now())
            self._checkpoint.commit_read(read, [(read.window, 0)])
        return original(self, trial, gap)

    patch.setattr(Collector, "_begin", begin)


def partial_coverage_before_delivery(patch: pytest.MonkeyPatch) -> None:
    """What a page covers is committed before the page is delivered."""
    deliver = Collector._deliver

    def committed(self: Collector, page: Page, reading: Reading) -> None:
        if page.covered:
            self._checkpoint.commit_read(reading.read, [(page.covered, len(page.rows))])
        deliver(self, page, reading)

    patch.setattr(Collector, "_deliver", committed)


def any_order_believed(patch: pytest.MonkeyPatch) -> None:
    """The last row of a page counts as its oldest, in whatever order the rows come."""

    def observe(self: RowOrder, received: Sequence[int]) -> None:
        self.known, self.proven = Order.NEWEST_FIRST, True

    patch.setattr(RowOrder, "observe", observe)


def single_read_believed(patch: pytest.MonkeyPatch) -> None:
    """The first read of time that is old enough is the last one, too."""
    original = Coverage.completed

    def completed(self: Coverage, read: Read, rows: int, frequency: timedelta) -> Coverage:
        done = original(self, read, rows, frequency)
        return original(done, replace(read, final=True), rows, frequency)

    patch.setattr(Coverage, "completed", completed)


def skipped_time_taken_for_read(patch: pytest.MonkeyPatch) -> None:
    """Time between the live edge and a read that begins beyond it counts as final, not as backlog."""

    def passed_over(self: Coverage, end: datetime) -> Coverage:
        return replace(self, live=max(self.live, end))

    patch.setattr(Coverage, "with_left_behind", passed_over)


def newest_page_taken_for_the_sweep(patch: pytest.MonkeyPatch) -> None:
    """Time counts as read again as far back as the sweep should have come, after its first page."""

    def commit_covered(self: Collector, reading: Reading) -> bool:
        if reading.read.kind is Kind.REREAD and not reading.read.final:
            reading.pages = iter(())
        return False

    patch.setattr(Collector, "_commit_covered", commit_covered)


def keyset_believed(patch: pytest.MonkeyPatch) -> None:
    """Next links of Graph are followed, though they skip rows of one time and recipient."""
    patch.setattr(
        GraphClient, "walk", lambda self, window, pages: ByLinks(window, self._size, pages)
    )


def no_paging(patch: pytest.MonkeyPatch) -> None:
    """What the next link leads to is never used."""
    original = ODataClient.pages

    def pages(self: ODataClient, window: Window, *options: Any, **named: Any) -> Pages:
        for page in original(self, window, *options, **named):
            yield page
            if isinstance(page, Page):
                return

    patch.setattr(ODataClient, "pages", pages)


def empty_page_taken_for_the_end(patch: pytest.MonkeyPatch) -> None:
    """A page without rows ends the window, though it has a next link."""
    original = ODataClient.pages

    def pages(self: ODataClient, window: Window, *options: Any, **named: Any) -> Pages:
        for page in original(self, window, *options, **named):
            yield page
            if isinstance(page, Page) and not page.rows:
                return

    patch.setattr(ODataClient, "pages", pages)


def next_link_decoded(patch: pytest.MonkeyPatch) -> None:
    """The next link is taken for text, not for an address."""
    original = odata.resolved

    def decoded(url: str, following: str) -> str:
        return unquote(original(url, following)).replace(" ", "%20")

    patch.setattr(odata, "resolved", decoded)


def next_link_followed_anywhere(patch: pytest.MonkeyPatch) -> None:
    """The token goes to whatever host the next link names."""
    patch.setattr(ODataClient, "_is_ours", lambda self, url: True)


def trace_id_alone_as_key(patch: pytest.MonkeyPatch) -> None:
    """All recipients of a message, and all of its statuses, count as one row."""

    def name(self: Row) -> bytes:
        return f"{self.received} {self.trace_id}".encode()

    patch.setattr(Row, "key", property(name))
    patch.setattr(Row, "content", property(name))


def status_left_out_of_the_key(patch: pytest.MonkeyPatch) -> None:
    """A row of Graph that changed its status counts as known."""
    original = Row.content.fget  # type: ignore[attr-defined]

    def content(self: Row) -> bytes:
        of_graph = (
            isinstance(self.source, UsualPage | DecodedRow) and self.source.form is GRAPH_ROWS
        )
        return self.key if of_graph else original(self)

    patch.setattr(Row, "content", property(content))


def missing_principal_taken_for_a_fault(patch: pytest.MonkeyPatch) -> None:
    """What only an administrator of the tenant can mend is tried again like a fault that passes."""
    original = GraphClient.refusal

    def refusal(self: GraphClient, failure: Failure) -> MessageTraceError | None:
        if FIRST_PARTY_APP in failure.text:
            return Unavailable("a fault on its side", failure.detail)
        return original(self, failure)

    patch.setattr(GraphClient, "refusal", refusal)


def budget_forgotten_at_a_restart(patch: pytest.MonkeyPatch) -> None:
    """A new process does not know what the one before it spent."""
    patch.setattr(RequestBudget, "_restored", lambda self, storage: (self._most, []))


def throttling_teaches_nothing(patch: pytest.MonkeyPatch) -> None:
    """After a 429 as many requests are made as before."""
    patch.setattr(RequestBudget, "throttled", lambda self: None)


def no_reread(patch: pytest.MonkeyPatch) -> None:
    """Mail is not read again before its last read."""
    patch.setattr(Sweeps, "due", lambda self, span, read_at, now: iter(()))


def no_record(patch: pytest.MonkeyPatch) -> None:
    """What the intake accepted is not written down."""
    patch.setattr(Ledger, "record", lambda self, accepted: None)


def swallowed_error(patch: pytest.MonkeyPatch) -> None:
    """A failure looks like the end of the pages."""
    original = ODataClient.pages

    def pages(self: ODataClient, window: Window, *options: Any, **named: Any) -> Pages:
        try:
            yield from original(self, window, *options, **named)
        except Unavailable:
            return

    patch.setattr(ODataClient, "pages", pages)


def unchecked_acknowledgement(patch: pytest.MonkeyPatch) -> None:
    """Whatever the intake answers, the batch counts as accepted."""

    def accepted(self: BatchPusher, answer: Answer, events: int) -> Verdict:
        return Verdict(0, (), "")

    patch.setattr(BatchPusher, "_judge", accepted)


def torn_record_kept(patch: pytest.MonkeyPatch) -> None:
    """Half a record at the end of a bucket shifts all that follow."""

    def bucket(self: _Bucket, parts: Iterable[bytes]) -> None:
        self._parts = list(parts)

    def records(self: _Bucket, keys: Container[int]) -> Iterator[tuple[int, int]]:
        blob = b"".join(self._parts)
        whole = len(blob) - len(blob) % FINGERPRINT_BYTES
        return struct.iter_unpack("=QQ", blob[:whole])

    patch.setattr(_Bucket, "__init__", bucket)
    patch.setattr(_Bucket, "records", records)


def bounds_taken_for_inside(patch: pytest.MonkeyPatch) -> None:
    """Nothing is asked for beyond the window, whose end the service may leave out."""
    patch.setattr(reporting, "_OVERLAP", timedelta(0))


def clock_of_the_machine_believed(patch: pytest.MonkeyPatch) -> None:
    """Answers tell no time, and what a clock ahead made the collector pass over stays passed over."""

    def unchanged(self: Coverage, *_: object) -> Coverage:
        return self

    patch.setattr(MicrosoftClock, "heard", lambda *_: None)
    patch.setattr(Coverage, "without_future", unchanged)


def error_beside_rows_overlooked(patch: pytest.MonkeyPatch) -> None:
    """A page counts, whatever error it carries; and it is believed at once."""
    single_read_believed(patch)
    patch.setattr(rows, "_carries_error", lambda body: False)


def bad_record_never_divided(patch: pytest.MonkeyPatch) -> None:
    """A window that fails is tried again as it is, for ever."""

    def failed(self: FailedWindows, trial: Trial, now: float) -> None:
        self.postpone(trial.read, now + 60)

    patch.setattr(FailedWindows, "failed", failed)


def large_message_taken_for_complete(patch: pytest.MonkeyPatch) -> None:
    """No message is asked for by its id."""
    patch.setattr(LargeMessages, "to_ask", lambda self, messages, final: [])


def hidden_history_unnoticed(patch: pytest.MonkeyPatch) -> None:
    """A service that shows nothing from before some day is believed."""
    patch.setattr(Coverage, "hidden", ())


def record_as_a_set(patch: pytest.MonkeyPatch) -> None:
    """What was ever sent of a row counts as known, not only what was sent last."""
    original = Ledger.unseen
    sent: dict[int, set[bytes]] = {}

    def unseen(self: Ledger, page: Iterable[Row]) -> Unseen:
        found = original(self, page)
        for fingerprint in sent.get(id(self), set()) & set(found):
            del found[fingerprint]
            found.changed.discard(fingerprint)
        return found

    def record(self: Ledger, accepted: Iterable[tuple[int, bytes]]) -> None:
        accepted = list(accepted)
        sent.setdefault(id(self), set()).update(fingerprint for _, fingerprint in accepted)
        recorded(self, accepted)

    recorded = Ledger.record
    patch.setattr(Ledger, "unseen", unseen)
    patch.setattr(Ledger, "record", record)


def refused_events_recorded(patch: pytest.MonkeyPatch) -> None:
    """What the intake refuses counts as accepted."""
    original = BatchPusher.push

    def push(self: BatchPusher, events: Iterable[Event]) -> Iterator[Delivery]:
        for each in original(self, events):
            yield Delivery([*each.accepted, *each.refused], [])

    patch.setattr(BatchPusher, "push", push)


def id_of_any_type(patch: pytest.MonkeyPatch) -> None:
    """Null in place of an id counts as one."""
    patch.setattr(intake_verdict, "_is_id", lambda value: True)


def no_fencing(patch: pytest.MonkeyPatch) -> None:
    """A process does not look whether another one has taken over."""
    patch.setattr(Ownership, "check", lambda self: None)
    patch.setattr(Ownership, "check_if_due", lambda self: None)


def one_state_for_all_tenants(patch: pytest.MonkeyPatch) -> None:
    """Another tenant goes on where the one before stopped."""
    original = world.find_place

    def place(storage: Any, base: str, identity: Any) -> Any:
        return original(storage, base, replace(identity, tenant="the same"))

    patch.setattr(world, "find_place", place)


def volatile_fields_count(patch: pytest.MonkeyPatch) -> None:
    """An annotation, or null in place of an empty text, makes a row new."""

    def content(self: RowFormat, fields: Fields) -> bytes:
        said = {name: value for name, value in fields.items() if name not in self.echo}
        return rows.codec.canonical(said)

    patch.setattr(RowFormat, "content", content)
    patch.setattr(RowFormat, "_usual_page", lambda self, body: None)


@dataclass(frozen=True)
class Mutation:
    """A safeguard turned off, the faults under which that matters, and the scenarios fit for it,
    which `adapt` may make to measure."""

    turn_off: Callable[[pytest.MonkeyPatch], None]
    faults: str
    service: str = "both"
    fit: Callable[[Scenario], bool] = lambda scenario: True
    adapt: Callable[[Scenario], Scenario] = lambda scenario: scenario


def _bounds_matter(scenario: Scenario) -> bool:
    exclusive = scenario.reporting.bounds == "()"
    return exclusive and scenario.whole_seconds and scenario.settings.lookback < 2


def _clock_far_ahead(scenario: Scenario) -> bool:
    ahead = max((offset for _, offset in scenario.clock_steps), default=0) / HOUR_MS
    return ahead > scenario.settings.lookback + 1


def _journal(scenario: Scenario) -> bool:
    falling = scenario.graph.order == "descending" and scenario.page_size <= 40
    return falling and scenario.mail.journal_fraction > 0


def _large_messages(scenario: Scenario) -> bool:
    shown = scenario.recipients_shown
    sizes = [each.recipients for each in scenario.mail.large_messages]
    return shown is not None and max(sizes, default=0) > shown


def _reverting(scenario: Scenario) -> bool:
    return scenario.mail.reverting_fraction > 0.1


def _volatile(scenario: Scenario) -> bool:
    return scenario.graph.etags or scenario.graph.to_ip == "turns"


def _events_refused(scenario: Scenario) -> bool:
    return scenario.poison_stays and scenario.poison_answer != "batch"


def _null_ids(scenario: Scenario) -> bool:
    return scenario.poison_stays and scenario.poison_answer == "null"


def _hidden(scenario: Scenario) -> bool:
    return scenario.history_rule == "hide"


def _with_long_backlog(scenario: Scenario) -> Scenario:
    """Six days of mail at first, of which the service shows two or three."""
    settings = replace(scenario.settings, start_time=144)
    return replace(scenario, settings=settings, predecessor_hours=None)


def _many_small_pages(scenario: Scenario) -> bool:
    return scenario.page_size == 10 and scenario.mail.messages_per_minute > 0.2


def _many_scattered_pages(scenario: Scenario) -> bool:
    return _many_small_pages(scenario) and scenario.graph.order == "scattered"


def _many_falling_pages(scenario: Scenario) -> bool:
    return _many_small_pages(scenario) and scenario.graph.order == "descending"


def _empty_pages(scenario: Scenario) -> bool:
    return scenario.graph.empty_pages in ("first", "every")


def _crowded(scenario: Scenario) -> bool:
    return _many_small_pages(scenario) and scenario.crowded


def _principal_missing(scenario: Scenario) -> bool:
    since = scenario.graph.principal_from
    return since is not None and since.timestamp() * 1000 > scenario.start_ms + 20 * MINUTE_MS


def _lying_often(scenario: Scenario) -> bool:
    return scenario.odds["lie"] >= 0.1


def _with_backlog(scenario: Scenario) -> Scenario:
    """A day of mail to read at first, each row once."""
    settings = replace(scenario.settings, start_time=24, lookback=0, frequency=600)
    return replace(scenario, settings=settings, predecessor_hours=None)


def _key_refused_in_backlog(scenario: Scenario) -> Scenario:
    begin = scenario.start_ms + 20_000
    end = begin + 12 * HOUR_MS
    spell = Spell("key refused", begin, end)
    kills = tuple(Kill(instant, "waiting", 0) for instant in range(begin, end, HOUR_MS // 2))
    return replace(_with_backlog(scenario), spells=(spell,), kills=kills, odds={})


def _without_failures(scenario: Scenario) -> Scenario:
    return replace(scenario, spells=(), odds={})


def _killed_in_backlog(scenario: Scenario) -> Scenario:
    instants = range(scenario.start_ms, scenario.start_ms + HOUR_MS, MINUTE_MS)
    kills = tuple(Kill(instant, "waiting", 0) for instant in instants)
    return replace(_with_backlog(scenario), kills=kills)


MUTATIONS = (
    Mutation(commit_before_push, "crashes"),
    Mutation(
        partial_coverage_before_delivery,
        "intake",
        "graph",
        _many_falling_pages,
        _key_refused_in_backlog,
    ),
    Mutation(any_order_believed, "microsoft", "graph", _many_scattered_pages, _without_failures),
    Mutation(no_paging, "none"),
    Mutation(empty_page_taken_for_the_end, "none", "graph", _empty_pages),
    Mutation(next_link_decoded, "none", "graph"),
    Mutation(next_link_followed_anywhere, "microsoft", "graph", _many_small_pages),
    Mutation(trace_id_alone_as_key, "none", "reporting"),
    Mutation(trace_id_alone_as_key, "none", "graph"),
    Mutation(status_left_out_of_the_key, "none", "graph"),
    Mutation(missing_principal_taken_for_a_fault, "credentials", "graph", _principal_missing),
    Mutation(
        budget_forgotten_at_a_restart, "crashes", "graph", _many_scattered_pages, _killed_in_backlog
    ),
    Mutation(throttling_teaches_nothing, "throttling", "graph", _crowded, _with_backlog),
    Mutation(no_reread, "none"),
    Mutation(skipped_time_taken_for_read, "microsoft"),
    Mutation(newest_page_taken_for_the_sweep, "crashes", fit=_many_small_pages),
    Mutation(no_record, "none"),
    Mutation(swallowed_error, "microsoft"),
    Mutation(unchecked_acknowledgement, "intake"),
    Mutation(torn_record_kept, "crashes"),
    Mutation(single_read_believed, "answers", fit=_lying_often, adapt=_with_backlog),
    Mutation(error_beside_rows_overlooked, "answers", adapt=_with_backlog),
    Mutation(keyset_believed, "rows", "graph", _journal),
    Mutation(bad_record_never_divided, "records"),
    Mutation(large_message_taken_for_complete, "rows", fit=_large_messages),
    Mutation(hidden_history_unnoticed, "history", fit=_hidden, adapt=_with_long_backlog),
    Mutation(record_as_a_set, "rows", fit=_reverting),
    Mutation(volatile_fields_count, "rows", "graph", _volatile),
    Mutation(refused_events_recorded, "intake", fit=_events_refused),
    Mutation(id_of_any_type, "intake", fit=_null_ids),
    Mutation(no_fencing, "owners"),
    Mutation(one_state_for_all_tenants, "tenants"),
    Mutation(bounds_taken_for_inside, "none", "reporting", _bounds_matter),
    Mutation(clock_of_the_machine_believed, "clock", fit=_clock_far_ahead),
)
