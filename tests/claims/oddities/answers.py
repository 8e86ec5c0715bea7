"""Oddities of answers: errors instead of pages, false answers, bad records."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from zlib import crc32

import orjson

from office365_message_trace.errors import Unavailable, Unreachable
from office365_message_trace.transport.session import Answer
from tests.claims.oddities.effects import Instead, allow_errors, answer_instead, own_refusal
from tests.claims.oddities.table import Table, entered
from tests.claims.service import (
    Asked,
    H,
    M,
    Mail,
    S,
    shown_after,
)
from tests.claims.worlds import Span, World

TABLE: Table = {}
_oddity = partial(entered, TABLE)


# What the service answers instead of a page.


def _fail(world: World, span: Span, answer: Instead, share: float = 1.0) -> None:
    """Have a ``share`` of the requests in the span answered otherwise."""
    rng = world.another_rng()
    world.facts.faults.append(span)

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        fails = span.has(asked.now) and rng.random() < share
        return answer(asked, rows) if fails else None

    answer_instead(world, instead)


@_oddity("failures")
def outage(world: World, span: Span) -> None:
    """No request gets a page."""
    answer = world.rng.choice(
        (Answer(503, {}, b""), Answer(500, {}, b""), Answer(504, {}, b"<html>"))
    )
    _fail(world, span, lambda asked, rows: answer)


@_oddity("failures")
def half_of_the_answers_fail(world: World, span: Span) -> None:
    _fail(world, span, lambda asked, rows: Answer(503, {}, b""), 0.5)


@_oddity("failures")
def some_answers_fail_in_many_ways(world: World, span: Span) -> None:
    rng, kind = world.another_rng(), world.service.kind
    answers = (
        Answer(503, {}, b""),
        Answer(500, {}, b""),
        Answer(200, {}, b"<html>"),
        Answer(200, {}, b'{"value":[{"id":'),
        Answer(429, {"retry-after": "5"}, b""),
        own_refusal(kind, 403),
        own_refusal(kind, 400),
    )
    allow_errors(world, span)  # some of them are refusals
    _fail(world, span, lambda asked, rows: rng.choice(answers), 0.2)


@_oddity("failures")
def permission_is_lost(world: World, span: Span) -> None:
    answer = own_refusal(world.service.kind, world.rng.choice((401, 403)))
    allow_errors(world, span)
    _fail(world, span, lambda asked, rows: answer)


@_oddity("failures")
def requests_are_throttled(world: World, span: Span) -> None:
    _fail(world, span, lambda asked, rows: Answer(429, {"retry-after": "30"}, b""), 0.5)


@_oddity("failures")
def service_is_unreachable(world: World, span: Span) -> None:
    def unreachable(asked: Asked, rows: list[Mail]) -> Answer | None:
        raise Unreachable("The name cannot be resolved.")

    _fail(world, span, unreachable)


@_oddity("failures")
def pages_behind_the_first_time_out(world: World, span: Span) -> None:
    def late(asked: Asked, rows: list[Mail]) -> Answer | None:
        if asked.token:
            raise Unavailable("no answer in time")
        return None

    _fail(world, span, late)


# What the service says that is not so.


@_oddity("falsehoods")
def pages_hold_an_error(world: World, span: Span) -> None:
    """It comes beside some of the rows."""

    def broken(asked: Asked, rows: list[Mail]) -> Answer | None:
        page = world.service.body(asked, rows[: min(len(rows) // 3, world.service.page_size)])
        return Answer(200, {}, orjson.dumps({**page, "error": {"code": "UnknownError"}}))

    _fail(world, span, broken, 0.3)


@_oddity("falsehoods")
def age_is_refused_that_is_kept(world: World, span: Span) -> None:
    status = world.rng.choice((400, 500, 503))
    words = "Invalid StartDate value. The StartDate can't be older than 10 days from today."
    body = orjson.dumps({"error": {"code": "InvalidRequest", "message": words}})
    allow_errors(world, span)  # a refusal in words that mean something else
    _fail(world, span, lambda asked, rows: Answer(status, {}, body), 0.3)


def _lie_once(world: World, span: Span, kept: Callable[[int], int]) -> None:
    """Have one answer after the span's beginning show so many of its rows only, and no next link."""
    lies = world.facts.lies

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        if lies or not rows or asked.now < span.first:
            return None
        lies.append(asked)
        few = rows[: min(kept(len(rows)), world.service.page_size)]
        return Answer(200, {}, orjson.dumps(world.service.body(asked, few)))

    answer_instead(world, instead)


