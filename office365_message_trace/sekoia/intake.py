"""Delivery to a Sekoia.io intake: an event is delivered when the intake has given it an id."""

from collections.abc import Iterable, Iterator

import orjson

from office365_message_trace.clock import Clock
from office365_message_trace.errors import Refused
from office365_message_trace.model import Delivery, Event, Log
from office365_message_trace.packing import packed
from office365_message_trace.sekoia.division import settle
from office365_message_trace.sekoia.intake_verdict import ALL_REFUSED, Verdict, verdict
from office365_message_trace.sekoia.rejected_events import RejectedEvents
from office365_message_trace.transport.client import Request
from office365_message_trace.transport.retry import Transport, check_available
from office365_message_trace.transport.session import Answer

BATCH_BYTES = 9 * 1024 * 1024  # of the 10 MiB that the intake takes; the rest is for the envelope
LONGEST_ANSWER = 2 * 1024 * 1024  # bytes; the ids of 10,000 events have 400 kB
EVENT_BYTES = 250_000  # a larger event may be rejected; the SDK draws the line here

_REFUSALS = 32  # requests in a batch of which nothing was accepted, before giving up
_CAREFUL = (
    100  # events in a batch, at most, after one of which some got no id, it is not known which
)

SOME_REFUSED = (
    "The Sekoia.io intake accepts most events, but not all. A running trigger sends the others again "
    "with each later read of their time, and says which it gives up in the end."
)


class BatchPusher:
    """Posts events to ``{intake_server}/batch`` with ``intake_key``.

    A batch holds at most ``chunk_size`` events and `BATCH_BYTES`. An event over `EVENT_BYTES` travels
    alone, and so does one that was refused before, after all others: neither touches its neighbours.
    After an answer that withholds ids without saying whose, batches are smaller for a while, so that
    the next such answer costs little. ``intake_format`` is the name of
    the format that reads the events, for sentences.
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
        self._seconds = 0.0  # spent on requests that have not been counted yet
        self._detail = ""  # of the last verdict

    def push(self, events: Iterable[Event]) -> Iterator[Delivery]:
        """Deliver ``events``; yields what each answer settles before the next request is sent.

        Each event is yielded once, as accepted or as refused. Faults that pass are waited out without
        end. Raises `Misconfigured` for a refused key, and `Refused` if the intake itself is at fault,
        by the rule of `RejectedEvents`; what has not been yielded by then is to be pushed again.
        """
        new, known = self._rejected.divided(events)
        try:
            for full in batches(new, self._chunk_size):
                left = full
                while left:
                    batch, left = left[: self._most], left[self._most :]
                    yield from self._deliver([batch], known=False)
            yield from self._deliver([[event] for event in known], known=True)
        except Refused:
            self._rejected.distrust()
            # As long as nothing was ever accepted, the refusal may be about the compression, which
            # something in front of the intake may not let pass: the next attempt changes it.
            if not self._proven:
                self._compressed = not self._compressed
            raise

    def _deliver(self, parts: list[list[Event]], known: bool) -> Iterator[Delivery]:
        """Deliver ``parts``: one batch of new events, or the ``known`` ones, each alone."""
        refused: list[Event] = []
        any_accepted, refusals = False, 0
        for answered in settle(parts, self._post):
            refused += answered.refused
            if answered.any_accepted:
                any_accepted = self._proven = True
                self._rejected.vouch(answered.accepted)
            else:
                refusals += 1
            if answered.accepted:
                seconds, self._seconds = self._seconds, 0.0
                yield Delivery(answered.accepted, [], seconds)
            if refusals >= _REFUSALS and not any_accepted:
                break
        if refused or refusals:
            yield from self._refuse(parts, refused, any_accepted, known)

    def _refuse(
        self, parts: list[list[Event]], refused: list[Event], any_accepted: bool, known: bool
    ) -> Iterator[Delivery]:
        """Yield the ``refused`` events of ``parts``. Raises `Refused` if the intake is at fault."""
        events = [event for part in parts for event in part]
        explained = any_accepted or all(map(_is_oversized, events))
        if not explained and self._rejected.intake_at_fault(len(events), known):
            if self._proven:
                self._rejected.remember(refused[:_REFUSALS])
            detail = f"{self._detail}, {len(events)} events refused, none accepted"
            raise Refused(ALL_REFUSED, detail)
        if self._rejected.remember(refused):
            self._log(SOME_REFUSED, "error")
        if not any_accepted:
            refused = events  # those that were refused before and could not be tried, too
        if refused:
            yield Delivery([], refused)

    def _post(self, batch: list[Event]) -> Verdict:
        body = orjson.dumps({"intake_key": self._key, "jsons": [event.text for event in batch]})
        headers = {"Content-Type": "application/json"}
        if self._compressed:
            headers["Content-Encoding"] = "gzip"
            body = packed(body)
        request = Request("POST", self._url, headers, body)
        began = self._clock.monotonic()
        judged = self._transport.call(request, lambda answer: self._judge(answer, len(batch)))
        self._seconds += self._clock.monotonic() - began
        self._detail = judged.detail
        if judged.positions is None and judged.missing < len(batch):
            self._most = min(_CAREFUL, self._chunk_size)
        elif not judged.missing and len(batch) >= self._most:
            self._most = min(2 * self._most, self._chunk_size)
        return judged

    def _judge(self, answer: Answer, events: int) -> Verdict:
        check_available(answer, self._clock.now())
        return verdict(answer.status, answer.body, events, self._intake_format)


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
