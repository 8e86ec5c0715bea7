"""Delivery to a Sekoia.io intake: an event is delivered when the intake has given it an id."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, repeat
from math import inf

import orjson

from office365_message_trace.clock import Clock
from office365_message_trace.errors import Hindered, Refused, Unavailable
from office365_message_trace.model import Delivery, Event, Log
from office365_message_trace.packing import packed
from office365_message_trace.sekoia.division import Answered, settle
from office365_message_trace.sekoia.intake_verdict import (
    ALL_REFUSED,
    INTAKE_NO_LONGER,
    Verdict,
    no_answer,
    verdict,
)
from office365_message_trace.sekoia.rejected_events import RejectedEvents
from office365_message_trace.transport.client import Request
from office365_message_trace.transport.retry import Transport, check_available
from office365_message_trace.transport.session import Answer

BATCH_BYTES = 9 * 1024 * 1024  # of the 10 MiB that the intake takes; the rest is for the envelope
LONGEST_ANSWER = 2 * 1024 * 1024  # bytes; the ids of 10,000 events have 400 kB
EVENT_BYTES = 250_000  # a larger event may be rejected; the SDK draws the line here

_REFUSALS = 32  # requests in a batch of which nothing was accepted, before giving up
_FAULTS = 3  # the same, if the answers do not say that it is the batch that is refused
_ATTEMPTS = 4  # at a batch, before its parts show whether the intake or an event is at fault
_ATTEMPTS_IN_PART = 2
_ATTEMPTS_ALONE = 8  # at a new event, with which nothing can be compared; about two minutes
_KNOWN_SECONDS = 5.0  # for events that are refused again: fresh mail does not wait longer
# seconds, after a batch that was too large for something in front of the intake
_GROW_AFTER = 3600.0
# events in a batch, at most, after one of which some got no id, it is not known which
_CAREFUL = 100

SOME_REFUSED = (
    "The Sekoia.io intake accepts most events, but not all. A running trigger sends the others again "
    "with each later read of their time, and says which it gives up in the end. If it lasts, ask "
    "Sekoia.io's support."
)


class BatchPusher:
    """Posts events to ``{intake_server}/batch`` with ``intake_key``.

    A batch holds at most ``chunk_size`` events and `BATCH_BYTES`. An event over `EVENT_BYTES` travels
    alone, and so does one that was refused before, after all others: neither touches its neighbours.
    After an answer that withholds ids without saying whose, and after a batch of which only parts pass,
    batches are smaller for a while, so that the next such answer costs little. ``intake_format`` is the
    name of the format that reads the events, for sentences.

    Whatever a batch is refused with, be it a fault that lasts or a page of a filter in front of the intake, one
    event may be the reason: so its parts are sent, until one is accepted or all of the intake is at fault.
    """

    def __init__(
        self,
        intake_server: str,
        intake_key: str,
        chunk_size: int,
        transport: Transport,
        clock: Clock,
        log: Log,
        intake_format: str,
    ) -> None:
        self._url = intake_server.rstrip("/") + "/batch"
        self._key = intake_key
        self._chunk_size = self._most = chunk_size
        self._transport = transport
        self._clock = clock
        self._log = log
        self._intake_format = intake_format
        self._rejected = RejectedEvents()
        self._compressed = True
        self._proven = False  # whether the intake accepted anything in this form
        self._grow_at = -inf  # when larger batches may be tried
        self._problem: Refused | None = None  # of the last request, if the intake gave no verdict
        self._turn = 0  # of the events of a batch to be sent alone, while none is accepted
        self._seconds = 0.0  # spent on requests that have not been counted yet
        self._detail = ""  # of the last verdict

    def push(self, events: Iterable[Event]) -> Iterator[Delivery]:
        """Deliver ``events``; yields what each answer settles before the next request is sent.

        Each event is yielded once, as accepted or as refused. A network that fails, and an intake that asks
        to slow down, are waited for without end. Raises `Misconfigured` for a refused key, and `Refused` if
        the intake itself is at fault, by the rule of `RejectedEvents`; what has not been yielded by then is
        to be pushed again.
        """
        new, known, resting = self._rejected.divided(events, self._clock.monotonic())
        if resting:
            yield Delivery([], resting)
        try:
            for full in batches(new, self._chunk_size):
                left = full
                while left:
                    batch, left = left[: self._most], left[self._most :]
                    yield from self._deliver(batch)
            yield from self._deliver_known(known)
        except Refused:
            self._rejected.distrust()
            if not self._problem:
                self._doubt_compression()
            raise

    def _deliver(self, batch: list[Event]) -> Iterator[Delivery]:
        """Deliver a ``batch`` of new events."""
        turn = self._turn % len(batch)
        batch = batch[turn:] + batch[:turn]
        refused: list[Event] = []
        largest = refusals = 0
        any_accepted = faulty = False
        compressed = self._compressed
        for answered in settle([batch], self._first_whole(batch)):
            refused += answered.refused
            faulty = faulty or self._problem is not None
            if answered.any_accepted:
                any_accepted = True
                largest = max(largest, len(answered.accepted))
            else:
                refusals += 1
            yield from self._accepted(answered)
            if refusals >= self._most_in_vain and not any_accepted:
                break
        changed = self._compressed != compressed
        if any_accepted and faulty and not changed:
            self._most = min(max(largest, _CAREFUL), self._chunk_size)
            self._grow_at = self._clock.monotonic() + _GROW_AFTER
        if any_accepted and (faulty or changed):
            yield from self._deliver_known(refused)  # perhaps the fault has passed
        elif refused or refusals:
            yield from self._refuse(batch, refused, any_accepted, known=False)

    def _deliver_known(self, events: list[Event]) -> Iterator[Delivery]:
        """Deliver ``events`` that were refused before, each alone; those for which there is no time are refused
        again."""
        if not events:
            return
        tried, any_accepted, refused = 0, False, list[Event]()
        until = self._clock.monotonic() + _KNOWN_SECONDS
        for answered in settle([[event] for event in events], partial(self._post, attempts=1)):
            tried += 1
            refused += answered.refused
            yield from self._accepted(answered)
            if answered.any_accepted:
                any_accepted, until = True, self._clock.monotonic() + _KNOWN_SECONDS
            in_vain = tried >= self._most_in_vain and not any_accepted
            if in_vain or self._clock.monotonic() >= until:
                break
        left = events[tried:]
        self._rejected.remember_untried(left, self._clock.monotonic())
        if refused:
            yield from self._refuse(events[:tried], refused, any_accepted, known=True)
        if left:
            yield Delivery([], left)

    @property
    def _most_in_vain(self) -> int:
        """The requests to make while nothing is accepted: few if the last answer was not about its events."""
        return _FAULTS if self._problem else _REFUSALS

    def _accepted(self, answered: Answered) -> Iterator[Delivery]:
        """Yield what was accepted."""
        if answered.any_accepted:
            self._proven, self._turn = True, 0
            self._rejected.vouch(answered.accepted)
        if answered.accepted:
            seconds, self._seconds = self._seconds, 0.0
            yield Delivery(answered.accepted, [], seconds)

    def _refuse(
        self, events: list[Event], refused: list[Event], any_accepted: bool, known: bool
    ) -> Iterator[Delivery]:
        """Yield the ``refused`` ones of ``events``. Raises `Refused` if the intake is at fault."""
        explained = any_accepted or all(map(_is_oversized, events))
        problem = self._problem
        if not explained and self._rejected.intake_at_fault(len(events), known, problem is None):
            if problem:
                self._turn += 1
                self._rejected.suspect(refused, self._clock.monotonic())
                # one event alone is no proof that a setting is wrong
                raise Refused(problem.sentence, problem.detail) if known else problem
            if self._proven:
                self._rejected.remember(refused[:_REFUSALS], self._clock.monotonic())
            detail = f"{self._detail}, {len(events)} events refused, none accepted"
            raise Refused(ALL_REFUSED, detail)
        if self._rejected.remember(refused, self._clock.monotonic()):
            self._log(SOME_REFUSED, "error")
        if refused:
            yield Delivery([], refused)

    def _first_whole(self, batch: list[Event]) -> Callable[[list[Event]], Verdict]:
        """A function that posts first the whole ``batch`` and then parts of it, with fewer attempts."""
        first = _ATTEMPTS_ALONE if len(batch) == 1 and self._proven else _ATTEMPTS
        attempts = chain([first], repeat(_ATTEMPTS_IN_PART))
        return lambda events: self._post(events, next(attempts))

    def _post(self, batch: list[Event], attempts: int) -> Verdict:
        """The intake's verdict on ``batch``, which is refused as a whole if there is none after so many
        ``attempts``."""
        body = orjson.dumps({"intake_key": self._key, "jsons": [event.text for event in batch]})
        headers = {"Content-Type": "application/json"}
        if self._compressed:
            headers["Content-Encoding"] = "gzip"
            body = packed(body)
        request = Request("POST", self._url, headers, body)
        began = self._clock.monotonic()
        judged = self._judged(request, len(batch), attempts)
        self._seconds += self._clock.monotonic() - began
        self._detail = judged.detail
        if self._problem and len(batch) == 1:
            self._doubt_compression()
        if judged.positions is None and judged.missing < len(batch):
            self._most = min(_CAREFUL, self._chunk_size)
        elif not judged.missing and len(batch) >= self._most:
            self._grow()
        return judged

    def _judged(self, request: Request, events: int, attempts: int) -> Verdict:
        self._problem = None
        while True:
            try:
                return self._transport.call(
                    request, lambda answer: self._judge(answer, events), attempts
                )
            except Hindered:
                continue  # which no event can be the reason for
            except Unavailable as fault:
                self._problem = no_answer(fault)
            except Refused as refusal:  # which must not keep its request, with all its events
                self._problem = type(refusal)(refusal.sentence, refusal.detail)
            return Verdict(events, (0,) if events == 1 else None, self._problem.detail)

    def _doubt_compression(self) -> None:
        """Change the form of bodies, if none has been accepted: something in front of the intake may not let
        compressed ones pass."""
        if not self._proven:
            self._compressed = not self._compressed

    def _grow(self) -> None:
        now = self._clock.monotonic()
        if now >= self._grow_at:
            self._most = min(2 * self._most, self._chunk_size)
            if self._grow_at > -inf:
                self._grow_at = now + _GROW_AFTER

    def _judge(self, answer: Answer, events: int) -> Verdict:
        check_available(answer, self._clock.now())
        try:
            return verdict(answer.status, answer.body, events, self._intake_format)
        except Unavailable as fault:
            if fault.lasting and self._proven:
                fault.lasting = Refused(INTAKE_NO_LONGER, fault.detail)
            raise


def batches(events: Iterable[Event], most: int) -> Iterator[list[Event]]:
    """``events`` in their order, cut so that no batch has more than ``most`` or `BATCH_BYTES`."""
    batch: list[Event] = []
    size = 0
    for event in events:
        length = _wire_length(event.text)
        alone = length > EVENT_BYTES and _is_oversized(event)  # which takes more time to tell
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
