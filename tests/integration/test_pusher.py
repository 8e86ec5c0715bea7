"""Delivery to the sandbox's intake: accepted once and in order, refused alone, or held."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace.errors import Misconfigured, Refused, Stopped
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.model import Delivery, Event
from office365_message_trace.sekoia import intake as pusher_module
from office365_message_trace.sekoia import rejected_events
from office365_message_trace.sekoia.intake import LONGEST_ANSWER, BatchPusher, batches
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS
from office365_message_trace.settings import OAuthSettings, parse
from office365_message_trace.transport import session as session_module
from office365_message_trace.transport.client import Pending, Request, RequestsHttp
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import TimeoutSession
from office365_message_trace.wiring import Wiring
from sandbox import Answer, Drop, Fault, Hang, LoseAnswer, Rule, Sandbox, Truncate, html_page
from sandbox.intake import PoisonAnswer
from sandbox.wire import Response
from tests.support import Logbook, TurnedClock

POISON = "poison"


class Tally(BatchPusher):
    """Adds up what is delivered, however it ends."""

    events = 0
    refused = 0

    def push(self, events: Iterable[Event]) -> Iterator[Delivery]:
        for each in super().push(events):
            assert each.seconds >= 0
            self.events += len(each.accepted)
            self.refused += len(each.refused)
            yield each


class Recorder:
    """An `Http` that keeps the requests it passes on."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._http = RequestsHttp(TimeoutSession())

    def begin(self, request: Request) -> Pending:
        self.requests.append(request)
        return self._http.begin(request)

    @property
    def bodies(self) -> list[bytes]:
        return [gzip.decompress(request.body or b"") for request in self.requests]


class Desk:
    """A pusher to the sandbox's intake, with everything it uses within reach."""

    def __init__(self, world: Sandbox, clock: TurnedClock, log: Logbook) -> None:
        self.world, self.clock, self.log = world, clock, log
        self.http = Recorder()
        self.transport = Transport(self.http, "The intake", clock, log, jitter=lambda: 1.0)

    def pusher(self, chunk_size: int = 10, key: str | None = None) -> BatchPusher:
        self.tally = Tally(
            self.world.url("intake"),
            key or self.world.identity.intake_key,
            chunk_size,
            self.transport,
            self.clock,
            self.log,
            INTAKE_FORMATS["reporting"],
        )
        return self.tally

    def rest(self) -> None:
        """Let as much time pass as until a refused event is sent again."""
        self.clock.wait(rejected_events.REST)
        self.clock.waits.pop()

    @property
    def arrived(self) -> list[str]:
        return self.world.intake.events


@pytest.fixture
def delivery(world: Sandbox, clock: TurnedClock, log: Logbook) -> Desk:
    return Desk(world, clock, log)


def event(number: int, text: str = "", length: int = 0) -> Event:
    content = json.dumps({"n": number, "text": text or "x" * length}, ensure_ascii=False)
    return Event(number, f"trace-{number}", number.to_bytes(16, "big"), content)


def some(count: int, bad: Iterable[int] = ()) -> list[Event]:
    """Events 0 to ``count``, of which those numbered ``bad`` are poison."""
    return [event(n, POISON if n in bad else "good") for n in range(count)]


def texts(events: Iterable[Event]) -> list[str]:
    return [each.text for each in events]


def outcome(pusher: BatchPusher, events: list[Event]) -> Delivery:
    """``events`` pushed; all that were accepted and all that were refused."""
    both = Delivery([], [])
    for delivery in pusher.push(events):
        both.accepted.extend(delivery.accepted)
        both.refused.extend(delivery.refused)
    assert sorted(both.accepted + both.refused) == sorted(events), "each event is settled once"
    return both


def done(pusher: BatchPusher, events: list[Event]) -> list[Event]:
    """``events`` pushed, of which none may be refused; those that were accepted."""
    both = outcome(pusher, events)
    assert both.refused == []
    return both.accepted


def numbers(events: Iterable[Event]) -> list[int]:
    return sorted(each.received for each in events)


# Batches


