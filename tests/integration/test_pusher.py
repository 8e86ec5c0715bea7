"""Delivery to the sandbox's intake: accepted once and in order, or held; a bad event alone is left out."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace import pusher as pusher_module
from office365_message_trace import transport as transport_module
from office365_message_trace.errors import Misconfigured, Refused, Stopped
from office365_message_trace.model import Event
from office365_message_trace.pusher import BatchPusher, batches
from office365_message_trace.transport import (
    Pending,
    Request,
    RequestsHttp,
    TimeoutSession,
    Transport,
)
from sandbox import Answer, Drop, Fault, Hang, LoseAnswer, Rule, Sandbox, Truncate, html_page
from tests.support import Logbook, TurnedClock

POISON = "poison"


class Tally:
    """`Deliveries` that are added up."""

    def __init__(self) -> None:
        self.events = 0
        self.left_out = 0

    def accepted(self, events: int, seconds: float) -> None:
        assert seconds >= 0
        self.events += events

    def discarded(self, events: int) -> None:
        self.left_out += events


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


class Delivery:
    """A pusher to the sandbox's intake, with everything it uses within reach."""

    def __init__(self, world: Sandbox, clock: TurnedClock, log: Logbook) -> None:
        self.world, self.clock, self.log = world, clock, log
        self.http, self.tally = Recorder(), Tally()
        self.transport = Transport(self.http, "The intake", clock, log, jitter=lambda: 1.0)

    def pusher(self, chunk_size: int = 10, key: str | None = None) -> BatchPusher:
        return BatchPusher(
            self.world.url("intake"),
            key or self.world.identity.intake_key,
            chunk_size,
            self.transport,
            self.clock,
            self.log,
            self.tally,
        )

    @property
    def arrived(self) -> list[str]:
        return self.world.intake.events


@pytest.fixture
def delivery(world: Sandbox, clock: TurnedClock, log: Logbook) -> Delivery:
    return Delivery(world, clock, log)


def event(number: int, text: str = "", length: int = 0) -> Event:
    content = json.dumps({"n": number, "text": text or "x" * length}, ensure_ascii=False)
    return Event(number, f"trace-{number}", number.to_bytes(16, "big"), content)


def some(count: int, bad: Iterable[int] = ()) -> list[Event]:
    """Events 0 to ``count``, of which those numbered ``bad`` are poison."""
    return [event(n, POISON if n in bad else "good") for n in range(count)]


def texts(events: Iterable[Event]) -> list[str]:
    return [each.text for each in events]


def done(pusher: BatchPusher, events: list[Event]) -> list[Event]:
    """``events`` pushed; what the pusher says it is done with."""
    return [each for batch in pusher.push(events) for each in batch]


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


def test_every_event_arrives_once_and_in_order(delivery: Delivery) -> None:
    events = [event(n, "é\u2028\"'\\ud83c🏳️‍🌈") for n in range(95)]
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts(events)
    assert max(Counter(a.batch for a in delivery.world.intake.accepted).values()) == 10
    assert (delivery.tally.events, delivery.tally.left_out) == (95, 0)
    assert delivery.log.lines == []


def test_a_body_is_compressed_json_with_the_key(delivery: Delivery) -> None:
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


@pytest.mark.parametrize("status", [400, 403, 415])
def test_where_compressed_bodies_do_not_pass_the_next_attempt_is_plain(
    delivery: Delivery, status: int
) -> None:
    delivery.world.intake.options.compressed_status = status
    pusher, events = delivery.pusher(chunk_size=2), some(4)
    with pytest.raises(Refused):
        done(pusher, events)
    delivery.http.requests.clear()
    assert done(pusher, events) == events
    assert delivery.arrived == texts(events)
    encoded = ["Content-Encoding" in each.headers for each in delivery.http.requests]
    assert encoded == [False, False]


def test_a_refusal_of_one_event_leaves_the_encoding_as_it_is(delivery: Delivery) -> None:
    delivery.world.intake.options.poison = POISON
    pusher = delivery.pusher()
    done(pusher, some(5))
    with pytest.raises(Refused):
        done(pusher, some(1, bad=[0]))
    assert all("Content-Encoding" in each.headers for each in delivery.http.requests)


def test_an_intake_of_which_one_server_in_two_refuses_loses_nothing(delivery: Delivery) -> None:
    for nth in range(2, 60, 2):
        delivery.world.faults.add(Rule(Answer(400), "intake", nth=nth))
    events = some(40)
    assert done(delivery.pusher(), events) == events
    assert sorted(delivery.arrived) == sorted(texts(events))


def test_nothing_to_push_is_no_request(delivery: Delivery) -> None:
    assert done(delivery.pusher(), []) == []
    assert delivery.http.requests == []


def test_a_batch_is_given_back_before_the_next_is_sent(delivery: Delivery) -> None:
    progress = delivery.pusher().push(some(30))
    for number in range(1, 4):
        assert len(next(progress)) == 10
        assert len(delivery.arrived) == delivery.tally.events == 10 * number


