"""Questions about mail are answered completely by Microsoft Graph, or the answer says what it lacks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from office365_message_trace.actions.answer import answer
from office365_message_trace.actions.arguments import (
    DetailsArguments,
    RecipientsArguments,
    SearchArguments,
)
from office365_message_trace.actions.results import (
    DetailsResult,
    RecipientsResult,
    SearchResult,
)
from office365_message_trace.errors import (
    ImpossibleArguments,
    Misconfigured,
    Refused,
    Unavailable,
)
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.model import Window
from office365_message_trace.settings import parse_application
from office365_message_trace.wiring import ACTIONS_FOLDER, GraphAccess, graph_access
from sandbox import Answer, Drop, Hang, MailFlowOptions, Rule, Sandbox, make_row
from sandbox.entra import READ_TRACES
from sandbox.rows import Row
from tests.support import NOON, Logbook, TurnedClock

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PHISH = "00000000-0000-4000-8000-00000000beef"


@dataclass
class Analyst:
    """Asks questions, each with an access of its own, as each run of an action has."""

    world: Sandbox
    clock: TurnedClock
    log: Logbook
    data: Path

    def search(self, **values: Any) -> SearchResult:
        result = self._ask(SearchArguments.of(values))
        assert isinstance(result, SearchResult)
        return result

    def recipients(self, **values: Any) -> RecipientsResult:
        result = self._ask(RecipientsArguments.of(values))
        assert isinstance(result, RecipientsResult)
        return result

    def details(self, **values: Any) -> DetailsResult:
        result = self._ask(DetailsArguments.of(values))
        assert isinstance(result, DetailsResult)
        return result

    def access(self, clock: MicrosoftClock, time_limit: float) -> GraphAccess:
        who = self.world.identity
        application = parse_application(
            {
                "tenant_id": who.tenant_id,
                "client_id": who.client_id,
                "client_secret": who.client_secret,
            }
        )
        endpoints = Endpoints(login=self.world.url("entra"), graph=self.world.url("graph"))
        return graph_access(application, endpoints, self.data, clock, self.log, time_limit)

    def _ask(self, arguments: Any) -> Any:
        clock = MicrosoftClock(self.clock, self.log)
        return answer(arguments, self.access(clock, arguments.time_limit), clock)

    @property
    def requests(self) -> int:
        """Made of Graph so far."""
        return self.world.request_log.count("graph")


@pytest.fixture
def analyst(world: Sandbox, clock: TurnedClock, log: Logbook, tmp_path: Path) -> Analyst:
    return Analyst(world, clock, log, tmp_path)


def subjects(result: SearchResult) -> list[str | None]:
    return [each.subject for each in result.messages]


@pytest.fixture
def four(world: Sandbox) -> None:
    """Four messages, the newest first: by Ann, O'Brien, Cyd and nobody."""
    senders = ("ann@mail.example", "o'brien@mail.example", "cyd@other.example", "<>")
    for number, sender in enumerate(senders):
        world.tenant.add(
            make_row(
                NOON - (number + 1) * HOUR,
                SenderAddress=sender,
                RecipientAddress=f"o'neil{number}@contoso.example",
                Subject=f"It's no. {number} 100% 'free' & +more",
                Status="Failed" if number == 2 else "Delivered",
                FromIP="2001:db8::1" if number else "192.0.2.1",
                ToIP="192.0.2.9" if number else None,
                MessageTraceId=f"00000000-0000-4000-8000-{number:012d}",
            )
        )


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "0123"),
        ({"sender": "ANN@mail.example"}, "0"),
        ({"sender": "o'brien@mail.example"}, "1"),
        ({"sender": "@mail.example"}, "01"),
        ({"sender": ["@mail.example", "cyd@other.example"]}, "012"),
        ({"sender": "<>"}, "3"),
        ({"recipient": ["o'neil3@contoso.example", "O'Neil1@contoso.example"]}, "13"),
        ({"subject": "it's NO. 2"}, "2"),
        ({"subject": "IT'S", "subject_match": "starts"}, "0123"),
        ({"subject": "& +more", "subject_match": "ends"}, "0123"),
        ({"subject": "It's no. 1 100% 'free' & +more", "subject_match": "equals"}, "1"),
        ({"subject": "no. 1", "subject_match": "equals"}, ""),
        ({"trace_id": "00000000-0000-4000-8000-000000000002"}, "2"),
        ({"message_id": [f"{1781524800000 - 3600_000}@mail.example"]}, "0"),
        ({"status": "failed"}, "2"),
        ({"status": ["failed", "delivered"], "sender": "@mail.example"}, "01"),
        ({"from_ip": "2001:DB8::1"}, "123"),
        ({"to_ip": "192.0.2.9", "from_ip": ["192.0.2.1", "2001:db8::1"]}, "123"),
        ({"start": "150m ago", "end": "90m ago"}, "1"),
        ({"sender": "eve@mail.example"}, ""),
    ],
    ids=str,
)
def test_a_search_finds_the_messages_that_meet_all_conditions(
    analyst: Analyst, values: dict[str, Any], expected: str
) -> None:
    result = analyst.search(**values)
    assert [each and each[9] for each in subjects(result)] == list(expected)
    assert result.complete
    assert (result.total, result.unmatched, result.missing) == (len(expected), 0, [])
    assert sum(result.statuses.values()) == len(expected)
    assert result.requests == analyst.requests == len(list(SearchArguments.of(values).queries()))