@given(
    st.lists(st.text(max_size=60), max_size=40),
    st.integers(1, 12),
    st.integers(150, 400),
    st.integers(60, 140),
)
def test_batches_keep_order_and_bounds_and_lose_nothing(
    subjects: list[str], most: int, batch_bytes: int, event_bytes: int
) -> None:
    events = [
        Event(n, str(n), b"", orjson.dumps({"Subject": subject}).decode())
        for n, subject in enumerate(subjects)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pusher_module, "BATCH_BYTES", batch_bytes)
        patch.setattr(pusher_module, "EVENT_BYTES", event_bytes)
        cut = list(batches(iter(events), most))
    assert [each for batch in cut for each in batch] == events
    for batch in cut:
        assert 1 <= len(batch) <= most
        sent = orjson.dumps(texts(batch))
        assert len(batch) == 1 or len(sent) <= batch_bytes + len("[]")
        if any(len(orjson.dumps(each.text)) > event_bytes + 3 for each in batch):
            assert len(batch) == 1


@given(st.lists(st.integers(0, 500_000), max_size=30))
def test_with_the_real_bounds_a_body_fits_into_what_the_intake_takes(lengths: list[int]) -> None:
    events = [event(n, length=length) for n, length in enumerate(lengths)]
    for batch in batches(events, 10_000):
        body = orjson.dumps({"intake_key": "k" * 100, "jsons": texts(batch)})
        assert len(body) <= 10 * 1024 * 1024


def test_batches_are_full_when_there_is_enough() -> None:
    assert [len(batch) for batch in batches(some(25), 10)] == [10, 10, 5]


# Delivered


def test_every_event_arrives_once_and_in_order(delivery: Desk) -> None:
    events = [event(n, "é\u2028\"'\\ud83c🏳️‍🌈") for n in range(95)]
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts(events)
    assert max(Counter(a.batch for a in delivery.world.intake.accepted).values()) == 10
    assert (delivery.tally.events, delivery.tally.refused) == (95, 0)
    assert delivery.log.lines == []


