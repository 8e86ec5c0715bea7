"""Oddities that a drawn world may have, each a function that sets up one of them for a span of time.

An oddity wraps what is there already, so that those of different aspects can be combined; they are set up
in the order of the table. To see what a seed draws and which promises it breaks::

    python -c "from tests.claims.oddities import run_drawn; print(*run_drawn(4711), sep='\\n')"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from zlib import crc32

import orjson

from office365_message_trace.errors import Unavailable, Unreachable
from office365_message_trace.transport.session import Answer
from tests.claims.intake import ids
from tests.claims.judgement import judge
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.service import (
    Asked,
    D,
    Fields,
    H,
    Kind,
    M,
    Mail,
    Pager,
    S,
    Service,
    by_position,
    shown_after,
)
from tests.claims.worlds import Event, Place, Span, World

Oddity = Callable[[World, Span], None]
Instead = Callable[[Asked, list[Mail]], Answer | None]
Page = tuple[list[Mail], str | None]

CALM_HOURS = 4
"""At the end of a run, in which nothing is odd that does not last."""

LARGE = "0b5a7c5e-0000-4000-8000-000000000001"
"""The trace id of a message to very many."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An oddity in the table. No two of the same ``aspect`` are combined."""

    name: str
    aspect: str
    set_up: Oddity


TABLE: dict[str, Entry] = {}


def _oddity(aspect: str) -> Callable[[Oddity], Oddity]:
    """Register a function by its name."""

    def register(set_up: Oddity) -> Oddity:
        name = set_up.__name__.replace("_", " ")
        TABLE[name] = Entry(name, aspect, set_up)
        return set_up

    return register


# What the service answers instead of a page.


def _answer_instead(world: World, answer: Instead) -> None:
    before = world.service.instead

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        given = answer(asked, rows)
        return before(asked, rows) if given is None else given

    world.service.instead = instead


def _fail(world: World, span: Span, answer: Instead, share: float = 1.0) -> None:
    """Have a ``share`` of the requests in the span answered otherwise."""
    rng = world.another_rng()
    world.facts.faults.append(span)

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        fails = span.has(asked.now) and rng.random() < share
        return answer(asked, rows) if fails else None

    _answer_instead(world, instead)


def _is_told(world: World, span: Span) -> None:
    """Allow errors in the log: every failure says what to do, and is no flood."""
    world.facts.errors += 3 + (span.last - span.first) // (5 * M)


def own_refusal(kind: Kind, status: int) -> Answer:
    """A refusal in the service's own words."""
    if kind == "graph":
        return Answer(status, {}, b'{"error":{"code":"UnknownError","message":"Denied."}}')
    words = b'{"odata.error":{"code":"","message":{"lang":"en-US","value":"Denied."}}}'
    return Answer(status, {}, words)


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
    _is_told(world, span)  # some of them are refusals
    _fail(world, span, lambda asked, rows: rng.choice(answers), 0.2)


@_oddity("failures")
def permission_is_lost(world: World, span: Span) -> None:
    answer = own_refusal(world.service.kind, world.rng.choice((401, 403)))
    _is_told(world, span)
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
    _is_told(world, span)  # a refusal in words that mean something else
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

    _answer_instead(world, instead)


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

    _answer_instead(world, instead)


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


# The order of rows, and what windows mean.


def _reorder(world: World, change: Callable[[list[Mail]], list[Mail]]) -> None:
    before = world.service.shown
    world.service.shown = lambda asked, rows: change(before(asked, rows))
    world.service.pager, world.by_cursor = by_position, False


@_oddity("order")
def rows_in_any_order(world: World, span: Span) -> None:
    """Another one at each request, so that what fills several pages is read until nothing new comes."""
    rng = world.another_rng()
    world.answers = 6
    _reorder(world, lambda rows: rng.sample(rows, len(rows)))