def test_a_message_is_told_with_all_that_microsoft_has(analyst: Analyst, world: Sandbox) -> None:
    world.tenant.add(make_row(NOON - HOUR, Subject=None, MessageId=None, ToIP="192.0.2.9"))
    (message,) = analyst.search().messages
    assert message.model_dump() == {
        "received": "2026-06-15T11:00:00Z",
        "sender": "sender@mail.example",
        "recipient": "ada@contoso.example",
        "subject": None,
        "status": "delivered",
        "message_id": None,
        "trace_id": message.trace_id,
        "from_ip": "192.0.2.10",
        "to_ip": "192.0.2.9",
        "size": 4096,
    }


def test_thirty_days_of_a_domain_take_three_requests(analyst: Analyst, world: Sandbox) -> None:
    times = [NOON - 30 * DAY, NOON - 20 * DAY, NOON - 10 * DAY, NOON - MINUTE]  # two on bounds
    world.tenant.add(*(make_row(at, Subject=f"{at:%d}") for at in times))
    result = analyst.search(sender="@mail.example", start="30 days ago")
    assert subjects(result) == [f"{at:%d}" for at in reversed(times)]
    assert result.complete
    assert result.requests == analyst.requests == 3


@pytest.mark.parametrize("order", ["descending", "ascending", "shuffled", "scattered"])
@pytest.mark.parametrize("mail", [MailFlowOptions(messages_per_minute=3)], ids=["busy"])
def test_a_search_over_pages_in_any_order_lacks_nothing(
    analyst: Analyst, world: Sandbox, monkeypatch: pytest.MonkeyPatch, order: Any
) -> None:
    monkeypatch.setattr(GraphClient, "page_size", 100)
    world.graph.options.order = order
    world.graph.options.quota_requests = None
    start, end = NOON - 2 * HOUR, NOON - HOUR
    rows = world.tenant.rows(start, end, NOON)
    expected = {(row["MessageTraceId"], row["RecipientAddress"]) for row in rows}
    assert len(expected) > 200
    result = analyst.search(start=start.isoformat(), end=end.isoformat(), limit=10_000)
    assert {(each.trace_id, each.recipient) for each in result.messages} == expected
    assert result.complete


@pytest.mark.parametrize(
    "order", ["descending", "ascending", "shuffled", "scattered", "partitioned"]
)
@pytest.mark.parametrize("mail", [MailFlowOptions(messages_per_minute=0)], ids=["none"])
def test_messages_within_the_limit_are_the_newest_in_whatever_order_pages_come(
    analyst: Analyst, world: Sandbox, monkeypatch: pytest.MonkeyPatch, order: Any
) -> None:
    monkeypatch.setattr(GraphClient, "page_size", 10)
    world.graph.options.order = order
    for number in range(60):
        recipient = f"r{number * 7 % 60}@contoso.example"
        at = NOON - HOUR - number * MINUTE
        world.tenant.add(make_row(at, Subject=str(number), RecipientAddress=recipient))
    result = analyst.search(limit=15)
    assert subjects(result) == [str(number) for number in range(15)]
    (missing,) = result.missing
    assert missing.end == result.messages[-1].received
    # the third page shows that they come newest first, while the fourth may be under way
    assert order != "descending" or result.requests <= 4


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
@pytest.mark.usefixtures("four")
def test_the_newest_messages_are_kept_and_what_is_beyond_the_limit_is_declared(
    analyst: Analyst, limit: int
) -> None:
    senders = ["cyd@other.example", "@mail.example", "<>"]
    result = analyst.search(limit=limit, sender=senders, start="30 days ago")
    assert [each and each[9] for each in subjects(result)] == list("0123"[:limit])
    assert result.complete is (limit >= 4)
    if limit < 4:
        (missing,) = result.missing
        assert missing.start == "2026-05-16T12:00:00Z"
        assert missing.end == result.messages[-1].received
        assert f"limit of {limit}" in missing.reason


