"""The loop on Microsoft Graph: no cursor, order, lie or bad record of the service costs a row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count, groupby
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from office365_message_trace.collect.coverage import Cause, Kind, Policy, overlap
from office365_message_trace.microsoft.auth import EntraAuth
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.microsoft.paced_http import microsoft_http
from office365_message_trace.microsoft.request_budget import RequestBudget
from office365_message_trace.microsoft.rows import GraphRows, Listing
from office365_message_trace.model import MILLISECOND, Event, Window
from office365_message_trace.storage.base import Storage
from office365_message_trace.transport.retry import Transport
from sandbox import Answer, MailFlowOptions, Report, Rule, Sandbox, make_row
from sandbox.bad_records import SUBJECT
from sandbox.event_formats import GraphForm
from sandbox.rows import Row
from tests.integration.test_collector import BadRecord, Site, Tally, Timeline, punctual
from tests.support import NOON, Logbook

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PAGE = 50
GRAPH = Policy(5 * MINUTE, 2 * MINUTE, timedelta(0), timedelta(days=90))


@dataclass
class GraphSite(Site):
    """The same tenant and intake, read through Graph."""

    policy: Policy = field(default=GRAPH)

    def _source(self, storage: Storage) -> ODataClient:
        who = self.world.identity
        scope = "https://graph.microsoft.com/.default"
        auth = EntraAuth(
            self.world.url("entra"), who.tenant_id, who.client_id, who.client_secret, scope
        )
        budget = RequestBudget(storage, self.clock, self.policy.frequency)
        http = microsoft_http(auth, budget)
        transport = Transport(http, "Graph", self.clock, self.log, credentials=auth)
        return GraphClient(self.world.url("graph"), transport, self.clock, self.log)

    def report(self, start: datetime, end: datetime) -> Report:
        form = GraphForm(self.world.graph.options)
        lookback = self.policy.lookback
        return self.world.check(start, end, self.clock.now(), lookback=lookback, form=form)

    @property
    def ids(self) -> list[tuple[str, str]]:
        """What identifies the rows of the events."""
        return [(event["id"], event["recipientAddress"]) for event in self.events]


@pytest.fixture
def clock() -> Timeline:
    return Timeline()


@pytest.fixture
def site(
    world: Sandbox,
    clock: Timeline,
    log: Logbook,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> GraphSite:
    """With a hundredth of the rows on a page. No ordinary message counts as one to many recipients."""
    monkeypatch.setattr(GraphClient, "page_size", PAGE)
    monkeypatch.setattr(GraphClient, "many_recipients", 20)
    world.graph.options.quota_requests = None
    return GraphSite(world, clock, log, tmp_path)


BUSY = punctual(10, NOON - 3 * HOUR, NOON + 20 * MINUTE)
busy = pytest.mark.parametrize("mail", [BUSY], ids=["busy"])


def journal_mailbox(start: datetime, messages: int, copies: int) -> list[Row]:
    """Copies of each message to one mailbox, received in one millisecond under ids of their own."""
    return [
        make_row(
            start + number * SECOND,
            RecipientAddress="journal@contoso.example",
            MessageTraceId=f"00000000-0000-4000-8000-{number * 100 + copy:012d}",
        )
        for number in range(messages)
        for copy in range(copies)
    ]


# The cursor and the order


@pytest.mark.parametrize("copies", [2, 3, 7, 49])
def test_ties_of_time_and_recipient_at_page_edges_arrive_at_the_first_read(
    site: GraphSite, copies: int
) -> None:
    """The cursor of the next link skips them."""
    site.world.graph.options.strict_cursor = True
    rows = journal_mailbox(NOON - 2 * HOUR, 700 // copies, copies)
    site.world.tenant.add(*rows)
    site.collect(until=NOON + 10 * MINUTE, start=NOON - 3 * HOUR)
    assert len(site.ids) == len(set(site.ids)) == len(rows)
    assert site.saved.gaps == ()
    assert site.log.texts("warning", "error") == []


@busy
@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="as observed"),
        pytest.param({"order": "ascending"}, id="oldest first"),
        pytest.param({"order": "shuffled"}, id="pages in disorder"),
        pytest.param({"order": "scattered"}, id="any row on any page"),
        pytest.param({"page_size": 20}, id="smaller pages than asked for"),
        pytest.param({"empty_pages": "first"}, id="an empty page first"),
        pytest.param({"empty_pages": "every"}, id="empty pages in between"),
        pytest.param({"empty_pages": "last"}, id="an empty page last"),
        pytest.param({"stray_rows": 3}, id="rows from outside the window"),
        pytest.param({"foreign_links": "https://upstream.example"}, id="links to another host"),
        pytest.param({"token_lifetime": timedelta(0)}, id="links that are refused"),
    ],
)
@pytest.mark.parametrize("strict", [False, True], ids=["cursor with id", "cursor without id"])
def test_everything_arrives_once_whatever_the_service_s_pages_are_like(
    site: GraphSite, mail: MailFlowOptions, options: dict[str, Any], strict: bool
) -> None:
    for name, value in options.items():
        assert hasattr(site.world.graph.options, name)
        setattr(site.world.graph.options, name, value)
    site.world.graph.options.strict_cursor = strict
    site.collect(until=NOON + 2 * HOUR, start=NOON - 3 * HOUR)
    report = site.report(NOON - 3 * HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert report.rows > 2000
    assert site.saved.gaps == ()
    assert site.saved.oldest >= NOON + HOUR, "all of it is final"
    assert site.log.texts("error") == []


@busy
def test_rows_in_order_cost_a_request_a_page_at_the_first_read(
    site: GraphSite, mail: MailFlowOptions
) -> None:
    site.collect(until=NOON + 10 * MINUTE, start=NOON - 3 * HOUR)
    backlog = 3 * HOUR / MINUTE * 10 * 1.6
    assert len(site.ids) > 0.8 * backlog
    live = 10 * MINUTE / site.policy.frequency
    assert len(site.requests("graph")) <= 1.2 * backlog / (PAGE - 2) + 2 * live


@pytest.mark.parametrize("mail", [punctual(0.5, NOON - 3 * HOUR, NOON + 6 * HOUR)], ids=["quiet"])
def test_rows_from_outside_the_window_do_not_make_windows_smaller(
    site: GraphSite, mail: MailFlowOptions
) -> None:
    """Of a page that holds 50 rows, the service adds 20 to its first and to its last one."""
    site.world.graph.options.stray_rows = 20
    site.collect(until=NOON + 6 * HOUR, start=NOON - 3 * HOUR)
    assert site.report(NOON - 3 * HOUR, NOON + 5 * HOUR).complete
    live = 6 * HOUR / site.policy.frequency
    assert len(site.requests("graph")) <= 1.5 * live


@busy
def test_what_the_pages_of_an_unfinished_window_covered_is_not_read_again(
    site: GraphSite, mail: MailFlowOptions
) -> None:
    """Every sixth request fails, and the attempts after it."""
    away = [
        site.world.faults.add(Rule(Answer(503), "graph", nth=6 * n, times=4)) for n in range(2, 6)
    ]
    site.collect(until=NOON + 10 * MINUTE, start=NOON - 3 * HOUR)
    report = site.report(NOON - 3 * HOUR, NOON - HOUR)
    assert report.complete, str(report)
    struck = sum(rule.struck for rule in away)
    pages = 3 * HOUR / MINUTE * 10 * 1.6 / (PAGE - 2)
    assert len(site.requests("graph")) <= 1.5 * pages + struck + 20


@busy
@pytest.mark.parametrize("strict", [False, True], ids=["cursor with id", "cursor without id"])
def test_a_last_page_that_leads_to_an_empty_page_that_leads_to_itself_is_the_end(
    site: GraphSite, mail: MailFlowOptions, strict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.world.graph.options.strict_cursor = strict
    loop = site.world.url("graph") + "/v1.0/loop"
    empty = json.dumps({"value": [], "@odata.nextLink": loop}).encode()
    site.world.faults.add(Rule(Answer(200, empty), "graph", path="/v1.0/loop", times=None))
    ours = GraphRows.listing

    def looping(self: GraphRows, body: Any) -> Any:
        page = ours(self, body)
        return page and replace(page, following=page.following or loop)

    monkeypatch.setattr(GraphRows, "listing", looping)
    site.collect(until=NOON + 2 * HOUR, start=NOON - 3 * HOUR)
    report = site.report(NOON - 3 * HOUR, NOON + HOUR)
    assert report.ok, str(report)
    assert site.saved.gaps == ()
    assert any("lead nowhere" in text for text in site.log.texts("warning"))


class Killed(BaseException):
    """The process ends at once."""


class KilledAtPage(Tally):
    """Kills the process between the delivery and the commit of a page of ``kind``, the ``nth`` since fresh
    mail was read."""

    def __init__(self, kind: Kind, nth: int) -> None:
        super().__init__()
        self._kind, self._nth = kind, nth
        self._pages = 0

    def page(self, kind: Kind, rows: int, forwarded: list[Event], now: datetime) -> None:
        super().page(kind, rows, forwarded, now)
        self._pages = 0 if kind is Kind.LIVE else self._pages + (kind is self._kind)
        if self._pages == self._nth:
            raise Killed


@pytest.mark.parametrize("mail", [punctual(10, NOON - 3 * HOUR, NOON)], ids=["a backlog"])
@pytest.mark.parametrize("nth", [8, 14])
def test_a_kill_in_a_window_of_many_pages_costs_one_page_of_it(
    site: GraphSite, mail: MailFlowOptions, nth: int
) -> None:
    site.tally = KilledAtPage(Kind.BACKLOG, nth)
    with pytest.raises(Killed):
        site.collect(until=NOON + 10 * MINUTE, start=NOON - 3 * HOUR)
    assert len(site.ids) > (nth - 1) * (PAGE - 2)
    site.tally = Tally()
    site.collect(until=NOON + 10 * MINUTE)
    pages = len(site.ids) / PAGE
    assert (
        site.tally.known <= PAGE + 4 * pages < nth * (PAGE - 2)
    ), "a few are at the edges of pages"
    report = site.report(NOON - 3 * HOUR, NOON)
    assert report.ok, str(report)


@pytest.mark.parametrize("mail", [punctual(10, NOON - 3 * HOUR, NOON)], ids=["three hours"])
@pytest.mark.parametrize("nth", [3, 5, 12])
def test_a_kill_in_a_deep_sweep_costs_one_page_of_it(
    site: GraphSite, mail: MailFlowOptions, nth: int
) -> None:
    site.policy = replace(site.policy, lookback=6 * HOUR)
    site.tally = KilledAtPage(Kind.REREAD, nth)
    with pytest.raises(Killed):
        site.collect(until=NOON + 4 * HOUR, start=NOON - 3 * HOUR)
    now = site.clock.now()
    just_read = [span for span in site.saved.spans if span.read_at == now]
    assert sum(span.rows for span in just_read) >= (nth - 2) * (PAGE - 4)
    site.world.request_log.clear()
    site.tally = Tally()
    site.collect(until=now + MINUTE)
    asked = [unquote(entry.target) for entry in site.world.request_log.entries("graph")]
    ends = [
        datetime.fromisoformat(end + "Z")
        for target in asked
        if " id eq " not in target
        for end in re.findall(r"receivedDateTime le (.+?)Z", target)
    ]
    assert ends, "it goes on"
    inside = [(each.window.start + MILLISECOND, each.window.end) for each in just_read]
    assert not [end for end in ends for first, last in inside if first < end <= last]


@pytest.mark.parametrize("mail", [punctual(10, NOON - 3 * HOUR, NOON + 4 * HOUR)], ids=["steady"])
def test_how_soon_late_rows_are_found_is_said_once_whenever_it_changes(
    site: GraphSite, mail: MailFlowOptions
) -> None:
    """As fewer requests are granted, time is read again more rarely, and more often when they are back."""
    site.policy = replace(site.policy, lookback=3 * HOUR)
    for minutes, granted in ((40, 30), (100, 5), (160, 90)):
        site.clock.at(NOON + minutes * MINUTE, partial(setattr, site, "granted", granted * 288.0))
    site.collect(until=NOON + 4 * HOUR, start=NOON - 3 * HOUR)
    changes = [bound for bound, _ in groupby(site.tally.bounds)]
    assert max(changes) > 3
    assert changes[-1] == changes[0] < 1.25, "the one that it begins with goes without saying"
    said = [
        (level, float(found[1]))
        for level, text in site.log.lines
        if (found := re.search(r"within ([\d.]+) times their lateness", text))
    ]
    assert said == [("warning" if bound > 3 else "info", round(bound, 1)) for bound in changes[1:]]


# Very many recipients


def one_message(recipients: int, when: datetime = NOON - 30 * MINUTE) -> list[Row]:
    return [make_row(when, RecipientAddress=f"r{n:04}@contoso.example") for n in range(recipients)]


@pytest.mark.parametrize("recipients", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 250])
@pytest.mark.parametrize("strict", [False, True], ids=["cursor with id", "cursor without id"])
def test_a_message_to_very_many_in_one_millisecond_is_complete_and_no_gap(
    site: GraphSite, recipients: int, strict: bool
) -> None:
    site.world.graph.options.strict_cursor = strict
    others = [make_row(NOON - 30 * MINUTE + n * SECOND) for n in range(-9, 10) if n]
    site.world.tenant.add(*one_message(recipients), *others)
    site.collect(until=NOON + HOUR)
    assert len(site.ids) == len(set(site.ids)) == recipients + len(others)
    assert site.saved.gaps == ()
    assert site.log.texts("warning", "error") == []
    assert len(site.requests("graph")) < 260


def test_a_listing_that_shows_some_recipients_only_is_completed_by_the_message_s_id(
    site: GraphSite,
) -> None:
    site.world.graph.options.recipients_shown = 30
    site.world.tenant.add(*one_message(170), *one_message(9, NOON - 20 * MINUTE))
    site.collect(until=NOON + 10 * MINUTE)
    assert len(site.ids) == len(set(site.ids)) == 179
    assert site.saved.gaps == ()


def test_a_message_is_asked_for_by_its_id_again_after_a_failure_and_a_refusal(
    site: GraphSite,
) -> None:
    site.world.graph.options.recipients_shown = 30
    site.world.tenant.add(*one_message(120))
    site.world.faults.add(Rule(Answer(503), "graph", path=" and id eq ", times=4))
    denied = Rule(Answer(403, b"{}"), "graph", path=" and id eq ", nth=5, times=2)
    site.world.faults.add(denied)
    site.collect(until=NOON + 2 * HOUR)
    assert denied.struck == 2
    assert len(site.ids) == len(set(site.ids)) == 120


def test_more_rows_of_one_recipient_in_one_millisecond_than_a_page_holds_are_a_small_gap(
    site: GraphSite,
) -> None:
    site.world.graph.options.strict_cursor = True
    others = [make_row(NOON - 30 * MINUTE + n * SECOND) for n in range(1, 20)]
    site.world.tenant.add(*journal_mailbox(NOON - 30 * MINUTE, 1, 70), *others)
    site.collect(until=NOON + HOUR)
    (gap,) = site.saved.gaps
    assert gap.cause is Cause.INCOMPLETE
    assert gap.window.start <= NOON - 30 * MINUTE <= gap.window.end
    assert gap.window.span <= 3 * MILLISECOND
    assert len(site.ids) == PAGE + len(others)
    site.collect(until=NOON + 4 * HOUR)
    assert site.saved.gaps == (gap,)
    assert len(site.ids) == PAGE + len(others), "nothing is repeated, however often it is tried"


# Lies and bad records


@pytest.mark.parametrize("mail", [punctual(1, NOON - 30 * HOUR, NOON)], ids=["a day and more"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.98], ids=["empty", "a third", "all but one"])
def test_one_page_of_old_time_that_lacks_rows_is_found_out_by_the_second_read_and_said(
    site: GraphSite, mail: MailFlowOptions, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backlog is older than the look-back: nothing else would read it again."""
    ours = GraphRows.listing
    lies: list[Listing] = []

    def lying(self: GraphRows, body: Any) -> Any:
        page = ours(self, body)
        if page and page.following and len(page.rows) == PAGE and not lies:
            lies.append(page)
            return replace(page, rows=page.rows[: int(PAGE * share)], following=None)
        return page

    monkeypatch.setattr(GraphRows, "listing", lying)
    site.collect(until=NOON + HOUR, start=NOON - 30 * HOUR)
    report = site.report(NOON - 30 * HOUR, NOON)
    assert len(lies) == 1
    assert report.ok, str(report)
    said = [text for text in site.log.texts("warning") if "last read of old time" in text]
    assert said
    assert site.saved.gaps == ()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(500, b"{}"), id="500"),
        pytest.param(Answer(504), id="504"),
        pytest.param(Answer(400, b"{}"), id="400"),
        pytest.param(Answer(200, b'{"value": [{"subject": "\xff"}]}'), id="invalid UTF-8"),
    ],
)
def test_of_a_bad_record_only_its_millisecond_is_withheld_and_found_again_once_it_is_repaired(
    site: GraphSite, answer: Answer
) -> None:
    site.world.tenant.add(*(make_row(NOON + n * MINUTE / 4) for n in range(240)))
    bad = NOON + 20 * MINUTE + MINUTE / 4
    record = site.world.faults.add(BadRecord(answer, "graph", hits=asks_for(bad)))
    site.collect(until=NOON + 4 * HOUR)
    assert len(site.ids) == 239
    (gap,) = site.saved.gaps
    assert gap.cause is Cause.UNREADABLE
    assert gap.window.start <= bad <= gap.window.end
    assert gap.window.span <= 2 * MILLISECOND
    assert site.saved.oldest >= NOON + 2 * HOUR, "nothing waits for it"
    assert record.struck < 150
    site.world.faults.clear()
    site.collect(until=NOON + 6 * HOUR)
    assert len(site.ids) == len(set(site.ids)) == 240
    assert site.saved.gaps == ()


