"""The loop against the sandbox, hours in seconds: nothing lost, nothing repeated, nothing hammered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import pytest

from office365_message_trace.collect import ledger as ledger_module
from office365_message_trace.collect.checkpoint_store import COPIES, CheckpointStore
from office365_message_trace.collect.coverage import Cause, Coverage, Gap, Kind, Policy
from office365_message_trace.collect.ledger import FINGERPRINT_BYTES, Ledger
from office365_message_trace.collect.monitor import Monitor, Monitors
from office365_message_trace.errors import Stopped, StorageFailed
from office365_message_trace.microsoft import reporting as reporting_module
from office365_message_trace.microsoft.auth import EntraAuth
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.first_answer import learn_time
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.microsoft.paced_http import microsoft_http
from office365_message_trace.microsoft.paging.walk import Ask
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.microsoft.request_budget import MOST_REQUESTS, PERIOD, RequestBudget
from office365_message_trace.microsoft.rows import Listing, ReportingRows
from office365_message_trace.model import MILLISECOND, Delivery, Event, Row, Window, instant
from office365_message_trace.monitoring.activity_log import ActivityLog
from office365_message_trace.sekoia.intake import BatchPusher
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS
from office365_message_trace.storage.base import Storage
from office365_message_trace.storage.folder import FolderStorage
from office365_message_trace.storage.wrappers import RetryingStorage, WrappedStorage
from office365_message_trace.transport import client as transport
from office365_message_trace.transport.client import RequestsHttp
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import TimeoutSession
from office365_message_trace.wiring import run_collector
from sandbox import (
    Answer,
    Drop,
    EntraError,
    Hang,
    MailFlowOptions,
    Report,
    Rule,
    Sandbox,
    delays,
    make_row,
)
from sandbox.intake import PoisonAnswer
from tests.integration.conftest import SCOPE
from tests.support import NOON, Logbook, TurnedClock

_T = TypeVar("_T")

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Timeline(TurnedClock):
    """A clock on which waiting takes no time, and what is on the agenda happens at its instant."""

    def __init__(self) -> None:
        super().__init__()
        self._agenda: list[tuple[datetime, Callable[[], None]]] = []

    def at(self, instant: datetime, action: Callable[[], None]) -> None:
        self._agenda.append((instant, action))
        self._agenda.sort(key=lambda entry: entry[0])

    def turn(self, by: timedelta) -> None:
        """Set the time of day; the ticks go on."""
        self._start += by

    def wait(self, seconds: float) -> None:
        while self._agenda and (gap := self._until(self._agenda[0][0])) <= seconds:
            _, action = self._agenda.pop(0)
            super().wait(gap)
            seconds -= gap
            action()
        super().wait(seconds)

    def wait_until(self, instant: datetime) -> None:
        while left := self._until(instant):
            self.wait(min(left, 5.0))

    def _until(self, instant: datetime) -> float:
        return max((instant - self.now()).total_seconds(), 0.0)


class Tally(Monitor):
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.events = self.not_taken = self.known = self.given_up = 0
        self.refusals: list[bool] = []
        self.bounds: list[float] = []
        self.lags: list[timedelta] = []

    def delivered(self, delivery: Delivery) -> None:
        self.events += len(delivery.accepted)
        self.not_taken += len(delivery.refused)

    def discarded(self, events: int) -> None:
        self.given_up += events

    def covered(self, coverage: Coverage, now: datetime) -> None:
        self.lags.append(now - coverage.live)

    def page(self, kind: Kind, rows: int, forwarded: list[Event], now: datetime) -> None:
        assert len(forwarded) <= rows
        self.known += rows - len(forwarded)

    def refused(self, kind: Kind, refused: bool) -> None:
        self.refusals.append(refused)

    def promised(self, bound: float) -> None:
        self.bounds.append(bound)


PLAIN = Policy(delay=5 * MINUTE, frequency=2 * MINUTE, lookback=timedelta(0))
ON_TIME = PLAIN.delay + PLAIN.frequency + MINUTE / 2


@dataclass
class Site:
    """A tenant, an intake, and what the process needs: each `collect` is a process of its own."""

    world: Sandbox
    clock: Timeline
    log: Logbook
    root: Path
    policy: Policy = PLAIN
    chunk_size: int = 1000
    granted: float = 25_920.0  # requests a day
    wrapped: Callable[[Storage], Storage] = lambda storage: storage
    client: type[ReportingClient] = ReportingClient

    def __post_init__(self) -> None:
        self.tally = Tally()

    def collect(
        self, until: datetime, start: datetime = NOON - HOUR, began: datetime | None = None
    ) -> None:
        """Run from the saved state, or at first from ``start``, to the stop at ``until``."""
        self.clock.at(until, stop)
        with pytest.raises(Stopped):
            self._run(start, began)

    def _run(self, start: datetime, began: datetime | None = None) -> None:
        storage = RetryingStorage(self.wrapped(FolderStorage(self.root)), self.clock, self.log)
        activity = ActivityLog(
            FolderStorage(self.root / "activity"), self.clock, self.policy, self.log
        )
        run_collector(
            self._source(storage),
            self._pusher(),
            storage,
            lambda: self.granted,
            self.policy,
            start + SECOND,  # a first start begins a second earlier than it is told
            self.clock,
            self.log,
            Monitors(self.tally, activity),
            began=began,
        )

    def _source(self, storage: Storage) -> ODataClient:
        who = self.world.identity
        auth = EntraAuth(
            self.world.url("entra"), who.tenant_id, who.client_id, who.client_secret, SCOPE
        )
        budget = RequestBudget(storage, self.clock, self.policy.frequency)
        http = microsoft_http(auth, budget)
        transport = Transport(http, "The service", self.clock, self.log, credentials=auth)
        return self.client(self.world.url("reporting"), transport, self.clock, self.log)

    def _pusher(self) -> BatchPusher:
        transport = Transport(RequestsHttp(TimeoutSession()), "The intake", self.clock, self.log)
        return BatchPusher(
            self.world.url("intake"),
            self.world.identity.intake_key,
            self.chunk_size,
            transport,
            self.clock,
            self.log,
            INTAKE_FORMATS["reporting"],
        )

    @property
    def saved(self) -> Coverage:
        """The coverage as a restart would find it."""
        coverage = CheckpointStore(FolderStorage(self.root), self.log).load()
        assert coverage is not None
        return coverage

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(text) for text in self.world.intake.events]

    def report(self, start: datetime, end: datetime) -> Report:
        """What the API showed up to now of that time, against what the intake accepted."""
        return self.world.check(start, end, self.clock.now(), lookback=self.policy.lookback)

    def requests(self, service: str) -> list[timedelta]:
        """When ``service`` was asked, from `NOON` on."""
        return [entry.at - NOON for entry in self.world.request_log.entries(service)]


def stop() -> None:
    raise Stopped


@dataclass
class BadRecord(Rule):
    """A fault of every request whose target it ``hits``."""

    times: int | None = None
    hits: Callable[[str], bool] = lambda target: True

    def concerns(self, service: str, method: str, target: str) -> bool:
        return super().concerns(service, method, target) and self.hits(target)


def asks_for(moment: datetime) -> Callable[[str], bool]:
    """Tells the requests whose window has ``moment``."""

    def hits(target: str) -> bool:
        bounds = re.findall(r"datetime'([^']+)'", unquote(target))
        return datetime.fromisoformat(bounds[0]) <= moment <= datetime.fromisoformat(bounds[1])

    return hits


def busiest(instants: Iterable[timedelta], span: timedelta) -> int:
    """The most of ``instants`` within any ``span``."""
    moments = sorted(instants)
    return max(sum(a <= b < a + span for b in moments) for a in moments)


def received(event: str) -> datetime:
    """The receive time of an event."""
    return instant(int(re.findall(r"Date\((\d+)", event)[0]))


def punctual(per_minute: float, since: datetime, until: datetime) -> MailFlowOptions:
    """Mail that shows within three minutes and never changes."""
    return MailFlowOptions(
        messages_per_minute=per_minute,
        since=since,
        until=until,
        late_fraction=0,
        changing_fraction=0,
        slow_fraction=0,
    )


STEADY = punctual(2, NOON - HOUR, NOON + 20 * MINUTE)
steady = pytest.mark.parametrize("mail", [STEADY], ids=["steady"])


@pytest.fixture
def clock() -> Timeline:
    return Timeline()


@pytest.fixture
def site(world: Sandbox, clock: Timeline, log: Logbook, tmp_path: Path) -> Site:
    return Site(world, clock, log, tmp_path)


# Everything, once


@steady
def test_a_first_start_delivers_every_row_once(site: Site, mail: MailFlowOptions) -> None:
    site.world.reporting.options.page_size = 50
    site.collect(until=NOON + HOUR)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert report.rows > 200
    assert (site.tally.events, site.tally.not_taken) == (report.rows, 0)
    assert site.saved.gaps == ()
    assert site.saved.backlog == ()
    assert site.tally.lags[-1] <= ON_TIME
    assert site.log.texts("warning", "error", "critical") == []


@pytest.mark.parametrize(
    "mail",
    [
        MailFlowOptions(
            messages_per_minute=2,
            since=NOON,
            until=NOON + 2 * HOUR,
            late_fraction=0.2,
            late_between=(6 * MINUTE, 2.5 * HOUR),
            changing_fraction=0.3,
            slow_fraction=0.1,
            slow_within=2.5 * HOUR,
        )
    ],
    ids=["late and changing"],
)
def test_late_and_changed_rows_arrive_within_three_times_their_lateness(
    site: Site, mail: MailFlowOptions
) -> None:
    site.policy = Policy(5 * MINUTE, 5 * MINUTE, 3 * HOUR)
    site.collect(until=NOON + 7 * HOUR, start=NOON)
    report = site.report(NOON, NOON + 2 * HOUR)
    assert report.ok, str(report)
    assert report.versions > report.rows + 100
    versions = site.world.tenant.versions(NOON, NOON + 2 * HOUR, site.clock.now())
    arrivals = [(each.event, each.arrived) for each in site.world.intake.accepted]
    measured = [(v.visible_at - v.received, delay) for v, delay in delays(versions, arrivals)]
    assert sum(shown > 10 * MINUTE for shown, _ in measured) > 50
    for shown, delay in measured:
        if shown <= site.policy.delay:
            assert delay <= site.policy.delay + site.policy.frequency + SECOND
        else:
            assert delay <= 1.25 * shown + 2 * site.policy.frequency


def test_a_change_of_status_is_an_event_of_its_own(site: Site) -> None:
    received = NOON + 10 * MINUTE
    life = ((received, "GettingStatus"), (received + 8 * MINUTE, "Delivered"))
    site.world.tenant.add(make_row(received, statuses=life), make_row(received + SECOND))
    site.policy = replace(site.policy, lookback=HOUR / 2)
    site.collect(until=NOON + HOUR)
    assert sorted(event["Status"] for event in site.events) == [
        "Delivered",
        "Delivered",
        "GettingStatus",
    ]


def test_without_a_look_back_everything_is_read_twice_within_an_hour(site: Site) -> None:
    """The second time half an hour after the first: no single read is believed."""
    late = make_row(NOON + 10 * MINUTE, visible_at=NOON + 40 * MINUTE)
    too_late = make_row(NOON + 11 * MINUTE, visible_at=NOON + 75 * MINUTE)
    site.world.tenant.add(late, too_late, make_row(NOON + 20 * MINUTE))
    site.collect(until=NOON + 3 * HOUR)
    assert len(site.events) == 2
    assert busiest(site.requests("reporting"), 10 * MINUTE) <= 10
    (said,) = site.log.texts("warning")
    assert "Raise lookback" in said


def test_what_nothing_reads_again_is_forgotten(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_FOR", 1.25 * HOUR)
    site.world.tenant.add(*(make_row(NOON + n * HOUR / 4) for n in range(16)))
    site.collect(until=NOON + 4.5 * HOUR)
    assert len(site.events) == 16
    known = Ledger(FolderStorage(site.root)).buckets
    assert NOON + 2 * HOUR <= known[0].start <= NOON + 3 * HOUR
    assert len(known) < 8


def test_a_row_with_the_zero_date_of_net_is_forwarded_and_does_no_harm(site: Site) -> None:
    zero = {"Received": "/Date(-62135596800000)/", "MessageTraceId": "0", "Subject": "no date"}
    body = json.dumps({"d": {"results": [zero]}}).encode()
    site.world.faults.add(Rule(Answer(200, body), "reporting"))
    site.world.tenant.add(make_row(NOON + 30 * MINUTE))
    site.collect(until=NOON + HOUR)
    assert [event["Subject"] for event in site.events] == ["no date", "By hand"]


@pytest.mark.parametrize(
    "mail", [punctual(5, NOON - 16 * HOUR, NOON + HOUR / 2)], ids=["more than the budget"]
)
def test_a_backlog_keeps_to_the_request_budget_and_leaves_room_for_fresh_mail(
    site: Site, mail: MailFlowOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReportingClient, "page_size", 40)
    site.world.reporting.options.page_size = 40
    site.collect(until=NOON + HOUR, start=NOON - 16 * HOUR)
    report = site.report(NOON - 16 * HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert "budget is used up" in "".join(site.log.texts("info"))
    assert busiest(site.requests("reporting"), timedelta(seconds=PERIOD)) <= MOST_REQUESTS
    fresh = site.world.tenant.versions(NOON, NOON + HOUR, site.clock.now())
    arrivals = [(each.event, each.arrived) for each in site.world.intake.accepted]
    assert max(delay for _, delay in delays(fresh, arrivals)) <= ON_TIME


# Refused


@dataclass(frozen=True)
class Trouble:
    """What a person has to mend, how the module puts it, and who is asked whether it is mended."""

    begin: Callable[[Sandbox], None]
    mend: Callable[[Sandbox], None]
    levels: list[str]
    words: str
    asked: str


CALM = ["error"] * 6
URGENT = ["error"] * 3 + ["critical"] * 3
"""The platform stops a trigger that logs the second, so some probes in a row come first."""

TROUBLES = {
    "role missing": Trouble(
        lambda world: world.app.directory_roles.clear(),
        lambda world: world.app.directory_roles.add("reader"),
        CALM,
        "Roles and administrators",
        "reporting",
    ),
    "service not there": Trouble(
        lambda world: setattr(world.reporting.options, "retired", "404"),
        lambda world: setattr(world.reporting.options, "retired", "no"),
        CALM,
        "Office 365 Message Trace (Graph API)",
        "reporting",
    ),
    "secret expired": Trouble(
        lambda world: setattr(world.entra, "forced", EntraError(7000222)),
        lambda world: setattr(world.entra, "forced", None),
        URGENT,
        "client secret has expired",
        "entra",
    ),
    "application disabled": Trouble(
        lambda world: setattr(world.entra, "forced", EntraError(7000112)),
        lambda world: setattr(world.entra, "forced", None),
        CALM,
        "disabled in this tenant",
        "entra",
    ),
    "intake key refused": Trouble(
        lambda world: world.intake.keys.clear(),
        lambda world: world.intake.keys.add(world.identity.intake_key),
        URGENT,
        "intake_key",
        "intake",
    ),
}
disturbances = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)


@pytest.mark.parametrize(
    "mail", [punctual(2, NOON - HOUR, NOON + HOUR / 2)], ids=["as long as it is refused"]
)
@disturbances
def test_a_refusal_is_said_held_probed_slowly_and_over_by_itself(
    site: Site, mail: MailFlowOptions, trouble: Trouble
) -> None:
    trouble.begin(site.world)
    mended = NOON + 35 * MINUTE
    site.clock.at(mended, lambda: trouble.mend(site.world))
    site.collect(until=NOON + 35 * MINUTE - SECOND)
    probes = [round(at / MINUTE) for at in site.requests(trouble.asked)]
    assert sorted(set(probes)) == [0, 1, 4, 13, 23, 33]
    all_of_them = [entry.at - NOON for entry in site.world.request_log.entries()]
    assert busiest(all_of_them, 10 * MINUTE) <= 15
    assert site.events == []
    said = [(level, text) for level, text in site.log.lines if level in ("error", "critical")]
    assert [level for level, _ in said] == trouble.levels
    assert all(trouble.words in text for _, text in said)

    site.collect(until=NOON + HOUR)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)


@pytest.mark.parametrize("answer", ["batch", "null", "short", "status"])
def test_an_event_that_the_intake_refuses_for_some_minutes_is_delivered(
    site: Site, answer: PoisonAnswer
) -> None:
    site.policy = replace(PLAIN, lookback=HOUR)
    for minute in range(30):
        subject = "poison" if minute == 3 else "good"
        site.world.tenant.add(make_row(NOON + minute * MINUTE, Subject=subject))
    options = site.world.intake.options
    options.poison, options.poison_answer = "poison", answer
    options.poison_until = NOON + 12 * MINUTE
    site.collect(until=NOON + 2 * HOUR)
    report = site.report(NOON, NOON + HOUR)
    assert report.rows == 30
    assert report.missing_rows == []
    assert len(report.repeated) <= (answer == "short"), "its neighbour, where nothing else can tell"
    assert site.tally.not_taken >= 1
    assert set(site.tally.refusals) <= {False}, "nothing was held for it"


def test_an_event_that_is_always_refused_is_tried_with_each_read_and_holds_nothing(
    site: Site,
) -> None:
    site.policy = replace(PLAIN, lookback=HOUR)
    for minute in range(30):
        subject = "poison" if minute == 3 else "good"
        site.world.tenant.add(make_row(NOON + minute * MINUTE, Subject=subject))
    site.world.intake.options.poison = "poison"
    site.collect(until=NOON + 2 * HOUR)
    assert len(site.events) == 29
    assert site.tally.not_taken >= 4
    assert site.tally.given_up == 0, "its time is not final yet"
    assert site.saved.live >= NOON + 110 * MINUTE


@pytest.mark.parametrize("minute", range(100, 132, 8))
def test_no_event_is_given_up_after_a_single_refusal(site: Site, minute: int) -> None:
    site.policy = replace(PLAIN, lookback=HOUR)
    site.world.tenant.add(make_row(NOON - 30 * MINUTE, Subject="poison that stays"))
    site.world.tenant.add(*(make_row(NOON + n * MINUTE) for n in range(200)))
    shown = NOON - 30 * MINUTE + minute * MINUTE
    passing = make_row(NOON - 29 * MINUTE, Subject="poison that passes")
    options = site.world.intake.options
    options.poison = "poison"
    site.clock.at(shown, lambda: site.world.tenant.add(passing))
    site.clock.at(shown + 10 * MINUTE, lambda: setattr(options, "poison", "poison that stays"))
    site.collect(until=NOON + 4 * HOUR)
    assert site.tally.given_up == 1, "the other one was accepted, or was shown after the last read"
    assert len(site.saved.gaps) == 1


@pytest.mark.parametrize("trace_id", ["half \ud800", "\x1b[2J\nforged", "x" * 5000], ids=range(3))
def test_a_trace_id_that_is_none_is_not_logged(site: Site, trace_id: str) -> None:
    site.world.tenant.add(
        make_row(NOON - 20 * MINUTE, Subject="poison", MessageTraceId=trace_id),
        make_row(NOON - 10 * MINUTE),
    )
    site.world.intake.options.poison = "poison"
    site.collect(until=NOON + 6 * HOUR)
    assert len(site.events) == 1
    left_out = [text for text in site.log.texts("error") if "does not accept one event" in text]
    assert left_out
    assert all(text.endswith("trace id: none that can be shown") for text in left_out)
    assert {gap.cause for gap in site.saved.gaps} == {Cause.REFUSED}


def test_reading_nothing_does_not_end_a_refusal_of_the_intake(site: Site) -> None:
    site.world.tenant.add(make_row(NOON - 40 * MINUTE))
    site.world.intake.keys.clear()
    site.collect(until=NOON + 40 * MINUTE)
    assert "Collecting again." not in site.log.texts()
    assert len(site.log.texts("error")) == 3
    assert len(site.log.texts("critical")) == 3
    assert busiest(site.requests("intake"), 10 * MINUTE) <= 5
    assert busiest(site.requests("reporting"), 10 * MINUTE) <= 10


@steady
@disturbances
def test_a_mended_refusal_ends_at_the_next_probe(
    site: Site, mail: MailFlowOptions, trouble: Trouble
) -> None:
    site.clock.at(NOON + 10 * MINUTE + SECOND, lambda: trouble.begin(site.world))
    site.clock.at(NOON + 20 * MINUTE, lambda: trouble.mend(site.world))
    site.world.entra.token_lifetime = timedelta(minutes=10)  # so that Entra's refusals are felt
    site.clock.at(NOON + 10 * MINUTE + SECOND, site.world.entra.revoke_all)
    site.collect(until=NOON + HOUR)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert site.log.texts("info").count("Collecting again.") == 1
    arrivals = [each.arrived for each in site.world.intake.accepted if each.arrived > NOON]
    longest = max(later - earlier for earlier, later in pairwise(arrivals))
    assert longest <= 20 * MINUTE


# What cannot be had


def test_history_that_the_service_does_not_keep_is_declared_as_a_gap(site: Site) -> None:
    kept = datetime(2026, 6, 5, tzinfo=UTC)
    instants = [NOON - 30 * DAY + n * 4 * HOUR for n in range(180)]
    site.world.tenant.add(*(make_row(instant) for instant in instants))
    site.collect(until=NOON + HOUR, start=NOON - 30 * DAY)
    assert site.saved.gaps == (Gap(Window(NOON - 30 * DAY, kept), Cause.TOO_OLD),)
    received = {event["MessageTraceId"] for event in site.events}
    expected = {make_row(each).content["MessageTraceId"] for each in instants if each >= kept}
    assert received == expected
    assert len(site.events) == len(expected)
    (line,) = site.log.texts("error")
    assert "2026-06-05 00:00 UTC" in line
    assert "gap" in line
    assert len(site.requests("reporting")) < 90, "a quiet month is a handful of requests"
    site.clock.waits.clear()
    site.collect(until=NOON + 3 * HOUR)
    assert len(site.clock.waits) < 2 * HOUR / SECOND, "the loop does not turn without a pause"


@pytest.mark.parametrize("status", [400, 500])
def test_an_outage_longer_than_the_history_is_a_gap_and_fresh_mail_goes_on(
    site: Site, status: int
) -> None:
    site.world.reporting.options.history_status = status
    site.world.tenant.add(make_row(NOON - MINUTE))
    site.collect(until=NOON + HOUR)
    read_up_to = site.saved.live
    back = NOON + 20 * DAY
    kept = datetime(2026, 6, 25, tzinfo=UTC)
    times = (kept + HOUR, back - HOUR, back + 10 * MINUTE)
    site.world.tenant.add(*map(make_row, times))
    site.clock.wait((back - site.clock.now()).total_seconds())
    site.collect(until=back + HOUR)
    assert len(site.events) == 4
    lost = Window(read_up_to, kept)
    assert site.saved.gaps == (Gap(lost, Cause.TOO_OLD),)


@steady
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"refuse_above_rows": 20}, id="refused as too large"),
        pytest.param({"refuse_above_rows": 20, "refuse_status": 500}, id="refused with 500"),
        pytest.param({"truncate": True, "page_size": 20}, id="truncated"),
        pytest.param({"page_size": 20, "wall_token": 59}, id="token wall"),
        pytest.param({"page_size": 8}, id="more pages than are good"),
    ],
)
def test_a_window_that_is_too_large_is_read_in_smaller_ones(
    site: Site, mail: MailFlowOptions, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReportingClient, "page_size", 20)
    monkeypatch.setattr(reporting_module, "TOKEN_WALL", 59)
    for name, value in options.items():
        setattr(site.world.reporting.options, name, value)
    site.collect(until=NOON + 40 * MINUTE)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert site.saved.gaps == ()
    assert site.log.texts("error", "critical") == []


@pytest.mark.parametrize(
    "mail", [punctual(10, NOON - 5 * HOUR, NOON - HOUR / 2)], ids=["many pages"]
)
@pytest.mark.parametrize("known", [200, 2000], ids=["known page size", "smaller than documented"])
@pytest.mark.parametrize("order", ["descending", "ascending"])
def test_windows_mostly_fit_one_page_so_that_links_which_are_refused_cost_little(
    site: Site, mail: MailFlowOptions, order: str, known: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links are positions, and no order is documented: of an unfinished window nothing counts."""
    monkeypatch.setattr(ReportingClient, "page_size", known)
    site.policy = replace(site.policy, lookback=HOUR)
    site.world.reporting.options.page_size = 200
    site.world.reporting.options.order = order  # type: ignore[assignment]
    refused = Rule(Answer(400, b"{}"), "reporting", path="skiptoken=", times=None)
    site.world.faults.add(refused)
    site.collect(until=NOON + HOUR, start=NOON - 5 * HOUR)
    report = site.report(NOON - 5 * HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert site.saved.gaps == ()
    live = HOUR / site.policy.frequency
    assert len(site.requests("reporting")) < 13 * report.rows / 200 + live
    assert refused.struck < len(site.requests("reporting")) / 4


@steady
def test_links_that_lead_elsewhere_lose_nothing(
    site: Site, mail: MailFlowOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a gateway whose upstream writes its own host into links."""
    ours = ReportingRows.listing

    def foreign(self: ReportingRows, body: Any) -> Listing | None:
        page = ours(self, body)
        return page and Listing(page.rows, page.following and "https://upstream.example/next")

    monkeypatch.setattr(ReportingRows, "listing", foreign)
    site.world.reporting.options.page_size = 10
    site.collect(until=NOON + 2 * HOUR)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)


CROWDED = NOON - 30 * MINUTE


def crowd(site: Site, recipients: int) -> int:
    """One message to so many in one millisecond, and some mail around it; how many rows it is."""
    to = [make_row(CROWDED, RecipientAddress=f"r{n}@contoso.example") for n in range(recipients)]
    others = [make_row(CROWDED + n * SECOND) for n in range(-9, 10) if n]
    site.world.tenant.add(*to, *others)
    return len(to) + len(others)


@pytest.fixture
def small_pages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service as it is, with a hundredth of the rows on a page."""
    monkeypatch.setattr(ReportingClient, "page_size", 20)
    monkeypatch.setattr(ReportingClient, "many_recipients", 10)
    site.world.reporting.options.page_size = 20


@pytest.mark.parametrize("recipients", [10, 19, 20, 21, 40, 75])
@pytest.mark.parametrize("truncate", [False, True], ids=["with links", "without links"])
@pytest.mark.usefixtures("small_pages")
def test_a_message_to_very_many_in_one_millisecond_is_complete_and_no_gap(
    site: Site, recipients: int, truncate: bool
) -> None:
    """A full page is not cut because it is full; without a link, what is beyond is asked for."""
    site.world.reporting.options.truncate = truncate
    rows = crowd(site, recipients)
    site.collect(until=NOON + HOUR)
    assert len(site.events) == rows
    assert site.saved.gaps == ()
    assert site.log.texts("warning", "error", "critical") == []
    assert len(site.requests("reporting")) < 300


@pytest.mark.usefixtures("small_pages")
def test_a_millisecond_that_the_service_cannot_give_is_a_small_gap_until_it_can(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_FOR", HOUR)
    site.world.reporting.options.truncate = True
    site.world.faults.add(Rule(Answer(400, b"{}"), "reporting", path="skiptoken", times=None))
    rows = crowd(site, 25)
    site.collect(until=NOON + 20 * MINUTE)
    (gap,) = site.saved.gaps
    assert gap.cause is Cause.INCOMPLETE, "the first page can be read"
    assert gap.window.start <= CROWDED <= gap.window.end
    assert gap.window.span <= 5 * MILLISECOND
    assert len(site.events) == rows - 5
    lines = site.log.texts("error")
    assert len(lines) <= 4
    assert all("declared as a gap" in line for line in lines)
    site.collect(until=NOON + 7 * HOUR)
    assert len(site.events) == rows - 5, "nothing is repeated, however often it is tried"
    site.world.faults.clear()
    site.collect(until=NOON + 10 * HOUR)
    assert site.saved.gaps == ()
    assert len(site.events) == rows
    assert any("can be read after all" in text for text in site.log.texts("info"))


@pytest.mark.parametrize("status", [500, 504, 400])
def test_of_a_bad_record_only_its_millisecond_is_withheld_and_found_again_once_it_is_repaired(
    site: Site, status: int
) -> None:
    """Every window that holds it fails, all others succeed."""
    site.policy = replace(site.policy, lookback=HOUR)
    site.world.tenant.add(*(make_row(NOON + n * MINUTE / 4) for n in range(240)))
    bad = NOON + 20 * MINUTE + MINUTE / 4
    record = site.world.faults.add(
        BadRecord(Answer(status, b"{}"), "reporting", hits=asks_for(bad))
    )
    site.collect(until=NOON + 4 * HOUR)
    assert len(site.events) == 239
    (gap,) = site.saved.gaps
    assert gap.cause is Cause.UNREADABLE
    assert gap.window.start - SECOND <= bad <= gap.window.end + SECOND
    assert gap.window.span <= 3 * SECOND, "bounds overlap by up to a second"
    assert site.saved.oldest >= NOON + 2 * HOUR, "nothing waits for it"
    assert record.struck < 200
    site.world.faults.clear()
    site.collect(until=NOON + 8 * HOUR)
    assert len(site.events) == 240
    assert site.saved.gaps == ()


@pytest.mark.parametrize("status", [500, 504])
def test_a_bad_record_is_found_as_well_where_all_mail_is_read_when_it_is_old(
    site: Site, status: int
) -> None:
    """Then no other window of the past shows that the service is well, but live ones do."""
    site.policy = replace(site.policy, delay=12 * HOUR, frequency=10 * MINUTE)
    site.world.tenant.add(*(make_row(NOON + n * MINUTE) for n in range(60)))
    bad = NOON + 20 * MINUTE
    site.world.faults.add(BadRecord(Answer(status, b"{}"), "reporting", hits=asks_for(bad)))
    site.collect(until=NOON + 14 * HOUR, start=NOON)
    assert len(site.events) == 59


def test_history_that_is_hidden_without_an_error_is_declared(site: Site) -> None:
    site.world.reporting.options.history_rule = "hide"
    site.world.tenant.add(*(make_row(NOON - n * 6 * HOUR) for n in range(1, 120)))
    site.collect(until=NOON + 2 * HOUR, start=NOON - 30 * DAY)
    assert len(site.events) == 42
    (gap,) = site.saved.gaps
    assert gap.cause is Cause.HIDDEN
    assert gap.window.start == NOON - 30 * DAY
    assert abs(gap.window.end - datetime(2026, 6, 5, tzinfo=UTC)) <= 6 * HOUR
    (line,) = site.log.texts("error")
    assert "shows no rows from before" in line
    site.world.reporting.options.history_days = None
    site.collect(until=NOON + 8 * HOUR)
    assert len(site.events) == 119
    assert site.saved.gaps == ()


def test_a_tenant_without_mail_over_a_long_weekend_hides_nothing(site: Site) -> None:
    site.world.tenant.add(*(make_row(NOON - n * HOUR) for n in range(1, 40)))
    site.collect(until=NOON + HOUR, start=NOON - 4.5 * DAY)
    assert site.saved.gaps == ()


TOO_OLD = b"Invalid StartDate value. The StartDate can't be older than %d days from today."


@pytest.mark.parametrize(
    ("status", "days"),
    [*((400, days) for days in (0, 1, 10, 30, 4000)), *((other, 10) for other in (500, 503, 200))],
)
def test_words_about_the_history_that_come_once_give_nothing_up(
    site: Site, days: int, status: int
) -> None:
    site.world.reporting.options.history_days = None
    site.world.tenant.add(*(make_row(NOON - n * 6 * HOUR) for n in range(1, 120)))
    once = site.world.faults.add(Rule(Answer(status, TOO_OLD % days), "reporting", nth=2))
    site.collect(until=NOON + 4 * HOUR, start=NOON - 29 * DAY)
    assert once.struck == 1
    assert len(site.events) == 116
    assert site.saved.gaps == ()


def test_words_about_the_history_that_come_for_fresh_mail_hold_it_up_for_a_minute(
    site: Site,
) -> None:
    site.world.tenant.add(*(make_row(NOON + n * MINUTE) for n in range(60)))
    between = (NOON + 20 * MINUTE, NOON + 26 * MINUTE)
    rule = Rule(Answer(500, TOO_OLD % 30), "reporting", between=between, times=None)
    site.world.faults.add(rule)
    site.collect(until=NOON + 2 * HOUR)
    assert rule.struck >= 3
    assert len(site.events) == 60
    assert site.saved.gaps == ()


# What passes by itself


@pytest.mark.parametrize("mail", [punctual(0.5, NOON - 20 * HOUR, NOON + HOUR)], ids=["a day"])
@pytest.mark.parametrize("status", [503, 429, 200], ids=["503", "429", "HTML"])
def test_a_window_of_the_past_that_fails_does_not_hold_up_fresh_mail(
    site: Site, mail: MailFlowOptions, status: int
) -> None:
    bad = Rule(Answer(status, b"<html>"), "reporting", path="datetime'2026-06-14", times=None)
    site.world.faults.add(bad)
    site.clock.at(NOON + HOUR, lambda: site.world.faults.remove(bad))
    site.collect(until=NOON + 1.5 * HOUR, start=NOON - 20 * HOUR)
    report = site.report(NOON - 20 * HOUR, NOON + HOUR)
    assert report.ok, str(report)
    fresh = site.world.tenant.versions(NOON, NOON + HOUR, site.clock.now())
    arrivals = [(each.event, each.arrived) for each in site.world.intake.accepted]
    assert max(delay for _, delay in delays(fresh, arrivals)) <= ON_TIME
    assert 4 < bad.struck < 80, "it is tried now and then"
    assert len(site.clock.waits) < 1.5 * HOUR / SECOND, "the loop does not turn without a pause"


@pytest.mark.parametrize("mail", [punctual(0.5, NOON - 20 * HOUR, NOON + HOUR)], ids=["a day"])
def test_a_hanging_answer_for_the_past_does_not_hold_up_fresh_mail(
    site: Site, mail: MailFlowOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PATIENCE", 0.05)
    hanging = Rule(Hang(2.0), "reporting", path="datetime'2026-06-14", times=2)
    site.world.faults.add(hanging)
    site.collect(until=NOON + HOUR, start=NOON - 20 * HOUR)
    report = site.report(NOON - 20 * HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert hanging.struck == 2


@steady
def test_an_outage_of_the_service_is_waited_out(site: Site, mail: MailFlowOptions) -> None:
    away = Rule(Answer(503), "reporting", between=(NOON, NOON + 3 * HOUR), times=None)
    site.world.faults.add(away)
    site.collect(until=NOON + 4 * HOUR)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert busiest(site.requests("reporting"), HOUR) <= 130
    assert len(site.log.texts("warning")) <= 3 * 60 + 2
    assert site.log.texts("error", "critical") == []


@steady
def test_an_outage_of_the_intake_is_waited_out(site: Site, mail: MailFlowOptions) -> None:
    away = Rule(Answer(503), "intake", between=(NOON, NOON + 3 * HOUR), times=None)
    site.world.faults.add(away)
    site.collect(until=NOON + 4 * HOUR)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert report.repeated == []
    assert site.log.texts("critical") == []
    assert {text.partition(" (")[0] for text in site.log.texts("error")} <= {
        "The Sekoia.io intake does not answer as it should"
    }


# Storage


class Flaky(WrappedStorage):
    """A storage whose every call fails ``times`` times before it works; at first, without effect."""

    def __init__(self, storage: Storage, times: int) -> None:
        super().__init__(storage)
        self._times = times
        self._left = times

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        if self._left > 0:
            self._storage.extend(name, known, added[: len(added) // 2 + 1])
        super().extend(name, known, added)

    def _access(self, action: Callable[[], _T], writes: int = 0) -> _T:
        self._left -= 1
        if self._left >= 0:
            raise StorageFailed("The disk is full.", "errno 28")
        self._left = self._times
        return action()


@steady
def test_failures_of_the_storage_are_said_and_waited_out(site: Site, mail: MailFlowOptions) -> None:
    site.wrapped = lambda storage: Flaky(storage, times=2)
    site.collect(until=NOON + 40 * MINUTE)
    site.collect(until=NOON + HOUR)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)
    said = site.log.texts("error")
    assert said
    assert set(said) == {"The disk is full. [errno 28]"}
    assert set(site.log.texts()) - set(site.log.texts("info")) == set(said)


def test_a_storage_that_stays_broken_moves_nothing_and_ends_with_a_stop(site: Site) -> None:
    site.world.tenant.add(make_row(NOON - 30 * MINUTE))
    site.wrapped = lambda storage: Flaky(storage, times=10**6)
    site.collect(until=NOON + 6 * HOUR)
    assert site.world.request_log.count() == 0
    assert len(site.log.texts("error")) <= 6 * 60 + 10


class Defective(ReportingClient):
    """Fails for one row as nobody foresaw."""

    def render(self, row: Row) -> str:
        if row.fields["Subject"] == "defect":
            raise RuntimeError(f"bad row: {row.fields}")
        return super().render(row)


class UnableToAsk(ReportingClient):
    """Cannot even send the requests for some time of the past."""

    def first_url(self, ask: Ask) -> str:
        if ask.window.start < NOON - HOUR <= ask.window.end:
            raise RuntimeError("no request for that")
        return super().first_url(ask)


@pytest.mark.parametrize("at", [NOON - 40 * MINUTE, NOON + 40 * MINUTE], ids=["past", "fresh"])
def test_an_unforeseen_fault_costs_its_own_millisecond(site: Site, at: datetime) -> None:
    """The row makes this module fail. Its window is set aside, and all others go on."""
    site.policy = replace(site.policy, lookback=HOUR)
    site.client, site.log.expected = Defective, True
    every_minute = [make_row(NOON + n * MINUTE) for n in range(-60, 120)]
    site.world.tenant.add(*every_minute, make_row(at + 30 * SECOND, Subject="defect"))
    site.collect(until=NOON + 4 * HOUR)
    assert len(site.events) == len(every_minute)
    arrived = {received(each.event): each.arrived for each in site.world.intake.accepted}
    late = [time for time in arrived if time > NOON and arrived[time] - time > ON_TIME + MINUTE]
    assert len(late) <= 3, "its neighbours alone wait"
    (gap,) = site.saved.gaps
    assert gap.cause is Cause.UNREADABLE
    assert abs(gap.window.start - at - 30 * SECOND) <= 3 * SECOND
    lines = site.log.texts("error")
    assert any("unexpected fault" in each and "RuntimeError at" in each for each in lines)
    assert not any("defect" in each for each in lines), "nothing of the row is logged"
    assert len(site.clock.waits) < 4 * HOUR / SECOND, "the loop does not turn without a pause"
    site.client = ReportingClient
    site.collect(until=NOON + 8 * HOUR)
    assert len(site.events) == len(every_minute) + 1
    assert site.saved.gaps == ()


def test_a_request_that_cannot_be_sent_holds_up_nothing_else(site: Site) -> None:
    site.client, site.log.expected = UnableToAsk, True
    site.world.tenant.add(*(make_row(NOON + n * MINUTE) for n in range(-120, 60)))
    site.collect(until=NOON + 4 * HOUR, start=NOON - 2 * HOUR)
    assert len(site.events) >= 178
    assert site.saved.oldest >= NOON + 2 * HOUR


def test_an_unforeseen_fault_at_the_first_request_does_not_hold_up_the_start(
    site: Site, log: Logbook
) -> None:
    """The time is asked for before anything is read."""
    site.client = UnableToAsk
    source = site._source(FolderStorage(site.root))
    site.clock.turn(-HOUR)
    assert learn_time(source, MicrosoftClock(site.clock, log)) == NOON - HOUR


def test_a_first_start_counts_from_the_start_however_late_the_first_answer(
    site: Site, log: Logbook
) -> None:
    away = Rule(Drop(), times=None)
    site.world.faults.add(away)
    site.clock.at(NOON + 2 * HOUR, lambda: site.world.faults.remove(away))
    source = site._source(FolderStorage(site.root))
    began = learn_time(source, MicrosoftClock(site.clock, log))
    assert site.clock.now() >= NOON + 2 * HOUR
    assert abs(began - NOON) <= SECOND


def test_what_was_young_at_the_start_is_read_again_once_the_time_is_known(site: Site) -> None:
    """The machine's clock was eight minutes ahead, until an answer told the time."""
    late = make_row(NOON + 4 * MINUTE, visible_at=NOON + 241 * MINUTE)
    site.world.tenant.add(late, *(make_row(NOON + n * MINUTE) for n in range(0, 230, 10)))
    site.policy = replace(PLAIN, lookback=HOUR, delay=10 * MINUTE)
    site.collect(until=NOON + 4 * HOUR, start=NOON)
    assert site.saved.oldest >= NOON + 2 * HOUR
    site.clock.turn(8 * MINUTE)
    away = site.world.faults.add(Rule(Drop(), "reporting", times=None))

    def answer_at_last() -> None:
        site.clock.turn(-8 * MINUTE)
        site.world.faults.remove(away)

    site.clock.at(NOON + 258 * MINUTE, answer_at_last)
    site.policy = replace(site.policy, lookback=4 * HOUR)
    site.collect(until=NOON + 6 * HOUR)
    assert len(site.events) == 24


def test_a_defect_that_spoils_everything_is_tried_again_slowly(site: Site) -> None:
    site.client, site.log.expected = Defective, True
    site.world.tenant.add(*(make_row(NOON + n * MINUTE, Subject="defect") for n in range(-60, 60)))
    site.collect(until=NOON + 2 * HOUR)
    assert site.events == []
    assert busiest(site.requests("reporting"), HOUR) <= 400
    site.client = ReportingClient
    site.collect(until=NOON + 5 * HOUR)
    assert len(site.events) == 120
    assert site.saved.gaps == ()


# Stops, crashes, restarts


@steady
@pytest.mark.parametrize("away", ["reporting", "intake"])
def test_a_stop_inside_a_window_leaves_the_state_as_it_was(
    site: Site, mail: MailFlowOptions, away: str
) -> None:
    site.collect(until=NOON + 10 * MINUTE)
    before, delivered = site.saved, len(site.events)
    site.world.faults.add(Rule(Answer(503), away, times=None))
    site.collect(until=NOON + 20 * MINUTE)
    assert site.saved == before
    assert len(site.events) == delivered
    site.world.faults.clear()
    site.collect(until=NOON + HOUR)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)


class Crash(BaseException):
    """The process is gone."""


class Mortal(WrappedStorage):
    """A storage during whose ``nth`` change the process dies, with half, all or nothing done."""

    def __init__(self, storage: Storage, nth: int, done: float) -> None:
        super().__init__(storage)
        self._left = nth
        self._done = done

    def extend(self, name: str, known: bytes, added: bytes) -> None:
        if self._left == 1 and self._done:
            self._storage.extend(name, known, added[: round(len(added) * self._done)])
        super().extend(name, known, added)

    def _access(self, action: Callable[[], _T], writes: int = 0) -> _T:
        self._left -= writes
        if writes and not self._left:
            if self._done == 1:
                action()
            raise Crash
        return action()


@steady
@pytest.mark.parametrize("done", [0.0, 0.55, 1.0], ids=["before", "amid", "after"])
@pytest.mark.parametrize("nth", [1, 2, 3, 5, 18])
def test_a_crash_loses_nothing_and_repeats_what_was_not_recorded_at_most(
    site: Site, mail: MailFlowOptions, nth: int, done: float
) -> None:
    site.world.reporting.options.page_size = 60
    site.chunk_size = 25
    site.wrapped = lambda storage: Mortal(storage, nth, done)
    site.clock.at(NOON + HOUR, stop)
    with pytest.raises(Crash):
        site._run(NOON - HOUR)
    recorded = sum(path.stat().st_size for path in site.root.glob("ledger/*/*"))
    delivered = len(site.events)
    site.wrapped = lambda storage: storage
    site.collect(until=NOON + 40 * MINUTE)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.complete, str(report)
    assert report.unknown == []
    assert len(report.repeated) == delivered - recorded // FINGERPRINT_BYTES <= site.chunk_size


@steady
def test_many_restarts_lose_and_repeat_nothing(site: Site, mail: MailFlowOptions) -> None:
    for number in range(1, 9):
        site.collect(until=NOON + number * 5 * MINUTE)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)


@steady
def test_an_outage_of_the_process_is_caught_up_after_the_fresh_mail(
    site: Site, mail: MailFlowOptions
) -> None:
    site.collect(until=NOON + MINUTE)
    site.clock.wait(25 * 60)
    site.world.request_log.clear()
    site.collect(until=NOON + HOUR)
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)
    first = unquote(site.world.request_log.entries("reporting")[0].target)
    assert "StartDate eq datetime'2026-06-15T12:19:00Z'" in first


def test_a_clock_that_is_behind_for_a_while_loses_nothing(site: Site) -> None:
    site.policy = replace(site.policy, lookback=2 * HOUR)
    site.world.tenant.add(*(make_row(NOON - n * DAY) for n in range(1, 9)))
    site.world.tenant.add(*(make_row(NOON + n * 5 * MINUTE) for n in range(60)))
    site.collect(until=NOON + 5 * HOUR, start=NOON - 8.5 * DAY)
    forwarded = len(site.events)
    assert forwarded == 67, "all but the youngest"
    site.world.faults.add(away := Rule(Answer(503), "reporting", times=None))
    site.clock.turn(-20 * DAY)
    site.clock.at(site.clock.now() + 3 * MINUTE, lambda: site.clock.turn(20 * DAY))
    site.clock.at(NOON + 5.1 * HOUR, lambda: site.world.faults.remove(away))
    site.collect(until=NOON + 6 * HOUR)
    known = {event["MessageTraceId"] for event in site.events}
    assert len(known) == 68
    assert len(site.events) <= 68 + 5, "repeated is what the ledger no longer held"
    assert site.saved.gaps == ()


def test_a_step_of_the_clock_ahead_and_back_gives_nothing_up(site: Site) -> None:
    """Nothing is read meanwhile: by the wrong clock, no certificate is in date."""
    site.policy = replace(site.policy, lookback=2 * HOUR)
    site.world.tenant.add(make_row(NOON - 8 * DAY))
    site.world.faults.add(Rule(Answer(503), "reporting", path="datetime'2026-06-0", times=None))

    def ahead() -> None:
        site.world.faults.add(Rule(Answer(503), "reporting", times=None))
        site.clock.turn(60 * DAY)
        site.clock.at(site.clock.now() + 6 * MINUTE, back)

    def back() -> None:
        site.clock.turn(-60 * DAY)
        site.clock.at(NOON + 1.2 * HOUR, site.world.faults.clear)
        site.clock.at(NOON + 4 * HOUR, stop)

    site.clock.at(NOON + HOUR, ahead)
    site.collect(until=NOON + 61 * DAY, start=NOON - 9 * DAY)
    assert len(site.events) == 1
    assert site.saved.gaps == ()


@steady
def test_a_clock_that_was_ahead_costs_nothing_but_reads(site: Site, mail: MailFlowOptions) -> None:
    site.policy = replace(site.policy, lookback=2 * HOUR)
    site.collect(until=NOON + HOUR, start=NOON + 5 * HOUR, began=NOON + 6 * HOUR)
    assert "A wrong clock" in site.log.texts("warning")[0]
    report = site.report(NOON - HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert len(site.log.texts("warning")) == 1


@pytest.mark.parametrize("mail_before", [True, False], ids=["some forwarded", "nothing forwarded"])
def test_a_state_that_is_lost_during_a_first_start_costs_none_of_the_backlog(
    site: Site, mail_before: bool
) -> None:
    site.world.tenant.add(make_row(NOON - 9 * DAY), make_row(NOON - 7 * DAY))
    if mail_before:
        site.world.tenant.add(make_row(NOON))
    away = Rule(Answer(503), "reporting", path="datetime'2026-06-0", times=None)
    site.world.faults.add(away)
    site.collect(until=NOON + 20 * MINUTE, start=NOON - 9.5 * DAY)
    assert len(site.events) == mail_before
    for name in COPIES:
        (site.root / name).unlink()
    site.world.faults.clear()
    site.collect(until=NOON + HOUR)
    assert len(site.events) == 2 + mail_before
    assert "state is gone" in "".join(site.log.texts("warning"))


# Saying how it goes


@steady
def test_once_a_minute_a_line_says_how_far_it_is(site: Site, mail: MailFlowOptions) -> None:
    site.policy = replace(site.policy, frequency=MINUTE / 2)
    site.collect(until=NOON + 30 * MINUTE)
    lines = [text for text in site.log.texts("info") if text.startswith("Read up to 2026-06-15")]
    assert 25 <= len(lines) <= 31
    counted = sum(int(line.split("; ")[1].split()[0]) for line in lines)
    assert 0 < counted <= len(site.events)


def test_a_backlog_is_part_of_that_line(site: Site) -> None:
    away = Rule(Answer(503), "reporting", path="datetime'2026-06-14", times=None)
    site.world.faults.add(away)
    site.collect(until=NOON + 10 * MINUTE, start=NOON - 14 * HOUR)
    assert any("hours of backlog left, 0% done" in text for text in site.log.texts("info"))