def test_rows_that_do_not_meet_the_conditions_are_left_out_and_counted(
    analyst: Analyst, world: Sandbox
) -> None:
    """Graph ignores without an error what it does not understand; nobody's mail is to be deleted for that."""
    row = {
        "id": PHISH,
        "senderAddress": "other@mail.example",
        "recipientAddress": "ada@contoso.example",
        "messageId": "<a@b>",
        "receivedDateTime": "2026-06-15T11:00:00Z",
        "subject": "x",
        "size": 1,
        "fromIP": "",
        "toIP": "",
        "status": "delivered",
    }
    page = orjson.dumps({"value": [row, {**row, "senderAddress": "eve@mail.example"}]})
    world.faults.add(Rule(Answer(200, page, content_type="application/json"), "graph"))
    result = analyst.search(sender="eve@mail.example")
    assert [each.sender for each in result.messages] == ["eve@mail.example"]
    assert result.unmatched == 1


# Recipients


def to_all(recipients: int, **fields: Any) -> list[Row]:
    """A message to so many."""
    return [
        make_row(
            NOON - DAY,
            MessageTraceId=PHISH,
            MessageId="<phish@mail.example>",
            SenderAddress="boss@evil.example",
            Subject="Your parcel",
            RecipientAddress=f"user{number:05d}@contoso.example",
            Status="Quarantined" if number % 3 else "Delivered",
            **fields,
        )
        for number in range(recipients)
    ]


WAYS: dict[str, dict[str, Any]] = {
    "Message-ID": {"message_id": "phish@mail.example"},
    "trace id": {"trace_id": PHISH.upper()},
    "both": {"message_id": "phish@mail.example", "trace_id": PHISH},
    "sender and subject": {"sender": "@evil.example", "subject": "your parcel"},
    "part of the subject": {
        "sender": "boss@evil.example",
        "subject": "parcel",
        "subject_match": "ends",
    },
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shown", [None, 1000], ids=["all listed", "a thousand listed"])
def test_all_recipients_of_a_message_to_thousands_are_found(
    analyst: Analyst, world: Sandbox, way: str, shown: int | None
) -> None:
    """Also if a listing shows a thousand of them, unless it is for the id."""
    world.graph.options.recipients_shown = shown
    world.tenant.add(*to_all(3000), make_row(NOON - DAY))
    result = analyst.recipients(**WAYS[way])
    assert result.complete
    assert result.total == len(result.recipients) == 3000
    assert result.addresses == [f"user{number:05d}@contoso.example" for number in range(3000)]
    assert result.statuses == {"quarantined": 2000, "delivered": 1000}
    assert (result.message_ids, result.trace_ids) == (["<phish@mail.example>"], [PHISH])
    assert result.requests == analyst.requests <= 2


def test_a_search_finds_all_rows_of_a_message_to_thousands_that_meet_the_conditions(
    analyst: Analyst, world: Sandbox
) -> None:
    world.graph.options.recipients_shown = 1000
    world.tenant.add(*to_all(3000), make_row(NOON - DAY, SenderAddress="x@evil.example"))
    result = analyst.search(sender="@evil.example", status=["quarantined"], limit=5000)
    assert (result.total, result.complete, result.requests) == (2000, True, 2)


def test_more_recipients_than_fit_a_page_are_found_over_page_edges(
    analyst: Analyst, world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GraphClient, "page_size", 100)
    world.tenant.add(*to_all(350))
    for way in ("Message-ID", "trace id"):
        result = analyst.recipients(**WAYS[way])
        assert result.complete
        assert result.total == 350


def test_a_recipient_is_told_once_a_message_with_the_latest_status(
    analyst: Analyst, world: Sandbox
) -> None:
    """A message that returns from another server has a second trace id, and the same Message-ID."""
    first, again = (
        make_row(
            NOON - HOUR + minutes * MINUTE,
            MessageId="<phish@mail.example>",
            RecipientAddress=address,
            Status=status,
        )
        for minutes, address, status in (
            (0, "Ada@x.example", "Pending"),
            (1, "ada@X.example", "Failed"),
        )
    )
    world.tenant.add(again, first)
    result = analyst.recipients(message_id="<phish@mail.example>")
    (only,) = result.recipients
    assert (only.status, result.addresses, len(result.trace_ids)) == (
        "failed",
        ["ada@x.example"],
        2,
    )


def test_a_recipient_of_two_messages_is_told_for_each_of_them(
    analyst: Analyst, world: Sandbox
) -> None:
    for number in range(2):
        world.tenant.add(make_row(NOON - HOUR - number * MINUTE, Subject="Same"))
    result = analyst.recipients(sender="sender@mail.example", subject="Same")
    assert (result.total, len(result.message_ids), len(result.addresses)) == (2, 2, 1)


# Details


def test_the_events_of_a_message_come_in_order(analyst: Analyst, world: Sandbox) -> None:
    world.tenant.add(*to_all(2))
    world.tenant.add(
        make_row(NOON - HOUR, MessageTraceId=PHISH, RecipientAddress="o'neil@x.example")
    )
    result = analyst.details(trace_id=PHISH, recipient="O'Neil@x.example")
    assert [each.event for each in result.events] == ["Receive", "Submit", "Deliver"]
    assert result.events[0].date == "2026-06-15T11:00:00Z"
    assert result.complete
    assert result.requests == analyst.requests == 1


def test_a_message_that_microsoft_does_not_know_has_no_events(
    analyst: Analyst, world: Sandbox
) -> None:
    world.tenant.add(make_row(NOON - HOUR, MessageTraceId=PHISH))
    result = analyst.details(trace_id=PHISH, recipient="eve@contoso.example")
    assert (result.events, result.complete, result.reason) == ([], True, None)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"not JSON", b'{"value": [1]}', b'{"value": [], "error": {"code": "x"}}'],
    ids=["a list", "no JSON", "no events", "an error beside"],
)
def test_an_answer_that_is_no_page_of_events_is_none(
    analyst: Analyst, world: Sandbox, body: bytes
) -> None:
    world.faults.add(Rule(Answer(200, body), "graph", times=None))
    result = analyst.details(trace_id=PHISH, recipient="ada@contoso.example")
    assert (result.events, result.complete) == ([], False)
    assert "does not answer as it should" in (result.reason or "")