def test_a_bad_record_is_found_also_while_nothing_else_of_the_past_is_to_be_read(
    site: GraphSite,
) -> None:
    site.policy = Policy(4 * HOUR, HOUR, 72 * HOUR, timedelta(days=90))
    site.world.graph.options.bad_records = "500"
    bad = NOON - 8 * HOUR
    rows = (make_row(NOON - 12 * HOUR + n * MINUTE) for n in range(1, 480) if n != 240)
    site.world.tenant.add(*rows, make_row(bad, Subject=SUBJECT))
    site.collect(until=NOON + HOUR, start=NOON - 12 * HOUR)
    assert len(site.ids) == 478, "only the record is missing"
    site.collect(until=NOON + 3 * HOUR)
    (gap,) = site.saved.gaps
    assert gap.window.start <= bad <= gap.window.end


def test_passing_faults_at_a_crowded_millisecond_declare_no_gap(site: GraphSite) -> None:
    """Reading it takes so many requests that hardly one try of all meets no fault: at first each request for it
    fails, then every second one."""
    site.policy = replace(site.policy, lookback=HOUR)  # so that other time is read again meanwhile
    crowded = NOON + 20 * MINUTE
    others = [make_row(NOON + n * MINUTE / 4) for n in range(240)]
    site.world.tenant.add(*one_message(250, crowded), *others)
    asked = count(1)

    def hits(target: str) -> bool:
        return asks_for(crowded, at_most=2 * MILLISECOND)(target) and (
            (number := next(asked)) <= 8 or number % 2 == 0
        )

    faults = site.world.faults.add(BadRecord(Answer(503), "graph", hits=hits))
    site.collect(until=NOON + 4 * HOUR)
    assert faults.struck > 12
    assert site.log.texts("error") == []
    assert len(site.ids) == len(set(site.ids)) == 490