def test_a_slash_at_the_end_of_the_address_makes_no_difference(
    delivery: Delivery, clock: TurnedClock, log: Logbook
) -> None:
    server = delivery.world.url("intake") + "/"
    key = delivery.world.identity.intake_key
    done(BatchPusher(server, key, 10, delivery.transport, clock, log, delivery.tally), some(1))
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
        pytest.param(Drop(), id="dropped connection"),
        pytest.param(Hang(), id="no answer"),
    ],
)
def test_a_fault_is_waited_out_and_nothing_counts_before(
    delivery: Delivery, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(fault, Hang):
        monkeypatch.setattr(transport_module, "READ_TIMEOUT", 0.5)
    delivery.world.faults.add(Rule(fault, "intake", times=3))
    events = some(10)
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts(events)
    assert delivery.clock.waits == [1, 2, 4]
    assert delivery.tally.events == 10
    assert len(delivery.log.texts("warning")) == 1
    assert delivery.log.texts("info") == ["The intake answers again."]


@pytest.mark.parametrize("fault", [LoseAnswer(), Truncate()], ids=["lost", "truncated"])
def test_a_lost_acknowledgement_repeats_that_batch_only(delivery: Delivery, fault: Fault) -> None:
    delivery.world.faults.add(Rule(fault, "intake", nth=2))
    events = some(30)
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts([*events[:20], *events[10:20], *events[20:]])
    assert delivery.tally.events == 30


def test_retry_after_is_honoured(delivery: Delivery) -> None:
    delivery.world.faults.add(Rule(Answer(429, headers={"Retry-After": "25"}), "intake"))
    done(delivery.pusher(), some(3))
    assert delivery.clock.waits == [25]


def test_a_fault_is_waited_out_without_end_until_a_stop(world: Sandbox, log: Logbook) -> None:
    delivery = Delivery(world, TurnedClock(stop_after=2 * 3600), log)
    world.faults.add(Rule(Answer(503), "intake", times=None))
    with pytest.raises(Stopped):
        done(delivery.pusher(), some(3))
    assert world.journal.count("intake") > 2 * 60
    assert delivery.tally.events == 0


# Splitting


def test_a_batch_that_is_too_large_is_split(delivery: Delivery) -> None:
    delivery.world.intake.options.max_payload = 600
    events = [event(n, length=100) for n in range(10)]
    assert done(delivery.pusher(), events) == events
    assert sorted(delivery.arrived) == sorted(texts(events))
    assert delivery.tally.events == 10
    assert delivery.clock.waits == []


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("position", [0, 4, 9])
def test_a_poisonous_event_is_left_out_and_its_neighbours_arrive(
    delivery: Delivery, position: int, status: int
) -> None:
    delivery.world.intake.options.poison = POISON
    if status == 422:
        delivery.world.faults.add(Rule(Answer(422), "intake"))
    events = some(10, bad=[position])
    assert done(delivery.pusher(), events) == events
    assert sorted(delivery.arrived) == sorted(texts(e for e in events if e.received != position))
    assert (delivery.tally.events, delivery.tally.left_out) == (9, 1)
    (line,) = delivery.log.texts("error")
    assert f"trace-{position}" in line
    assert POISON not in line
    assert delivery.clock.waits == [2, 6, 18], "it was tried some times more, with pauses"


def test_many_poisonous_events_among_good_ones_are_all_found(delivery: Delivery) -> None:
    delivery.world.intake.options.poison = POISON
    bad = set(range(2, 200, 5))
    events = some(200, bad)
    assert done(delivery.pusher(chunk_size=200), events) == events
    assert sorted(delivery.arrived) == sorted(texts(e for e in events if e.received not in bad))
    assert (delivery.tally.events, delivery.tally.left_out) == (160, 40)


def test_a_single_refusal_by_mistake_costs_no_event(delivery: Delivery) -> None:
    delivery.world.faults.add(Rule(Answer(400), "intake", times=1))
    pusher, events = delivery.pusher(), some(1)
    with pytest.raises(Refused):
        done(pusher, events)
    assert done(pusher, events) == events
    assert delivery.arrived == texts(events)
    assert delivery.tally.left_out == 0


@pytest.mark.parametrize("refusals", [4, 15])
def test_a_moment_of_refusals_in_the_middle_of_a_batch_costs_no_event(
    delivery: Delivery, refusals: int
) -> None:
    delivery.world.faults.add(Rule(Answer(400), "intake", times=refusals))
    events = some(100)
    assert done(delivery.pusher(), events) == events
    assert sorted(delivery.arrived) == sorted(texts(events))
    assert delivery.tally.left_out == 0


def test_fewer_ids_than_events_are_an_acceptance_of_none_of_them(delivery: Delivery) -> None:
    delivery.world.faults.add(Rule(Answer(200, b'{"event_ids":["a","b"]}'), "intake"))
    events = some(8)
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts(events)
    assert delivery.tally.events == 8


def test_more_ids_than_events_are_an_acceptance(delivery: Delivery) -> None:
    ids = json.dumps({"event_ids": ["x"] * 20}).encode()
    delivery.world.faults.add(Rule(Answer(201, ids), "intake"))
    assert len(done(delivery.pusher(), some(8))) == 8
    assert delivery.tally.events == 8


@pytest.mark.parametrize("letter", ["x", "é"], ids=["one byte a letter", "two bytes a letter"])
def test_an_event_above_the_limit_travels_alone_and_is_left_out_even_at_first(
    delivery: Delivery, letter: str
) -> None:
    large = event(0, letter * (300_000 // len(letter.encode())))
    events = [large, *some(5)[1:]]
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts(events[1:])
    assert (delivery.tally.events, delivery.tally.left_out) == (4, 1)
    assert [len(json.loads(body)["jsons"]) for body in delivery.http.bodies] == [1, 4]
    assert "xxx" not in "".join(delivery.log.texts())


def test_an_event_just_below_the_limit_is_delivered(delivery: Delivery) -> None:
    events = [event(n, length=249_000) for n in range(3)]
    assert done(delivery.pusher(), events) == events
    assert delivery.arrived == texts(events)


# All refused


def test_events_are_never_left_out_by_an_intake_that_accepts_none(delivery: Delivery) -> None:
    delivery.world.intake.options.poison = '"n"'
    pusher, events = delivery.pusher(), some(4)
    for _ in range(3):
        with pytest.raises(Refused, match="held and sent again") as caught:
            done(pusher, events)
        assert not isinstance(caught.value, Misconfigured)
    assert (delivery.tally.events, delivery.tally.left_out) == (0, 0)
    delivery.world.intake.options.poison = None
    assert done(pusher, events) == events
    assert delivery.arrived == texts(events)
    assert delivery.tally.events == 4


def test_a_first_event_that_is_refused_is_held(delivery: Delivery) -> None:
    delivery.world.intake.options.poison = POISON
    with pytest.raises(Refused):
        done(delivery.pusher(), some(1, bad=[0]))
    assert delivery.tally.left_out == 0


def test_a_lone_refused_event_is_left_out_once_the_intake_took_others_after_it(
    delivery: Delivery,
) -> None:
    delivery.world.intake.options.poison = POISON
    pusher = delivery.pusher()
    done(pusher, some(3))
    bad = event(7, POISON)
    with pytest.raises(Refused):
        done(pusher, [bad])
    done(pusher, [event(8)])
    assert done(pusher, [bad]) == [bad]
    assert delivery.tally.left_out == 1
    assert "trace-7" in delivery.log.texts("error")[0]


def test_several_events_need_a_second_refusal_by_an_intake_that_proved_itself(
    delivery: Delivery,
) -> None:
    delivery.world.intake.options.poison = POISON
    pusher, bad = delivery.pusher(), some(3, bad=[0, 1, 2])
    done(pusher, [event(10)])
    with pytest.raises(Refused):
        done(pusher, bad)
    with pytest.raises(Refused):
        done(pusher, bad)
    done(pusher, [event(11)])
    assert done(pusher, bad) == bad
    assert delivery.tally.left_out == 3
    assert len(delivery.log.texts("error")) == 3


def test_an_intake_that_refuses_everything_is_not_asked_event_by_event(
    delivery: Delivery,
) -> None:
    delivery.world.intake.options.poison = '"n"'
    with pytest.raises(Refused):
        done(delivery.pusher(chunk_size=200), some(200))
    assert len(delivery.http.requests) <= 40
    assert delivery.clock.monotonic() <= 600, "and it is said within minutes"


@pytest.mark.parametrize("status", [402, 405, 409, 415, 451])
def test_an_unknown_refusal_holds_the_events(delivery: Delivery, status: int) -> None:
    delivery.world.faults.add(Rule(Answer(status), "intake"))
    pusher, events = delivery.pusher(), some(4)
    with pytest.raises(Refused, match=str(status)) as caught:
        done(pusher, events)
    assert not isinstance(caught.value, Misconfigured)
    assert len(delivery.http.requests) == 1
    assert done(pusher, events) == events


# The key


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_is_a_mistake_in_the_settings(delivery: Delivery, status: int) -> None:
    delivery.world.intake.options.unknown_key_status = status
    pusher = delivery.pusher(key="a-key-of-nobody")
    with pytest.raises(Misconfigured, match="intake_key") as caught:
        done(pusher, some(30))
    assert f"status {status}" in caught.value.detail
    assert "a-key-of-nobody" not in repr((caught.value, vars(caught.value)))
    assert len(delivery.http.requests) == 1
    assert delivery.tally.events == 0


def test_after_the_key_is_mended_the_events_are_delivered(delivery: Delivery) -> None:
    key = delivery.world.identity.intake_key
    pusher, events = delivery.pusher(), some(20)
    delivery.world.intake.keys.clear()
    with pytest.raises(Misconfigured):
        done(pusher, events)
    delivery.world.intake.keys.add(key)
    assert done(pusher, events) == events
    assert delivery.arrived == texts(events)
