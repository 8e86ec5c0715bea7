"""What a failed request held is let go at once: pages are large, and the garbage collector comes rarely."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from office365_message_trace.errors import MessageTraceError, Unavailable
from office365_message_trace.microsoft.auth import TokenHttp
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.model import Event
from office365_message_trace.sekoia.intake import BatchPusher
from office365_message_trace.transport.client import RequestsHttp
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import TimeoutSession
from tests.support import Logbook, TurnedClock, minutes
from tests.unit.test_session import resets, says, serving
from tests.ways import Conduct

ROW = {"id": "a", "receivedDateTime": "2026-06-15T12:00:00Z", "recipientAddress": "b"}


def answer(status: str, body: bytes, length: int | None = None) -> Conduct:
    return says(
        b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        % (status.encode(), length or len(body)),
        body,
    )


def page(**besides: object) -> bytes:
    return json.dumps({"value": [ROW] * 1000, **besides}).encode()


FAILURES = {
    "a torn page": answer("200 OK", page(), 10_000_000),
    "no answer": says(),
    "a connection that is reset": resets,
    "a fault": answer("503 Service Unavailable", page()),
    "too many requests": answer("429 Too Many Requests", page()),
    "what is not JSON": answer("200 OK", page()[:-1]),
    "an error beside the rows": answer("200 OK", page(error={"code": "x"})),
    "a page over the limit": answer("200 OK", b" " * 7_000_000),
    "a refusal": answer("403 Forbidden", page()),
    "a mistake": answer("400 Bad Request", page()),
    "a link that leads back": answer("200 OK", page(**{"@odata.nextLink": "?back"})),
    "a link to another host": answer("200 OK", page(**{"@odata.nextLink": "http://other.example"})),
}

PASSING = ["a torn page", "no answer", "a connection that is reset", "a fault"]
"""Failures after which the same batch is sent again."""


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failed_request_leaves_nothing_to_the_garbage_collector(
    failure: Conduct, background: bool
) -> None:
    clock, log = TurnedClock(), Logbook()
    transport = Transport(RequestsHttp(TimeoutSession()), "The service", clock, log)
    with serving(failure) as server:
        client = GraphClient(server.url, transport, clock, log)

        def ask() -> None:
            with pytest.raises(MessageTraceError):
                list(client.pages(minutes(0, 5), background=background, attempts=1))

        ask()  # what is made once is no leftover
        with no_garbage_collection():
            for _ in range(3):
                ask()
            assert gc.collect() == 0


@pytest.mark.parametrize(
    "failure", [FAILURES["no answer"], FAILURES["a torn page"]], ids=["no answer", "torn"]
)
def test_a_failed_token_request_leaves_nothing_to_the_garbage_collector(failure: Conduct) -> None:
    with serving(failure) as server:
        http = TokenHttp(server.url + "tenant", TimeoutSession())

        def ask() -> None:
            with pytest.raises(Unavailable):
                http.post(server.url + "tenant/token", data={"client_secret": "s"})

        ask()
        with no_garbage_collection():
            for _ in range(3):
                ask()
            assert gc.collect() == 0


@pytest.mark.parametrize(
    "failure",
    [each for name, each in FAILURES.items() if name in PASSING],
    ids=PASSING,
)
def test_a_batch_that_is_sent_again_is_not_left_to_the_garbage_collector(
    failure: Conduct,
) -> None:
    accepted = answer("200 OK", b'{"event_ids": ["1"]}')
    clock, log = TurnedClock(), Logbook()
    transport = Transport(RequestsHttp(TimeoutSession()), "The intake", clock, log)
    with serving(failure, accepted) as server:
        pusher = BatchPusher(server.url, "key", 10, transport, clock, log, "format")

        def push() -> None:
            (delivery,) = pusher.push([Event(0, "id", b"digest", "{}")])
            assert delivery.accepted

        push()
        with no_garbage_collection():
            for _ in range(3):
                push()
            assert gc.collect() == 0