@pytest.mark.parametrize("status", [401, 503])
def test_a_millisecond_of_which_some_pages_come_is_incomplete_and_not_unreadable(
    site: GraphSite, status: int
) -> None:
    """Whatever it is that lets no reading of it end."""
    site.policy = replace(site.policy, lookback=HOUR)  # so that other time is read again meanwhile
    crowded = NOON + 20 * MINUTE + SECOND
    others = [make_row(NOON + n * MINUTE) for n in range(60)]
    site.world.tenant.add(*one_message(70, crowded), *others)

    def hits(target: str) -> bool:
        return asks_for(crowded)(target) and "skiptoken" in target

    site.world.faults.add(BadRecord(Answer(status, b"{}"), "graph", hits=hits))
    site.collect(until=NOON + 4 * HOUR)
    (gap,) = site.saved.gaps
    assert gap.cause is Cause.INCOMPLETE
    assert gap.window.start <= crowded <= gap.window.end
    assert len(site.ids) == PAGE + len(others)
    site.world.faults.clear()
    site.collect(until=NOON + 6 * HOUR)
    assert site.saved.gaps == ()
    assert len(site.ids) == len(set(site.ids)) == 70 + len(others)


def test_a_millisecond_that_could_not_be_read_is_incomplete_once_some_of_its_rows_come(
    site: GraphSite,
) -> None:
    site.policy = replace(site.policy, lookback=HOUR)
    site.world.graph.options.strict_cursor = True
    others = [make_row(NOON + n * MINUTE) for n in range(60)]
    crowded = NOON + 20 * MINUTE + SECOND
    site.world.tenant.add(*journal_mailbox(crowded, 1, 70), *others)
    site.world.faults.add(BadRecord(Answer(500, b"{}"), "graph", hits=asks_for(crowded)))
    site.collect(until=NOON + 4 * HOUR)
    assert [gap.cause for gap in site.saved.gaps] == [Cause.UNREADABLE]
    site.world.faults.clear()
    site.collect(until=NOON + 6 * HOUR)
    (gap,) = site.saved.gaps
    assert gap.cause is Cause.INCOMPLETE
    assert gap.window.start <= crowded <= gap.window.end
    assert len(site.ids) == len(set(site.ids)) == PAGE + len(others)


