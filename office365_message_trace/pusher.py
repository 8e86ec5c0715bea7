"""Delivery to a Sekoia.io intake: an event is delivered when the intake has given it an id."""

import gzip
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import orjson

from office365_message_trace import codec
from office365_message_trace.clock import Clock
from office365_message_trace.errors import Misconfigured, Refused, Unavailable
from office365_message_trace.model import Event, Log
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS
from office365_message_trace.transport import Answer, Request, Transport, check_available

BATCH_BYTES = 9 * 1024 * 1024  # of the 10 MiB that the intake takes; the rest is for the envelope
EVENT_BYTES = 250_000  # a larger event may be rejected; the SDK draws the line here

# Seconds before each time that events refused beside accepted ones are tried again: one of several
# servers behind the address may refuse what the others take.
_SECOND_THOUGHTS = (2.0, 6.0, 18.0)
_REFUSALS = 32  # of parts of a batch of which nothing was accepted, before giving up
_GZIP_LEVEL = 1  # rows repeat themselves: higher levels cost more CPU than the bytes are worth

ALL_REFUSED = (
    "The Sekoia.io intake accepts none of the events. Compare intake_key and intake_server with "
    "the intake on Sekoia.io; if they are right, report this to Sekoia.io's support with the text "
    "in brackets. The events are held and sent again."
)


def key_refused(intake_format: str) -> str:
    """Advice about a refused intake key, for events that the format named ``intake_format`` reads."""
    return (
        "The Sekoia.io intake refuses the intake key. Compare intake_key with the key on Sekoia.io > "
        f"Intakes > your intake of the format {intake_format}, and check that the intake is still "
        "there."
    )