@_oddity("order")
def rows_of_a_second_in_any_order(world: World, span: Span) -> None:
    rng = world.another_rng()
    _reorder(world, lambda rows: sorted(rows, key=lambda row: (-row.received // S, rng.random())))


@_oddity("order")
def rows_in_three_parts(world: World, span: Span) -> None:
    _reorder(world, lambda rows: sorted(rows, key=lambda row: crc32(row.id.encode()) % 3))


@_oddity("order")
def oldest_rows_first(world: World, span: Span) -> None:
    _reorder(world, lambda rows: rows[::-1])


@_oddity("bounds")
def bounds_are_not_inside(world: World, span: Span) -> None:
    kinds = [(0, 1), (1, 0)]
    if not (world.facts.searched and world.service.kind == "graph"):
        kinds.append((1, 1))  # no window of a millisecond would show the bad record
    before, (first, last) = world.service.shown, world.rng.choice(kinds)

    def shown(asked: Asked, rows: list[Mail]) -> list[Mail]:
        inside = range(asked.start + first, asked.end - last + 1)
        return [row for row in before(asked, rows) if row.received in inside]

    world.service.shown = shown


@_oddity("records")
def rows_around_a_window_come_with_it(world: World, span: Span) -> None:
    """Three at most of two seconds on either side. A bad record would spoil all windows near it."""
    before, service = world.service.shown, world.service

    def near(asked: Asked, first: int, last: int) -> list[Mail]:
        now = service.replica(asked.now)
        rows = service.between(first, last)
        return [row for row in reversed(rows) if row.status(now) is not None]

    def shown(asked: Asked, rows: list[Mail]) -> list[Mail]:
        inside = before(asked, rows)
        if asked.trace_id or asked.recipient:
            return inside
        later = near(asked, asked.end + 1, asked.end + 2 * S)
        earlier = near(asked, asked.start - 2 * S, asked.start - 1)
        return [*later[-3:], *inside, *earlier[:3]]

    service.shown = shown


# Pages and their links.


def _page_otherwise(world: World, change: Callable[[Pager], Pager]) -> None:
    world.service.pager = change(world.service.pager)


@_oddity("links")
def pages_are_smaller_than_asked_for(world: World, span: Span) -> None:
    most = world.page_size = max(world.page_size // world.rng.choice((2, 5)), 20)

    def change(usual: Pager) -> Pager:
        return lambda rows, asked, size: usual(rows, asked, min(size, most))

    _page_otherwise(world, change)


@_oddity("links")
def last_pages_link_to_empty_ones(world: World, span: Span) -> None:
    """To one that links to itself, or to a chain."""
    length = world.rng.choice((None, 1, 5, 19))
    world.answers = 3

    def change(usual: Pager) -> Pager:
        def pager(rows: list[Mail], asked: Asked, size: int) -> Page:
            if asked.token and asked.token.startswith("end"):
                number = int(asked.token[3:])
                if length is None:
                    return [], "end1"
                return [], f"end{number + 1}" if number < length else None
            page, token = usual(rows, asked, size)
            return page, token or "end1"

        return pager

    _page_otherwise(world, change)


@_oddity("links")
def empty_pages_come_before_each_page(world: World, span: Span) -> None:
    length = world.rng.choice((1, 2))
    world.answers = 1 + length

    def change(usual: Pager) -> Pager:
        def pager(rows: list[Mail], asked: Asked, size: int) -> Page:
            asked_for = asked.token or ""  # which may be a position of the collector's own
            passed, _, token = (asked_for if "~" in asked_for else f"0~{asked_for}").partition("~")
            if int(passed) < length:
                return [], f"{int(passed) + 1}~{token}"
            page, following = usual(rows, replace(asked, token=token or None), size)
            return page, following and f"0~{following}"

        return pager

    _page_otherwise(world, change)


@_oddity("links")
def last_pages_have_links_that_are_refused(world: World, span: Span) -> None:
    answer = world.rng.choice(
        (
            *(own_refusal(world.service.kind, status) for status in (400, 403, 404, 500)),
            Answer(302, {}, b""),
        )
    )
    world.answers = (
        4  # the link, up to four times, and once it is known to fail once; and the first page again
    )

    def change(usual: Pager) -> Pager:
        def pager(rows: list[Mail], asked: Asked, size: int) -> Page:
            page, token = usual(rows, asked, size)
            return page, token or "refused"

        return pager

    _page_otherwise(world, change)
    _answer_instead(world, lambda asked, rows: answer if asked.token == "refused" else None)


# The mail.


def _some_time(world: World, span: Span) -> int:
    return world.rng.choice((world.begin - world.start_time * H // 2, span.first, span.last + 13))


@_oddity("mail")
def crowd_in_a_millisecond(world: World, span: Span) -> None:
    """Many messages to a journal mailbox."""
    received, rows = _some_time(world, span), world.rng.choice((12, 130, 700))
    world.facts.crowds[received] = rows
    world.facts.errors += rows > world.page_size
    world.mail += [Mail(received, f"journal{n}", "journal@x.example") for n in range(rows)]


def _message_to_many(world: World, span: Span, rows: int) -> None:
    received = _some_time(world, span)
    world.mail += [Mail(received + n // 500, LARGE, f"w{n}@x.example") for n in range(rows)]


@_oddity("mail")
def message_to_very_many(world: World, span: Span) -> None:
    """Listings show a thousand of its rows."""
    _message_to_many(world, span, world.rng.choice((600, 1001, 2000, 3000)))
    before = world.service.shown

    def shown(asked: Asked, rows: list[Mail]) -> list[Mail]:
        many = [] if asked.trace_id else [row for row in rows if row.id == LARGE]
        left_out = set(many[1000:])
        return before(asked, [row for row in rows if row not in left_out])

    world.service.shown = shown


@_oddity("mail")
def message_to_very_many_whose_id_is_ignored(world: World, span: Span) -> None:
    _message_to_many(world, span, world.rng.choice((600, 1001, 2000)))
    world.answers += 1  # the answer to a question for its id is that of a listing
    before = world.service.heard
    world.service.heard = lambda asked: replace(before(asked), recipient=None, trace_id=None)


def _each_ninth(world: World, life: Callable[[int], tuple[tuple[int, str | None], ...]]) -> None:
    """Give rows another life from when they are shown."""
    for number, row in enumerate(world.mail[::9]):
        shown = row.life[0][0] if row.life else row.received
        world.mail[number * 9] = replace(row, life=((shown, "Delivered"), *life(shown)))


@_oddity("mail")
def statuses_go_back(world: World, span: Span) -> None:
    rng = world.another_rng()
    back = world.rng.choice((True, False))

    def life(shown: int) -> tuple[tuple[int, str | None], ...]:
        changed = shown + rng.randrange(5 * M, 30 * M)
        return (changed, "Quarantined"), *(((changed + H, "Delivered"),) if back else ())

    _each_ninth(world, life)


@_oddity("mail")
def rows_vanish_for_a_while(world: World, span: Span) -> None:
    minutes = world.rng.choice((5, 30, 90))
    _each_ninth(
        world, lambda shown: ((shown + 10 * M, None), (shown + (10 + minutes) * M, "Delivered"))
    )


@_oddity("mail")
def rows_without_a_receive_time(world: World, span: Span) -> None:
    name = "Received" if world.service.kind == "reporting" else "receivedDateTime"
    for number, row in enumerate(world.mail[::9]):
        world.mail[number * 9] = replace(row, fields={name: world.rng.choice((None, "", "soon"))})


@_oddity("form")
def forms_differ_by_turns(world: World, span: Span) -> None:
    """They say the same."""
    service = world.service
    address = "ToIP" if service.kind == "reporting" else "toIP"

    def written(asked: Asked, fields: Fields) -> Fields:
        number = len(service.given)
        return fields | {"@odata.etag": f"W/{number}", address: ("", None)[number % 2]}

    service.written = written


# The intake.


def _judge_batches(
    world: World, span: Span, verdict: Callable[[list[Event]], Answer | None]
) -> None:
    """Have batches answered otherwise in the span."""
    lab, before = world.lab, world.lab.intake.verdict

    def both(events: list[Event]) -> Answer | None:
        answer = verdict(events) if span.has(lab.clock.ms) else None
        return before(events) if answer is None else answer

    world.lab.intake.verdict = both


def name_of(event: Event) -> str:
    """The trace id."""
    return str(event.get("MessageTraceId") or event.get("id"))


@_oddity("intake")
def intake_fails(world: World, span: Span) -> None:
    answer = Answer(world.rng.choice((429, 500, 503)), {}, b"")
    world.facts.faults.append(span)
    _is_told(world, span)
    _judge_batches(world, span, lambda events: answer)


@_oddity("intake")
def acknowledgements_are_lost(world: World, span: Span) -> None:
    lab, rng = world.lab, world.another_rng()
    world.facts.faults.append(span)

    def verdict(events: list[Event]) -> Answer | None:
        if rng.random() > 0.3:
            return None
        lab.intake.accept(events)
        world.facts.unconfirmed += events
        return Answer(502, {}, b"")

    _judge_batches(world, span, verdict)


@_oddity("intake")
def event_is_refused(world: World, span: Span) -> None:
    name = world.rng.choice(world.mail).id
    world.facts.refused.add(name)
    _is_told(world, span)

    def verdict(events: list[Event]) -> Answer | None:
        refused = any(name_of(event) == name for event in events)
        return Answer(400, {}, b"") if refused else None

    _judge_batches(world, span, verdict)


@_oddity("intake")
def some_events_get_no_id(world: World, span: Span) -> None:
    """The answer says which."""
    lab, rng = world.lab, world.another_rng()
    _is_told(world, span)

    def verdict(events: list[Event]) -> Answer | None:
        if len(events) < 2 or rng.random() > 0.2:
            return None
        refused = rng.randrange(len(events))
        world.facts.refused.add(name_of(events[refused]))
        lab.intake.accept([event for n, event in enumerate(events) if n != refused])
        return ids([None if n == refused else "an id" for n in range(len(events))])

    _judge_batches(world, span, verdict)


@_oddity("intake")
def one_id_less_than_events(world: World, span: Span) -> None:
    """The answer does not say which event was refused."""
    lab, name = world.lab, world.rng.choice(world.mail).id
    world.facts.refused.add(name)
    _is_told(world, span)

    def verdict(events: list[Event]) -> Answer | None:
        good = [event for event in events if name_of(event) != name]
        if len(good) == len(events):
            return None
        if len(events) > 1:
            world.facts.unconfirmed += good
        return lab.intake.accept(good) if good else Answer(400, {}, b"{}")

    _judge_batches(world, span, verdict)


# Time.


@_oddity("clock")
def machine_is_wrong_for_a_while(world: World, span: Span) -> None:
    world.lab.clock.step(span.first, world.rng.choice((-3 * H, -20 * M, 20 * M, 9 * H, 2 * D)))
    world.lab.clock.step(span.last, 0)


@_oddity("clock")
def machine_is_always_wrong(world: World, span: Span) -> None:
    world.lab.clock.step(0, world.rng.choice((-25 * H, -20 * M, 9 * H, 25 * H)))


@_oddity("clock")
def machine_is_wrong_to_and_fro(world: World, span: Span) -> None:
    for number, at in enumerate(range(span.first, span.last, 7 * M)):
        world.lab.clock.step(at, (-1) ** number * 3 * H)
    world.lab.clock.step(span.last, 0)


@_oddity("clock")
def answers_have_no_date(world: World, span: Span) -> None:
    world.lab.tells_time = False


@_oddity("clock")
def answers_have_a_wrong_date(world: World, span: Span) -> None:
    ahead = world.rng.choice((-3 * H, 3 * H, 10 * 365 * D))
    world.service.clock = lambda now: now + (ahead if span.first < now < span.first + 4 * S else 0)


# Processes.


@_oddity("processes")
def settings_change(world: World, span: Span) -> None:
    """Now and then, and back in the end."""
    lab, rng, usual = world.lab, world.another_rng(), world.lab.settings
    minutes = usual.delay.total_seconds() / 60

    def change() -> None:
        lab.settings = policy(
            delay=rng.choice((0, 1, 5, 60, int(minutes))),
            frequency=rng.choice((60, 300)),
            lookback=rng.choice((0, 1, 6, 24)),
        )

    def restore() -> None:
        lab.settings = usual

    times = sorted(rng.randrange(span.first, span.last) for _ in range(rng.choice((1, 2, 3))))
    world.stops += [(at, change) for at in times] + [(span.last, restore)]


@_oddity("processes")
def no_process_lives_for_a_while(world: World, span: Span) -> None:
    world.facts.faults.append(span)
    world.stops.append((span.first, lambda: world.lab.pause(span.last)))


@_oddity("processes")
def processes_live_for_minutes(world: World, span: Span) -> None:
    minutes = world.rng.choice((3, 10))
    world.answers += 1  # each one asks for messages to very many by their ids
    world.stops += [(at, lambda: None) for at in range(span.first, span.last, minutes * M)]


@_oddity("processes")
def another_process_takes_over(world: World, span: Span) -> None:
    lab = world.lab
    world.facts.takeovers += 1
    world.facts.errors += 1
    world.facts.faults.append(span)
    lab.meanwhile(span.first, lambda: lab.run(span.last))


# The drawing.


def draw(seed: int) -> World:
    """The world of a seed: always the same one."""
    rng = Random(seed)
    kind: Kind = rng.choice(("graph", "reporting"))
    settings = policy(
        delay=rng.choice((0, 0, 1, 5, 5, 5, 60, 1440)),
        frequency=rng.choice((20, 60, 60, 60, 300, 300, 900)),
        lookback=rng.choice((0, 1, 1, 2, 6, 6, 24, 72)),
    )
    start_time, active = rng.choice((1, 1, 3, 8, 24)), rng.choice((3, 4, 6))
    begin = T0 + rng.choice((0, rng.randrange(H)))
    end = begin + (active + CALM_HOURS) * H
    every = rng.choice((20 * S, 47 * S, 3 * M))
    late = int(settings.lookback.total_seconds() * 1000) >= H
    mail = _draw_mail(rng, range(begin - start_time * H + 7, end, every), late)
    names = _draw_names(rng)
    many = any("very many" in name for name in names)
    page_size = rng.choice((None, None, 300 if many else 50, 300))
    lab = Laboratory(Service(kind, [], page_size), settings, start_time=start_time)
    world = World(seed, rng, lab, begin, end, start_time, mail, lab.service.page_size)
    world.words = [
        f"{kind}, {settings.delay}/{settings.frequency}/{settings.lookback}, from {start_time} h before,",
        f"pages of {page_size}, mail every {every // S} s,",
    ]
    for name in names:
        first = begin + rng.randrange(active * H * 2 // 3)
        span = Span(first, min(first + rng.choice((5 * M, 40 * M, 2 * H)), begin + active * H))
        TABLE[name].set_up(world, span)
        world.words.append(f"{name} {span},")
    places: tuple[Place, ...] = ("request", "delivery", "write")
    world.kills = sorted(
        (begin + rng.randrange(active * H), rng.choice(places))
        for _ in range(rng.choice((0, 0, 1, 3)))
    )
    world.words.append(f"{len(world.kills)} kills")
    return world


def _draw_mail(rng: Random, times: range, late: bool) -> list[Mail]:
    """A row at each of the times, of which some are shown late."""
    delays = (*([0] * 12), *((M, 6 * M, 20 * M, 50 * M) if late else ()))
    return [
        shown_after(rng.choice(delays), at, f"m{n}") if late else Mail(at, f"m{n}")
        for n, at in enumerate(times)
    ]


def _draw_names(rng: Random) -> list[str]:
    """Two to four oddities of different aspects, in the order of the table."""
    aspects = sorted({entry.aspect for entry in TABLE.values()})
    chosen = rng.sample(aspects, rng.choice((2, 2, 3, 4)))
    names = [
        rng.choice([entry.name for entry in TABLE.values() if entry.aspect == aspect])
        for aspect in chosen
    ]
    return [name for name in TABLE if name in names]


def run_drawn(seed: int) -> list[str]:
    """Run the world of a seed. Returns the promises that were broken, each in a line that names the world."""
    world = draw(seed)
    world.run()
    return judge(world)