@_oddity("falsehoods")
def one_answer_is_empty(world: World, span: Span) -> None:
    _lie_once(world, span, lambda rows: 0)


@_oddity("falsehoods")
def one_answer_is_short(world: World, span: Span) -> None:
    _lie_once(world, span, lambda rows: rows // 2)


@_oddity("falsehoods")
def some_answers_are_stale(world: World, span: Span) -> None:
    """By turns of half a minute, as if one of several replicas was behind."""
    salt, behind = world.rng.randrange(1 << 30), world.rng.choice((2 * M, 8 * M))
    world.facts.stale[span] = behind

    def replica(now: int) -> int:
        old = span.has(now) and crc32(f"{salt} {now // (30 * S)}".encode()) % 4 == 0
        return now - behind if old else now

    world.service.replica = replica


# Records that spoil each page that they are on.


def _spoil(world: World, bad: set[int], answer: Answer, until: int | None = None) -> None:
    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        if until is not None and asked.now >= until:
            return None
        return answer if any(row.received in bad for row in rows) else None

    answer_instead(world, instead)


def _fault_of_a_record(world: World) -> Answer:
    faults = [
        Answer(500, {}, b""),
        Answer(504, {}, b"<html>"),
        Answer(200, {}, b'{"value":[{"id":'),
        Answer(413, {}, b""),
        *(own_refusal(world.service.kind, status) for status in (400, 401, 403, 404, 410, 500)),
    ]
    return world.rng.choice(faults)


def _some_bad(world: World, number: int, search: int) -> set[int]:
    """Receive times of so many rows, around which bad records are searched for so long."""
    bad = {row.received for row in world.rng.sample(world.mail, number)}
    delay = int(world.lab.settings.delay.total_seconds() * 1000)
    met = [max(world.begin, at + delay) for at in bad]
    world.facts.searches += [Span(at, at + search) for at in met]
    world.facts.searched += number
    world.facts.errors += 8 * number  # a gap and its neighbours, and refusals meanwhile
    return bad


@_oddity("records")
def few_bad_records(world: World, span: Span) -> None:
    bad = _some_bad(world, world.rng.choice((1, 1, 2, 3)), 2 * H)
    world.facts.bad |= bad
    _spoil(world, bad, _fault_of_a_record(world))


@_oddity("records")
def many_bad_records(world: World, span: Span) -> None:
    bad = _some_bad(world, 12, 12 * H)
    world.facts.bad |= bad
    _spoil(world, bad, _fault_of_a_record(world))


@_oddity("records")
def bad_record_that_is_repaired(world: World, span: Span) -> None:
    bad = _some_bad(world, 1, 2 * H)
    repaired = span.last
    world.facts.faults.append(Span(min(bad), repaired))
    _spoil(world, bad, _fault_of_a_record(world), repaired)


@_oddity("records")
def bad_record_that_shows_late(world: World, span: Span) -> None:
    received, shown = span.first + 7, span.first + 40 * M
    world.mail.append(shown_after(40 * M, received, "bad"))
    world.facts.bad.add(received)
    world.facts.searched += 1
    world.facts.searches.append(Span(shown, shown + 4 * H))
    world.facts.errors += 8
    _spoil(world, {received}, _fault_of_a_record(world))
