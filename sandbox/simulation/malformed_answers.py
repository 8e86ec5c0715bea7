"""The answers that no service gives on purpose, and what every answer tells: the time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random

from office365_message_trace.errors import Unavailable
from office365_message_trace.transport.session import Answer
from sandbox.clock import from_ms
from sandbox.faults import html_page
from sandbox.simulation.clock import VirtualClock
from sandbox.simulation.service_variants import Date

Heard = Callable[[str, str, float], None]
"""Takes the service, the ``Date`` and the monotonic time of an answer."""
_FAULTS = (408, 500, 502, 503, 504, 302)


def unheard(service: str, date: str, at: float) -> None:
    """Takes no notice of the time."""


def date_of(ms: int, said: Date = "right") -> str:
    """The ``Date`` of an answer given at that true time by a service that says the time so; empty if it
    says none."""
    if said == "missing":
        return ""
    ahead_ms = 0 if said == "right" else said
    return format_datetime(from_ms(ms + ahead_ms), usegmt=True)


def dated(answer: Answer, date: str) -> Answer:
    """The same answer with that ``Date``."""
    return replace(answer, headers={**answer.headers, "date": date}) if date else answer


def no_answer(rng: Random, clock: VirtualClock) -> Answer:
    """Nothing, at once or after the client's patience; always raises `Unavailable`."""
    clock.elapse(rng.choice((0.0, 10.0, 120.0)))
    raise Unavailable("no answer", "ConnectionError")


def bare_status(rng: Random, statuses: tuple[int, ...] = _FAULTS) -> Answer:
    """A status with an empty or an HTML body; a 503 may say how long it takes."""
    status = rng.choice(statuses)
    headers = {"retry-after": "30"} if status == 503 and rng.random() < 0.5 else {}
    return Answer(status, headers, rng.choice((b"", b"<html>Service Unavailable</html>")))


def slow_down(rng: Random, now: datetime) -> Answer:
    """429: without advice, with seconds, with a date, with nonsense."""
    seconds = rng.choice((1, 30, 120, 500))
    advice = rng.choice(
        ("", str(seconds), format_datetime(now + timedelta(seconds=seconds), usegmt=True), "soon")
    )
    return Answer(429, {"retry-after": advice} if advice else {}, b"")


def not_json(rng: Random) -> Answer:
    """Status 200 with something else than what was asked for."""
    return Answer(200, {}, rng.choice(_NOT_PAGES))


_NOT_PAGES = (
    html_page().body,
    b"",
    b"{}",
    b"[]",
    b"null",
    b'{"d":{}}',
    b'{"d":{"results":null}}',
    b'{"value":[{"Received":null}]}',
    b'{"value":[{"Subject":"0"}]}',
    b'{"error":{"code":"","message":"An error has occurred."}}',
    b"\xff\xfe\x00",
)