def test_details_on_several_pages_are_all_read(analyst: Analyst, world: Sandbox) -> None:
    url = f"{world.url('graph')}/next"
    events = [{"event": "Receive", "dateTime": "2026-06-15T11:00:00Z"}], [{"event": "Deliver"}]
    first = orjson.dumps({"value": events[0], "@odata.nextLink": url})
    world.faults.add(Rule(Answer(200, first), "graph", path="getDetails"))
    world.faults.add(Rule(Answer(200, orjson.dumps({"value": events[1]})), "graph", path="/next"))
    result = analyst.details(trace_id=PHISH, recipient="ada@contoso.example")
    assert {each.event for each in result.events} == {"Receive", "Deliver"}


@pytest.mark.parametrize("link", ["https://evil.example/x", "http://[x"], ids=str)
def test_a_next_link_to_another_host_is_not_followed(
    analyst: Analyst, world: Sandbox, link: str
) -> None:
    body = orjson.dumps({"value": [], "@odata.nextLink": link})
    world.faults.add(Rule(Answer(200, body), "graph"))
    result = analyst.details(trace_id=PHISH, recipient="ada@contoso.example")
    assert not result.complete
    assert "another host" in (result.reason or "")


# What can go wrong


def test_a_fault_that_passes_is_waited_out(analyst: Analyst, world: Sandbox) -> None:
    world.tenant.add(make_row(NOON - HOUR))
    world.faults.add(Rule(Answer(503, b""), "graph"))
    world.faults.add(Rule(Drop(), "entra"))
    result = analyst.search()
    assert (result.complete, result.total) == (True, 1)
    assert result.requests == 2
    (warning,) = analyst.log.texts("warning")
    assert "Trying again within the time limit." in warning
    assert "nothing is lost" not in warning


def throttle(world: Sandbox, seconds: int, times: int | None) -> None:
    answer = Answer(429, b"{}", headers={"Retry-After": str(seconds)})
    world.faults.add(Rule(answer, "graph", times=times))