class Deliveries(Protocol):
    """Who counts what happens to events."""

    def accepted(self, events: int, seconds: float) -> None: ...

    def discarded(self, events: int) -> None: ...


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What the intake said of one batch: how many events it gave an id, and why not more."""

    ids: int
    reason: str = ""


class BatchPusher:
    """Posts events to ``{intake_server}/batch`` with ``intake_key``.

    A batch holds at most ``chunk_size`` events and `BATCH_BYTES`. An event over `EVENT_BYTES` travels
    alone, so that its rejection touches no neighbour. ``intake_format`` is the name of the format that
    reads the events, for sentences.
    """

    def __init__(
        self,
        intake_server: str,
        intake_key: str,
        chunk_size: int,
        transport: Transport,
        clock: Clock,
        log: Log,
        deliveries: Deliveries,
        intake_format: str = INTAKE_FORMATS["reporting"],
    ) -> None:
        self._url = intake_server.rstrip("/") + "/batch"
        self._key = intake_key
        self._chunk_size = chunk_size
        self._transport = transport
        self._clock = clock
        self._log = log
        self._deliveries = deliveries
        self._intake_format = intake_format
        self._trusted = False  # whether the intake accepted something since it last refused all
        self._suspects: set[bytes] = set()  # fingerprints of what it refused when it refused all
        self._compressed = True
        self._proven = False  # whether the intake accepted anything in this form

    def push(self, events: Iterable[Event]) -> Iterator[list[Event]]:
        """Deliver ``events``; yields each batch once the intake is done with all of it.

        Done means accepted, or beyond doubt unacceptable: then the event is counted, logged by its
        trace id and left out. Faults that pass are waited out without end. Raises `Misconfigured` for
        a refused key, and `Refused` if nothing at all is accepted.
        """
        for batch in batches(events, self._chunk_size):
            started = self._clock.monotonic()
            unacceptable = self._deliver(batch)
            accepted = len(batch) - len(unacceptable)
            if accepted:
                self._trusted = self._proven = True
                self._deliveries.accepted(accepted, self._clock.monotonic() - started)
            self._discard(unacceptable, accepted)
            yield batch

    def _deliver(self, batch: list[Event]) -> list[Event]:
        """Post ``batch``, in ever smaller parts where need be; returns what was not accepted.

        Larger parts go first, each with a single event of it, so that an intake that takes nothing is
        recognised before it is asked event by event.
        """
        parts = deque([batch])
        unacceptable: list[Event] = []
        refusals = accepted = 0
        while parts:
            part = parts.popleft()
            verdict = self._post(part)
            accepted += verdict.ids
            if verdict.ids == len(part):
                continue
            refusals += 1
            if len(part) > 1:
                middle = len(part) // 2
                parts += filter(None, (part[:middle], part[middle:-1], part[-1:]))
            else:
                unacceptable += part
            if not accepted and refusals >= _REFUSALS:
                self._trusted = False
                raise self._refused(Refused(ALL_REFUSED, verdict.reason))
        for pause in _SECOND_THOUGHTS:
            if unacceptable and (accepted or self._trusted):
                self._clock.wait(pause)
                unacceptable = [event for event in unacceptable if not self._post([event]).ids]
        return unacceptable

    def _discard(self, unacceptable: list[Event], accepted: int) -> None:
        """Leave out what the intake does not take, unless it is the intake that is at fault."""
        if not unacceptable:
            return
        suspects = {event.fingerprint for event in unacceptable}
        oversized = all(_is_oversized(event) for event in unacceptable)
        convicted = self._trusted and suspects <= self._suspects
        self._trusted = bool(accepted)
        if not (accepted or oversized or convicted):
            self._suspects |= suspects
            reason = f"{len(unacceptable)} events refused, none accepted"
            raise self._refused(Refused(ALL_REFUSED, reason))
        self._suspects -= suspects
        self._deliveries.discarded(len(unacceptable))
        for event in unacceptable:
            self._log(
                f"The intake does not accept one event ({_utf8_length(event.text)} bytes); it is left "
                f"out. Its message trace id: {event.trace_id}",
                "error",
            )

    def _post(self, batch: list[Event]) -> _Verdict:
        body = orjson.dumps({"intake_key": self._key, "jsons": [event.text for event in batch]})
        headers = {"Content-Type": "application/json"}
        if self._compressed:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, _GZIP_LEVEL, mtime=0)
        request = Request("POST", self._url, headers, body)
        return self._transport.call(request, lambda answer: self._verdict(answer, len(batch)))

    def _refused(self, refusal: Refused) -> Refused:
        """The ``refusal`` of everything. As long as nothing was ever accepted it may be about the
        compression, which what stands before the intake may not let pass: the next attempt changes it.
        """
        if not self._proven:
            self._compressed = not self._compressed
        return refusal

    def _verdict(self, answer: Answer, events: int) -> _Verdict:
        """Raises `Misconfigured` for a refused key and `Unavailable` for what is no verdict."""
        detail = f"status {answer.status}"
        if answer.status in (401, 403, 404):
            raise self._refused(Misconfigured(key_refused(self._intake_format), detail))
        check_available(answer, self._clock.now())
        if answer.status in (400, 413, 422):
            return _Verdict(0, detail)
        if not 200 <= answer.status < 300:
            raise self._refused(Refused(ALL_REFUSED, detail))
        try:
            ids = codec.decode(answer.body)["event_ids"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable("an answer without event ids", detail) from error
        if not isinstance(ids, list):
            raise Unavailable("an answer without event ids", detail)
        return _Verdict(min(len(ids), events), detail)


def batches(events: Iterable[Event], most: int) -> Iterator[list[Event]]:
    """``events`` in their order, cut so that no batch has more than ``most`` or `BATCH_BYTES`."""
    batch: list[Event] = []
    size = 0
    for event in events:
        length = _wire_length(event.text)
        alone = _is_oversized(event)
        if batch and (alone or len(batch) >= most or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        if alone:
            yield [event]
            continue
        batch.append(event)
        size += length
    if batch:
        yield batch


def _is_oversized(event: Event) -> bool:
    return 4 * len(event.text) > EVENT_BYTES and _utf8_length(event.text) > EVENT_BYTES


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _wire_length(text: str) -> int:
    """Bytes of ``text``, itself JSON, as a JSON string at most: quotes and backslashes are escaped, and
    a character beyond ASCII takes up to four. Not counted, because that takes longer than it saves.
    """
    return (2 if text.isascii() else 4) * len(text) + 3
