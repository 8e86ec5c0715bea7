"""Sekoia's intake: POST /batch, plain or gzip, one id for each event accepted."""

from __future__ import annotations

import json
import threading
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from sandbox.clock import Clock
from sandbox.wire import Request, Response, json_response

MAX_PAYLOAD = 10 * 1024 * 1024
"""Documented: bytes of the JSON body, uncompressed."""
MAX_EVENT = 250 * 1024
"""Documented: an event above 250 KiB is rejected; measured here in bytes of UTF-8."""

PoisonAnswer = Literal["batch", "null", "short", "status"]
"""The answer to a batch with poison. ``batch`` refuses it whole, with `poison_status`. The others accept
the rest of it: ``null`` has null in place of each missing id, ``short`` leaves it out, and ``status``
has an object with the event's status there."""

_WITHOUT_ID = {"null": None, "short": None, "status": {"status": 400, "error": "cannot be read"}}


@dataclass
class IntakeOptions:
    """How the intake behaves. Change a field at any time; the next request shows it."""

    unknown_key_status: int = 403
    """401, 403 or 404: a key that the intake does not know."""
    max_payload: int = MAX_PAYLOAD
    max_event: int = MAX_EVENT
    compressed_status: int = 200
    """Other than 200: compressed bodies are refused with this status, as by a gateway in between."""
    poison: str | None = None
    """Events that contain this text are refused."""
    poison_until: datetime | None = None
    """From then on poison is accepted."""
    poison_answer: PoisonAnswer = "batch"
    poison_status: int = 400
    """Of a batch that is refused whole; also one of a filter in front of the intake, or of a fault in it."""
    keep_events: bool = True
    """Keep every accepted event; off, they are only counted."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """One accepted event: its text, when it came, the number of its batch from 1."""

    event: str
    arrived: datetime
    batch: int


@dataclass
class IntakeCounts:
    """Totals since the start. Bytes are those of request bodies, as sent and uncompressed."""

    requests: int = 0
    batches: int = 0
    events: int = 0
    rejected_events: int = 0
    bytes_sent: int = 0
    bytes_plain: int = 0


class Intake:
    """Accepts batches for the keys it knows. Safe from any thread."""

    name = "intake"

    def __init__(self, keys: set[str], now: Clock, options: IntakeOptions | None = None) -> None:
        self.keys, self.now = keys, now
        self.options = options or IntakeOptions()
        self.counts = IntakeCounts()
        self._accepted: list[Accepted] = []
        self._lock = threading.Lock()

    @property
    def accepted(self) -> list[Accepted]:
        """Everything accepted and kept, in order of arrival."""
        with self._lock:
            return list(self._accepted)

    @property
    def events(self) -> list[str]:
        """The texts of everything accepted and kept, in order of arrival."""
        return [accepted.event for accepted in self.accepted]

    def forget(self) -> None:
        """Drop what was kept; counts stay."""
        with self._lock:
            self._accepted.clear()

    def handle(self, request: Request) -> Response:
        """Serve POST …/batch; anything else is 404."""
        with self._lock:
            self.counts.requests += 1
            self.counts.bytes_sent += len(request.body)
        if request.method != "POST" or not request.path.endswith("/batch"):
            return _refused(404, "not found")
        if "content-encoding" in request.headers and self.options.compressed_status != 200:
            return _refused(self.options.compressed_status, "compressed bodies are not taken here")
        plain = self._plain(request)
        if plain is None:
            return _refused(400, "the body is not valid gzip")
        if len(plain) > self.options.max_payload:
            return _refused(413, "the payload is too large")
        payload = _parsed(plain)
        if payload is None:
            return _refused(400, "the body is not a batch of events")
        if payload["intake_key"] not in self.keys:
            return _refused(self.options.unknown_key_status, "unknown intake key")
        return self.accept(payload["jsons"], len(plain))

    def accept(self, events: list[str], size: int = 0) -> Response:
        """Take a batch; `size` is its length in bytes, for the counts."""
        poisoned = {n for n, event in enumerate(events) if self._is_poison(event)}
        how = self.options.poison_answer
        if poisoned and how == "batch":
            return _refused(self.options.poison_status, "an event could not be read")
        fitting = [n for n, event in enumerate(events) if self._fits(event)]
        good = [events[n] for n in fitting if n not in poisoned]
        with self._lock:
            self.counts.rejected_events += len(events) - len(good)
            if events and not fitting:
                return _refused(413, "every event is too large")
            first = self.counts.events
            self.counts.batches += 1
            self.counts.events += len(good)
            self.counts.bytes_plain += size
            if self.options.keep_events:
                now, batch = self.now(), self.counts.batches
                self._accepted.extend(Accepted(event, now, batch) for event in good)
        new = (f"00000000-0000-4000-8000-{first + n:012x}" for n in range(len(good)))
        ids = [_WITHOUT_ID[how] if n in poisoned else next(new) for n in fitting]
        if how == "short":
            ids = [each for each in ids if each]
        return json_response(200, {"event_ids": ids})

    def _is_poison(self, event: str) -> bool:
        poison, until = self.options.poison, self.options.poison_until
        return poison is not None and poison in event and (until is None or self.now() < until)

    def _fits(self, event: str) -> bool:
        limit = self.options.max_event
        if len(event) * 4 <= limit:  # UTF-8 needs at most 4 bytes a character
            return True
        return len(event.encode("utf-8", errors="replace")) <= limit

    def _plain(self, request: Request) -> bytes | None:
        """The body without compression, at most one byte above the limit; None if damaged."""
        if request.headers.get("content-encoding", "identity").lower() != "gzip":
            return request.body
        unzip = zlib.decompressobj(wbits=31)
        try:
            plain = unzip.decompress(request.body, self.options.max_payload + 1)
        except zlib.error:
            return None
        complete = unzip.eof or len(plain) > self.options.max_payload
        return plain if complete else None


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:  # lone surrogates, which only stdlib accepts
            payload = json.loads(body)
        except ValueError:
            return None
    if not isinstance(payload, dict) or not isinstance(payload.get("intake_key"), str):
        return None
    events = payload.get("jsons")
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        return None
    return payload


def _refused(status: int, message: str) -> Response:
    return json_response(status, {"error": message})