def test_a_throttled_question_is_asked_again_when_the_service_says(
    analyst: Analyst, world: Sandbox, clock: TurnedClock
) -> None:
    world.tenant.add(make_row(NOON - HOUR))
    throttle(world, 70, 1)
    result = analyst.search()
    assert (result.complete, result.total, result.requests) == (True, 1, 2)
    assert clock.waits == [70]


def test_a_wait_beyond_the_time_limit_is_not_begun(
    analyst: Analyst, world: Sandbox, clock: TurnedClock
) -> None:
    world.tenant.add(make_row(NOON - HOUR))
    throttle(world, 70, None)
    result = analyst.search(time_limit=60, start="15 days ago")
    assert (result.complete, result.total, result.requests) == (False, 0, 1)
    assert clock.waits == []
    newer, older = result.missing
    assert (newer.end, newer.start) == ("2026-06-15T12:00:00Z", older.end)
    assert older.start == "2026-05-31T12:00:00Z"
    assert "has to wait 1.2 minutes" in newer.reason


@pytest.mark.parametrize("service", ["entra", "graph"])
def test_an_exchange_takes_no_longer_than_the_whole_action_may(
    analyst: Analyst, world: Sandbox, service: str
) -> None:
    world.faults.add(Rule(Hang(), service, times=None))
    access = analyst.access(MicrosoftClock(analyst.clock, analyst.log), 0.3)
    newest = partial(access.client.first_page, Window(NOON - HOUR, NOON))
    ask: Callable[[], object] = access.signer.sign_in if service == "entra" else newest
    began = time.monotonic()
    with pytest.raises(Unavailable, match="in time"):
        ask()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("mail", [MailFlowOptions(messages_per_minute=3)], ids=["busy"])
def test_what_was_read_when_time_ends_is_the_answer_and_the_rest_is_declared(
    analyst: Analyst, world: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GraphClient, "page_size", 50)
    throttle_after = Rule(
        Answer(429, b"{}", headers={"Retry-After": "500"}), "graph", nth=5, times=None
    )
    world.faults.add(throttle_after)
    result = analyst.search(start="5h ago", limit=10_000)
    assert not result.complete
    (missing,) = result.missing
    assert missing.start == "2026-06-15T07:00:00Z"
    oldest = result.messages[-1].received
    assert oldest is not None
    assert result.total > 100
    assert missing.end >= oldest
    start = NOON - 5 * HOUR
    rows = world.tenant.rows(start, NOON, NOON)
    newer = [row for row in rows if row["Received"] > NOON.timestamp() * 1000 - 60_000 * 20]
    found = {(each.trace_id, each.recipient) for each in result.messages}
    assert {(row["MessageTraceId"], row["RecipientAddress"]) for row in newer} <= found


def test_a_window_that_fails_is_declared_and_the_others_are_read(
    analyst: Analyst, world: Sandbox
) -> None:
    world.tenant.add(make_row(NOON - HOUR), make_row(NOON - 25 * DAY))
    world.faults.add(Rule(Answer(500, b""), "graph", path="ge 2026-05-26T12:00:00Z", times=4))
    result = analyst.search(start="30 days ago")
    assert (result.complete, result.total) == (False, 2)
    (missing,) = result.missing
    assert (missing.start, missing.end) == ("2026-05-26T12:00:00Z", "2026-06-05T12:00:00Z")
    assert missing.reason.startswith("Microsoft Graph does not answer as it should")


def test_a_service_that_is_down_is_not_asked_for_every_window(
    analyst: Analyst, world: Sandbox
) -> None:
    world.faults.add(Rule(Answer(500, b""), "graph", times=None))
    result = analyst.search(start="90 days ago", time_limit=3600)
    assert (result.complete, len(result.missing)) == (False, 9)
    assert result.requests == analyst.requests == 8


def test_a_history_that_is_shorter_than_documented_is_declared(
    analyst: Analyst, world: Sandbox
) -> None:
    world.graph.options.history_days = 15
    world.tenant.add(make_row(NOON - HOUR), make_row(NOON - 14 * DAY))
    result = analyst.search(start="30 days ago")
    assert (result.complete, result.total) == (False, 2)
    assert {each.reason for each in result.missing} == {
        "Microsoft Graph keeps mail for 15 days only."
    }
    assert result.missing[-1].start == "2026-05-16T12:00:00Z"
    assert result.requests <= 4