def test_a_body_is_compressed_json_with_the_key(delivery: Desk) -> None:
    events = some(100)
    done(delivery.pusher(chunk_size=1000), events)
    (request,) = delivery.http.requests
    assert request.url == delivery.world.url("intake") + "/batch"
    assert request.headers == {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert json.loads(delivery.http.bodies[0]) == {
        "intake_key": delivery.world.identity.intake_key,
        "jsons": texts(events),
    }
    assert len(request.body or b"") < len(delivery.http.bodies[0]) / 2


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("status", [400, 403, 404, 415, 500, 503])
def test_where_compressed_bodies_do_not_pass_the_next_attempt_is_plain(
    delivery: Desk, status: int, size: int
) -> None:
    delivery.world.intake.options.compressed_status = status
    pusher, events = delivery.pusher(), some(size)
    if status == 400 or size == 1:
        with pytest.raises(Refused):
            done(pusher, events)
    assert sorted(done(pusher, events)) == events
    encoded = ["Content-Encoding" in each.headers for each in delivery.http.requests]
    assert encoded == sorted(encoded, reverse=True)
    assert delivery.log.texts("error") == []


def test_a_refusal_of_one_event_leaves_the_encoding_as_it_is(delivery: Desk) -> None:
    delivery.world.intake.options.poison = POISON
    pusher = delivery.pusher()
    done(pusher, some(5))
    assert numbers(outcome(pusher, some(1, bad=[0])).refused) == [0]
    assert all("Content-Encoding" in each.headers for each in delivery.http.requests)


def test_an_intake_of_which_one_server_in_two_refuses_takes_all_in_a_few_reads(
    delivery: Desk,
) -> None:
    for nth in range(2, 200, 2):
        delivery.world.faults.add(Rule(Answer(400), "intake", nth=nth))
    pusher, left = delivery.pusher(), some(40)
    for _ in range(8):
        left = outcome(pusher, left).refused
    assert left == []
    assert sorted(delivery.arrived) == sorted(texts(some(40)))


def test_nothing_to_push_is_no_request(delivery: Desk) -> None:
    assert done(delivery.pusher(), []) == []
    assert delivery.http.requests == []


def test_a_batch_is_given_back_before_the_next_is_sent(delivery: Desk) -> None:
    progress = delivery.pusher().push(some(30))
    for number in range(1, 4):
        assert len(next(progress).accepted) == 10
        assert len(delivery.arrived) == delivery.tally.events == 10 * number


def test_a_slash_at_the_end_of_the_address_makes_no_difference(
    delivery: Desk, clock: TurnedClock, log: Logbook
) -> None:
    server = delivery.world.url("intake") + "/"
    key = delivery.world.identity.intake_key
    done(
        BatchPusher(
            server,
            key,
            10,
            delivery.transport,
            clock,
            log,
            INTAKE_FORMATS["reporting"],
        ),
        some(1),
    )
    assert delivery.http.requests[0].url == delivery.world.url("intake") + "/batch"


# Faults that pass


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Answer(500), id="500"),
        pytest.param(Answer(503, b"busy", "text/plain"), id="503"),
        pytest.param(Answer(408), id="408"),
        pytest.param(Answer(302, headers={"Location": "/elsewhere"}), id="redirect"),
        pytest.param(html_page(), id="HTML with status 200"),
        pytest.param(Answer(200, b""), id="nothing with status 200"),
        pytest.param(Answer(204), id="no content"),
        pytest.param(Answer(200, b"{}"), id="no ids"),
        pytest.param(Answer(200, b"[]"), id="list"),
        pytest.param(Answer(200, b"null"), id="null"),
        pytest.param(Answer(200, b'"event_ids"'), id="string"),
        pytest.param(Answer(200, b'{"event_ids":null}'), id="ids are null"),
        pytest.param(Answer(200, b'{"event_ids":10}'), id="ids are a number"),
        pytest.param(Answer(200, b'{"event_ids":{"0":"x"}}'), id="ids are an object"),
        pytest.param(Answer(200, b'{"event_ids":["a","b"'), id="cut JSON"),
        pytest.param(
            Answer(200, json.dumps({"event_ids": ["x"] * 9 + [None] * 2}).encode()),
            id="9 ids in 11 places",
        ),
        pytest.param(Drop(), id="dropped connection"),
        pytest.param(Hang(), id="no answer"),
    ],
)
def test_a_fault_is_waited_out_and_nothing_counts_before(
    delivery: Desk, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(fault, Hang):
        monkeypatch.setattr(session_module, "READ_TIMEOUT", 0.5)
    delivery.world.faults.add(Rule(fault, "intake", times=3))
    events = some(10)
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts(events)
    assert delivery.clock.waits == [1, 2, 4]
    assert delivery.tally.events == 10
    assert len(delivery.log.texts("warning")) == 1
    assert delivery.log.texts("info") == ["The intake answers again."]


@pytest.mark.parametrize("fault", [LoseAnswer(), Truncate()], ids=["lost", "truncated"])
def test_a_lost_acknowledgement_repeats_that_batch_only(delivery: Desk, fault: Fault) -> None:
    delivery.world.faults.add(Rule(fault, "intake", nth=2))
    events = some(30)
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts([*events[:20], *events[10:20], *events[20:]])
    assert delivery.tally.events == 30


def test_retry_after_is_honoured(delivery: Desk) -> None:
    delivery.world.faults.add(Rule(Answer(429, headers={"Retry-After": "25"}), "intake"))
    done(delivery.pusher(), some(3))
    assert delivery.clock.waits == [25]


@pytest.mark.parametrize("events", [some(1), some(3), some(300)], ids=len)
def test_a_fault_that_lasts_holds_the_events(delivery: Desk, events: list[Event]) -> None:
    delivery.world.faults.add(Rule(Answer(503), "intake", times=None))
    pusher = delivery.pusher(chunk_size=1000)
    with pytest.raises(Refused, match=r"many events or a single one.* holds"):
        done(pusher, events)
    assert sum(delivery.clock.waits) < 600
    assert delivery.tally.events == 0
    assert len(delivery.log.texts("warning")) >= 1
    delivery.world.faults.clear()
    assert sorted(done(pusher, events)) == events


def test_slowing_down_is_waited_for_without_end(world: Sandbox, log: Logbook) -> None:
    delivery = Desk(world, TurnedClock(stop_after=2 * 3600), log)
    world.faults.add(Rule(Answer(429), "intake", times=None))
    with pytest.raises(Stopped):
        done(delivery.pusher(), some(3))
    assert world.request_log.count("intake") > 2 * 60


# Refused events


def test_a_batch_that_is_too_large_is_split(delivery: Desk) -> None:
    delivery.world.intake.options.max_payload = 600
    events = [event(n, length=100) for n in range(10)]
    assert sorted(done(delivery.pusher(), events)) == events
    assert sorted(delivery.arrived) == sorted(texts(events))
    assert delivery.tally.events == 10
    assert delivery.clock.waits == []


ANSWERS = ("batch", "null", "short", "status")


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("position", [0, 4, 9])
def test_a_refused_event_is_told_from_its_neighbours(
    delivery: Desk, position: int, answer: PoisonAnswer
) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, answer
    both = outcome(delivery.pusher(), some(10, bad=[position]))
    assert numbers(both.refused) == [position]
    assert set(delivery.arrived) == set(texts(both.accepted))
    assert (delivery.tally.events, delivery.tally.refused) == (9, 1)
    assert delivery.clock.waits == [], "nothing waits for it"
    if answer != "short":
        assert len(delivery.arrived) == 9, "nothing is repeated"
    (line,) = delivery.log.texts()
    assert line == pusher_module.SOME_REFUSED


@pytest.mark.parametrize("status", [302, 403, 404, 406, 408, 418, 500, 502, 503])
@pytest.mark.parametrize("bad", [[0], [4], [9], [0, 9], [0, 2, 7]], ids=str)
def test_whatever_refuses_the_batch_of_an_event_its_neighbours_are_delivered(
    delivery: Desk, status: int, bad: list[int]
) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_status = POISON, status
    pusher = delivery.pusher()
    done(pusher, some(1))
    events, both = some(10, bad), Delivery([], [])
    for _ in range(3):  # where several are bad, the intake may seem to be at fault at first
        with suppress(Refused):
            both = outcome(pusher, events)
            break
    assert sorted(numbers(both.refused)) == bad
    assert sorted(delivery.arrived[1:]) == sorted(
        texts(each for each in events if each not in both.refused)
    )
    assert sum(delivery.clock.waits) < 600
    assert delivery.log.texts("error") == [pusher_module.SOME_REFUSED]

    delivery.clock.waits.clear()
    delivery.rest()
    again = outcome(pusher, [*both.refused, *some(13)[10:]])
    assert sorted(numbers(again.refused)) == bad
    assert sum(delivery.clock.waits) <= 7, "what was refused before holds nothing up"
    options.poison = None
    delivery.rest()
    assert sorted(numbers(done(pusher, again.refused))) == bad


@pytest.mark.parametrize("status", [403, 404, 406, 500, 503])
def test_whatever_refuses_a_single_event_of_a_quiet_tenant_the_next_one_is_delivered(
    delivery: Desk, status: int
) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_status = POISON, status
    pusher = delivery.pusher()
    done(pusher, some(1))
    assert numbers(outcome(pusher, some(1, bad=[0])).refused) == [0]
    assert sum(delivery.clock.waits) < 310
    assert done(pusher, some(2)[1:]) == some(2)[1:]


def test_a_batch_that_only_passes_in_parts_is_repeated_a_few_times_and_once(
    delivery: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a gateway gives up on what the intake has taken."""
    intake = delivery.world.intake
    take = intake.accept

    def accept(events: list[str], size: int = 0) -> Response:
        answer = take(events, size)
        return Response(504) if len(events) > 200 else answer

    monkeypatch.setattr(intake, "accept", accept)
    pusher, events = delivery.pusher(chunk_size=1000), some(4000)
    assert sorted(done(pusher, events)) == events
    counts = Counter(delivery.arrived)
    assert set(counts) == set(texts(events))
    assert max(counts.values()) <= 9
    assert sum(counts[text] for text in texts(events[1000:])) == 3000, "it is learnt"


def test_a_short_outage_makes_no_event_a_refused_one(delivery: Desk) -> None:
    pusher = delivery.pusher()
    done(pusher, some(1))
    for times in range(1, 8):
        delivery.world.faults.add(Rule(Answer(502), "intake", times=times))
        assert sorted(done(pusher, some(10))) == some(10)
    assert delivery.log.texts("error") == []


@pytest.mark.parametrize("answer", ["null", "status"])
def test_where_the_answer_tells_which_event_is_refused_nothing_is_sent_again(
    delivery: Desk, answer: PoisonAnswer
) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, answer
    both = outcome(delivery.pusher(), some(10, bad=[2, 7]))
    assert numbers(both.refused) == [2, 7]
    assert len(delivery.http.requests) == 1


@pytest.mark.parametrize("answer", ANSWERS)
def test_many_refused_events_among_good_ones_are_all_found(
    delivery: Desk, answer: PoisonAnswer
) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, answer
    bad = set(range(2, 200, 5))
    both = outcome(delivery.pusher(chunk_size=200), some(200, bad))
    assert set(numbers(both.refused)) == bad
    assert (delivery.tally.events, delivery.tally.refused) == (160, 40)


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_event_that_is_refused_for_a_minute_is_accepted_after_it(
    delivery: Desk, answer: PoisonAnswer
) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, answer
    options.poison_until = delivery.clock.now() + timedelta(minutes=1)
    pusher = delivery.pusher()
    left = outcome(pusher, some(10, bad=[3])).refused
    left = outcome(pusher, left).refused
    assert numbers(left) == [3]
    delivery.clock.wait(60)
    assert numbers(done(pusher, left)) == [3]


def test_an_event_that_was_refused_travels_alone_and_last_from_then_on(delivery: Desk) -> None:
    delivery.world.intake.options.poison = POISON
    pusher, bad = delivery.pusher(), some(10, bad=[3, 6])
    outcome(pusher, bad)
    delivery.http.requests.clear()
    delivery.rest()
    both = outcome(pusher, [bad[3], *some(20)[10:], bad[6]])
    assert numbers(both.refused) == [3, 6]
    assert [len(json.loads(body)["jsons"]) for body in delivery.http.bodies] == [10, 1, 1]
    assert len(delivery.arrived) == len(set(delivery.arrived)) == 18
    assert len(delivery.log.lines) == 1, "it is news once"


def test_a_refused_event_rests_for_a_while_however_often_its_time_is_read(
    delivery: Desk,
) -> None:
    delivery.world.intake.options.poison = POISON
    pusher, events = delivery.pusher(), some(3, bad=[1])
    outcome(pusher, events)
    delivery.http.requests.clear()
    for reads in range(1, 4):
        for _ in range(5):
            assert numbers(outcome(pusher, events[1:2]).refused) == [1]
        assert len(delivery.http.requests) == reads - 1
        delivery.rest()
    delivery.world.intake.options.poison = None
    assert numbers(done(pusher, events[1:2])) == [1]


def test_an_event_that_was_accepted_after_a_refusal_is_suspect_no_longer(delivery: Desk) -> None:
    options = delivery.world.intake.options
    options.poison = POISON
    pusher, events = delivery.pusher(), some(3, bad=[1])
    outcome(pusher, events)
    options.poison = None
    delivery.rest()
    done(pusher, events)
    delivery.http.requests.clear()
    done(pusher, events)
    assert len(delivery.http.requests) == 1


def test_only_so_many_refused_events_are_remembered(
    delivery: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejected_events, "MOST_REMEMBERED", 2)
    delivery.world.intake.options.poison = POISON
    pusher, events = delivery.pusher(), some(4, bad=[0, 1, 2])
    outcome(pusher, events)
    delivery.http.requests.clear()
    delivery.rest()
    outcome(pusher, events)
    sizes = [len(json.loads(body)["jsons"]) for body in delivery.http.bodies]
    assert sizes == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("refusals", [4, 15])
def test_a_moment_of_refusals_in_the_middle_of_a_batch_costs_no_event(
    delivery: Desk, refusals: int
) -> None:
    delivery.world.faults.add(Rule(Answer(400), "intake", times=refusals))
    pusher, events = delivery.pusher(), some(100)
    left = outcome(pusher, events).refused
    delivery.rest()
    done(pusher, left)
    assert sorted(delivery.arrived) == sorted(texts(events))


@pytest.mark.parametrize("letter", ["x", "é"], ids=["one byte a letter", "two bytes a letter"])
def test_an_event_above_the_limit_travels_alone_and_is_refused_even_at_first(
    delivery: Desk, letter: str
) -> None:
    large = event(0, letter * (300_000 // len(letter.encode())))
    both = outcome(delivery.pusher(), [large, *some(5)[1:]])
    assert both.refused == [large]
    assert delivery.arrived == texts(both.accepted)
    assert [len(json.loads(body)["jsons"]) for body in delivery.http.bodies] == [1, 4]
    assert "xxx" not in "".join(delivery.log.texts())


def test_an_event_just_below_the_limit_is_delivered(delivery: Desk) -> None:
    events = [event(n, length=249_000) for n in range(3)]
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts(events)


def test_a_fault_in_the_middle_of_a_search_is_waited_out(delivery: Desk) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, "short"
    for nth, fault in enumerate((Answer(503), Drop(), Answer(429), LoseAnswer()), 3):
        delivery.world.faults.add(Rule(fault, "intake", nth=nth))
    both = outcome(delivery.pusher(chunk_size=100), some(100, bad=[77]))
    assert numbers(both.refused) == [77]
    assert set(delivery.arrived) == set(texts(both.accepted))


# Fewer ids than events


def repeats(delivery: Desk) -> int:
    return len(delivery.arrived) - len(set(delivery.arrived))


def test_one_event_of_a_thousand_without_an_id_costs_less_than_its_batch(delivery: Desk) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, "short"
    events = [event(n, length=20) for n in range(1000)]
    events[500] = event(500, POISON + "x" * 14)
    pusher = delivery.pusher(chunk_size=1000)
    assert numbers(outcome(pusher, events).refused) == [500]
    assert repeats(delivery) < 600
    before = repeats(delivery)
    assert numbers(outcome(pusher, [events[500], event(1000)]).refused) == [500]
    assert repeats(delivery) == before, "it is known by then"


def test_after_such_an_answer_batches_are_small_and_grow_again(delivery: Desk) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, "short"
    pusher = delivery.pusher(chunk_size=1000)
    outcome(pusher, some(1000, bad=[999]))
    delivery.http.requests.clear()
    done(pusher, [event(n) for n in range(1000, 4000)])
    sizes = [len(json.loads(body)["jsons"]) for body in delivery.http.bodies]
    assert sizes == [100, 200, 400, 300, 800, 200, 1000]
    outcome(pusher, [event(4000, POISON), *(event(n) for n in range(4001, 5000))])
    before = repeats(delivery)
    outcome(pusher, [event(5000, POISON), *(event(n) for n in range(5001, 6000))])
    assert repeats(delivery) - before <= 100


def test_the_largest_event_is_looked_at_first(delivery: Desk) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, "short"
    events = [event(n, length=50) for n in range(1000)]
    events[900] = event(900, POISON + "x" * 100)
    outcome(delivery.pusher(chunk_size=1000), events)
    assert repeats(delivery) < 50


def test_what_is_accepted_is_yielded_before_the_next_request(delivery: Desk) -> None:
    """So that a kill in the middle of a search repeats little."""
    options = delivery.world.intake.options
    options.poison = POISON
    seen: list[Event] = []
    for each in delivery.pusher(chunk_size=100).push(some(100, bad=[50])):
        seen += each.accepted
        assert delivery.arrived == texts(seen)


def test_an_answer_that_never_comes_right_is_no_verdict(world: Sandbox, log: Logbook) -> None:
    desk = Desk(world, TurnedClock(), log)
    world.faults.add(
        Rule(
            Answer(201, b'{"event_ids": [null, "", null, "", 5, {}, 0, []]}'), "intake", times=None
        )
    )
    with pytest.raises(Refused, match="more event ids than events"):
        done(desk.pusher(), some(7))
    assert desk.tally.events == 0


# The intake is at fault itself


def test_an_answer_over_the_limit_of_the_intake_is_no_verdict(
    world: Sandbox, clock: TurnedClock, log: Logbook, tmp_path: Path
) -> None:
    who = world.identity
    application = {
        "tenant_id": who.tenant_id,
        "client_id": who.client_id,
        "client_secret": who.client_secret,
    }
    settings = parse(OAuthSettings, {**application, "intake_key": who.intake_key})
    parts = Wiring(settings, Endpoints(), tmp_path, MicrosoftClock(clock, log), log)
    heavy = json.dumps({"event_ids": ["an id"], "more": "x" * LONGEST_ANSWER})
    world.faults.add(Rule(Answer(200, heavy.encode()), "intake"))
    assert done(parts.pusher(world.url("intake")), some(1)) == some(1)
    assert world.intake.events == texts(some(1))
    assert "an answer over the limit" in str(log.lines)


def test_events_are_held_by_an_intake_that_accepts_none(delivery: Desk) -> None:
    delivery.world.intake.options.poison = '"n"'
    pusher, events = delivery.pusher(), some(4)
    for _ in range(3):
        with pytest.raises(Refused, match="holds the events and sends them again") as caught:
            done(pusher, events)
        assert not isinstance(caught.value, Misconfigured)
        assert "status 400" in caught.value.detail
    assert (delivery.tally.events, delivery.tally.refused) == (0, 0)
    delivery.world.intake.options.poison = None
    assert done(pusher, events) == events
    assert delivery.arrived == texts(events)
    assert delivery.tally.events == 4


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("count", [2, 31, 200])
def test_an_intake_that_refuses_everything_for_minutes_marks_no_event(
    delivery: Desk, answer: PoisonAnswer, count: int
) -> None:
    options = delivery.world.intake.options
    pusher, events = delivery.pusher(chunk_size=200), some(count)
    done(pusher, [event(1000)])
    options.poison, options.poison_answer = '"n"', answer
    for _ in range(5):
        with pytest.raises(Refused):
            outcome(pusher, events)
    assert delivery.tally.refused == 0
    options.poison = None
    assert numbers(done(pusher, events)) == numbers(events)
    assert repeats(delivery) == 0


def test_an_intake_that_begins_to_refuse_everything_is_believed_about_one_event_at_most(
    delivery: Desk,
) -> None:
    pusher = delivery.pusher()
    done(pusher, [event(0)])
    delivery.world.intake.options.poison = '"n"'
    assert numbers(outcome(pusher, [event(1)]).refused) == [1]
    for number in (2, 3, 2):
        with pytest.raises(Refused):
            outcome(pusher, [event(1), event(number)])
    with pytest.raises(Refused):
        outcome(pusher, [event(1)])
    delivery.world.intake.options.poison = None
    assert numbers(done(pusher, [event(1), event(2), event(3)])) == [1, 2, 3]


def test_a_first_event_that_is_refused_is_held(delivery: Desk) -> None:
    delivery.world.intake.options.poison = POISON
    with pytest.raises(Refused):
        done(delivery.pusher(), some(1, bad=[0]))
    assert delivery.tally.refused == 0


def test_a_lone_refused_event_of_a_quiet_tenant_is_refused_again_and_again_and_holds_nothing(
    delivery: Desk,
) -> None:
    delivery.world.intake.options.poison = POISON
    pusher, bad = delivery.pusher(), event(7, POISON)
    done(pusher, some(3))
    for _ in range(5):
        assert outcome(pusher, [bad]).refused == [bad]
    assert numbers(outcome(pusher, [bad, event(8)]).accepted) == [8]
    assert delivery.tally.refused == 6


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("count", [1, 3, 40])
def test_held_events_are_no_longer_held_once_the_intake_took_another(
    delivery: Desk, answer: PoisonAnswer, count: int
) -> None:
    """Of an earlier read, say, in a process that has just started."""
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, answer
    pusher, bad = delivery.pusher(chunk_size=100), some(count, bad=range(count))
    with pytest.raises(Refused):
        outcome(pusher, bad)
    for number in range(100, 110):
        done(pusher, [event(number)])
        try:
            both = outcome(pusher, bad)
        except Refused:
            continue
        assert sorted(both.refused) == bad
        break
    else:
        raise AssertionError("held for good")


@pytest.mark.parametrize("status", [403, 404, 406, 500, 503])
def test_held_events_are_told_apart_one_by_one_where_answers_may_mean_the_intake(
    delivery: Desk, status: int
) -> None:
    """Events to two recipients, say, which are always read together, where mail comes seldom."""
    options = delivery.world.intake.options
    options.poison, options.poison_status = POISON, status
    pusher, bad = delivery.pusher(), some(6, bad=range(6))
    done(pusher, [event(99)])
    for number in range(100, 102 + len(bad)):
        with suppress(Refused):
            assert sorted(outcome(pusher, bad).refused) == bad
            break
        done(pusher, [event(number)])
    else:
        raise AssertionError("held for good")
    delivery.rest()
    assert sorted(outcome(pusher, [*bad, event(98)]).refused) == bad


@pytest.mark.parametrize("answer", ANSWERS)
def test_held_events_do_not_hold_later_mail(delivery: Desk, answer: PoisonAnswer) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, answer
    pusher, bad = delivery.pusher(), some(3, bad=[0, 1, 2])
    with pytest.raises(Refused):
        outcome(pusher, bad)
    both = outcome(pusher, [*bad, event(3)])
    assert (numbers(both.accepted), numbers(both.refused)) == ([3], [0, 1, 2])


def test_an_intake_that_refuses_everything_is_not_asked_event_by_event(delivery: Desk) -> None:
    pusher = delivery.pusher(chunk_size=200)
    done(pusher, some(1))
    delivery.world.intake.options.poison = '"n"'
    with pytest.raises(Refused):
        done(pusher, some(200)[1:])
    assert len(delivery.http.requests) <= 40
    assert delivery.clock.waits == []


def test_many_events_that_were_refused_are_tried_in_turns(delivery: Desk) -> None:
    options = delivery.world.intake.options
    options.poison, options.poison_answer = POISON, "null"
    pusher, bad = delivery.pusher(chunk_size=200), some(101, bad=range(100))
    bad = outcome(pusher, bad).refused
    for _ in range(4):
        delivery.http.requests.clear()
        delivery.rest()
        assert sorted(outcome(pusher, bad).refused) == bad
        assert len(delivery.http.requests) == 32
    options.poison = None
    delivery.rest()
    assert sorted(done(pusher, bad)) == bad


@pytest.mark.parametrize("status", [402, 409, 415, 451])
def test_an_unknown_refusal_holds_the_events(delivery: Desk, status: int) -> None:
    delivery.world.faults.add(Rule(Answer(status), "intake", times=None))
    pusher, events = delivery.pusher(), some(40)
    with pytest.raises(Refused, match=str(status)) as caught:
        done(pusher, events)
    assert not isinstance(caught.value, Misconfigured)
    assert len(delivery.http.requests) == 3
    delivery.world.faults.clear()
    assert sorted(done(pusher, events)) == events


@pytest.mark.parametrize(
    "fault", [Answer(405), html_page(), html_page(404)], ids=["405", "page", "404"]
)
def test_what_is_no_intake_is_tried_again_and_named_if_it_lasts(
    delivery: Desk, fault: Answer
) -> None:
    delivery.world.faults.add(Rule(fault, "intake", times=None))
    pusher, events = delivery.pusher(), some(4)
    for requests in (6, 9):
        with pytest.raises(Refused, match="intake answers at intake_server") as caught:
            done(pusher, events)
        assert not isinstance(caught.value, Misconfigured)
        assert len(delivery.http.requests) == requests, "what has lasted is not hammered"
    assert delivery.clock.waits == [1, 2, 4]
    delivery.world.faults.clear()
    assert sorted(done(pusher, events)) == events


@pytest.mark.parametrize(
    "fault", [Answer(405), html_page(), html_page(404)], ids=["405", "page", "404"]
)
def test_where_the_intake_accepted_events_before_its_address_is_not_called_wrong(
    delivery: Desk, fault: Answer
) -> None:
    pusher, events = delivery.pusher(), some(5)
    done(pusher, events[:1])
    delivery.world.faults.add(Rule(fault, "intake", times=None))
    for _ in range(2):
        with pytest.raises(Refused, match="in place of the Sekoia"):
            done(pusher, events[1:])
    delivery.world.faults.clear()
    assert sorted(done(pusher, events[1:])) == events[1:]


# The key


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_is_a_mistake_in_the_settings(delivery: Desk, status: int) -> None:
    delivery.world.intake.options.unknown_key_status = status
    pusher = delivery.pusher(key="a-key-of-nobody")
    with pytest.raises(Misconfigured, match="intake_key") as caught:
        done(pusher, some(30))
    assert f"status {status}" in caught.value.detail
    assert "a-key-of-nobody" not in repr((caught.value, vars(caught.value)))
    assert len(delivery.http.requests) == 3
    assert delivery.tally.events == 0


def test_after_the_key_is_mended_the_events_are_delivered(delivery: Desk) -> None:
    key = delivery.world.identity.intake_key
    pusher, events = delivery.pusher(), some(20)
    delivery.world.intake.keys.clear()
    with pytest.raises(Misconfigured):
        done(pusher, events)
    delivery.world.intake.keys.add(key)
    assert sorted(done(pusher, events)) == events
    assert sorted(delivery.arrived) == sorted(texts(events))