@pytest.mark.parametrize("mail", [punctual(0.5, NOON - 20 * HOUR, NOON + 5 * HOUR)], ids=["a day"])
def test_an_outage_of_the_past_declares_no_gap_and_costs_a_tenth_of_the_budget_at_most(
    site: GraphSite, mail: MailFlowOptions
) -> None:
    """Fresh mail can be read all the time. The windows across the edge of the outage are divided; of each part of the
    past a sample is tried every quarter of an hour."""
    away = Rule(Answer(503), "graph", path="receivedDateTime ge 2026-06-14", times=None)
    site.world.faults.add(away)
    site.clock.at(NOON + 5 * HOUR, lambda: site.world.faults.remove(away))
    site.collect(until=NOON + 7 * HOUR, start=NOON - 20 * HOUR)
    report = site.report(NOON - 20 * HOUR, NOON + 5 * HOUR)
    assert report.ok, str(report)
    assert site.saved.gaps == ()
    assert away.struck < 400


def asks_for(instant: datetime, at_most: timedelta = timedelta.max) -> Callable[[str], bool]:
    """Whether a request is for a window with ``instant`` in it, and no longer than ``at_most``."""

    def hits(target: str) -> bool:
        found = re.search(
            r"receivedDateTime ge (\S+) and receivedDateTime le ([^&\s]+)", unquote(target)
        )
        if found is None:
            return False
        start, end = (datetime.fromisoformat(text) for text in found.groups())
        return start <= instant <= end and end - start <= at_most

    return hits


def test_the_map_tells_a_burst_from_the_quiet_hours_in_the_same_windows(site: GraphSite) -> None:
    """So that windows over quiet time are planned wide."""
    site.policy = replace(site.policy, lookback=6 * HOUR)
    quiet = [make_row(NOON - 4 * HOUR + n * MINUTE) for n in range(240)]
    burst = [make_row(NOON - 2 * HOUR + (n + 0.5) * SECOND / 5) for n in range(1500)]
    site.world.tenant.add(*quiet, *burst)
    site.collect(until=NOON + 20 * MINUTE, start=NOON - 4 * HOUR)
    assert len(site.events) == 1740
    around = Window(NOON - 2 * HOUR - MINUTE, NOON - 115 * MINUTE + MINUTE)
    quiet_rows = site.saved.rows_since(NOON - 4 * HOUR) - sum(
        span.part(around).rows for span in site.saved.spans if overlap(span.window, around)
    )
    assert 150 < quiet_rows < 400