@pytest.mark.parametrize(
    ("spoil", "error", "sentence"),
    [
        (lambda world: world.app.roles.discard(READ_TRACES), Refused, "lacks the permission"),
        (lambda world: world.app.secrets.clear(), Misconfigured, "The client secret is wrong."),
    ],
    ids=["permission", "secret"],
)
def test_a_refusal_says_who_does_what(
    analyst: Analyst,
    world: Sandbox,
    spoil: Callable[[Sandbox], object],
    error: type[Refused],
    sentence: str,
) -> None:
    spoil(world)
    for ask in (
        analyst.search,
        lambda: analyst.recipients(message_id="a@b"),
        lambda: analyst.details(trace_id=PHISH, recipient="a@b"),
    ):
        with pytest.raises(error, match=sentence):
            ask()


def test_a_machine_whose_clock_is_behind_misses_no_fresh_mail(
    world: Sandbox, log: Logbook, tmp_path: Path
) -> None:
    """The answer with the token tells the time, before anything is planned."""
    world.tenant.add(make_row(NOON - MINUTE))
    behind = TurnedClock(NOON - 3 * HOUR)
    result = Analyst(world, behind, log, tmp_path).search()
    assert (result.total, result.requests) == (1, 1)


@pytest.mark.parametrize("behind", [3 * HOUR, -3 * HOUR], ids=["behind", "ahead"])
def test_times_are_judged_by_microsofts_clock(
    world: Sandbox, log: Logbook, tmp_path: Path, behind: timedelta
) -> None:
    """A message of an hour ago lies in the future by a clock that is behind; and no answer about the future
    is complete by one that is ahead."""
    world.tenant.add(make_row(NOON - HOUR, MessageId="<a@b>"))
    analyst = Analyst(world, TurnedClock(NOON - behind), log, tmp_path)
    start, end = (NOON - 2 * HOUR).isoformat(), (NOON - MINUTE).isoformat()
    for times in ({"start": start}, {"start": start, "end": end}):
        result = analyst.recipients(message_id="a@b", **times)
        assert (result.total, result.complete) == (1, True)
    with pytest.raises(ImpossibleArguments, match="not in the past"):
        analyst.search(start=(NOON + HOUR).isoformat())


# The quota


def test_actions_share_the_quota_with_each_other_and_with_triggers(
    analyst: Analyst, world: Sandbox, clock: TurnedClock
) -> None:
    trigger = analyst.data / "message_trace_graph"
    trigger.mkdir()
    spent = [[int(NOON.timestamp() * 1000) - 1000, False]] * 90
    (trigger / "quota.json").write_bytes(orjson.dumps({"limit": 90, "attempts": spent}))
    world.tenant.add(make_row(NOON, MessageTraceId=PHISH))
    who = {"trace_id": PHISH, "recipient": "ada@contoso.example"}
    for number in range(12):
        result = analyst.details(**who, time_limit=20)
        assert result.complete is (number < 10), "the tenth that triggers leave"
    assert analyst.requests == 10
    assert clock.waits == []
    assert orjson.loads((trigger / "quota.json").read_bytes())["attempts"] == spent
    mine = orjson.loads((analyst.data / ACTIONS_FOLDER / "quota.json").read_bytes())
    assert len(mine["attempts"]) == 10
    clock.wait(300)
    assert analyst.details(**who).complete


def test_the_quota_of_five_minutes_is_never_exceeded(
    analyst: Analyst, world: Sandbox, clock: TurnedClock
) -> None:
    world.tenant.add(make_row(NOON, MessageTraceId=PHISH))
    who = {"trace_id": PHISH, "recipient": "ada@contoso.example"}
    for _ in range(150):
        assert analyst.details(**who, time_limit=600).complete
    assert [each for each in world.request_log.entries("graph") if each.status == 429] == []


def test_nothing_that_is_logged_names_a_person_or_a_subject(
    analyst: Analyst, world: Sandbox, log: Logbook
) -> None:
    world.tenant.add(make_row(NOON - HOUR, SenderAddress="canary@x.example", Subject="canary"))
    world.faults.add(Rule(Answer(500, b"canary"), "graph", nth=2, times=6))
    analyst.search(sender="canary@x.example", subject="canary")
    analyst.recipients(sender="canary@x.example", subject="canary", time_limit=20)
    analyst.details(trace_id=PHISH, recipient="canary@x.example", time_limit=20)
    assert log.lines
    assert "canary" not in str(log.lines)
