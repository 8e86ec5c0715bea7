"""However a service divides rows into pages, all of them arrive, and nothing is declared without need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import orjson
import pytest

from office365_message_trace.clock import Clock
from office365_message_trace.collect.coverage import Cause, Gap
from office365_message_trace.errors import Stopped
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.model import Log, Window
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer
from sandbox.clock import from_ms
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.service import (
    Asked,
    Fields,
    H,
    Kind,
    M,
    Mail,
    Pager,
    S,
    Service,
    after_recipient,
    by_position,
)

both = pytest.mark.parametrize("kind", ["reporting", "graph"])
GONE = "https://service.example/gone"


def _journal(times: range, copies: int) -> list[Mail]:
    """Mail to a journal mailbox and to one more recipient, several in each of the same milliseconds."""
    return [
        Mail(at, f"{to}{at}.{copy}", to=f"{to}@contoso.example")
        for at in times
        for copy in range(copies)
        for to in ("journal", "somebody")
    ]


@both
@pytest.mark.parametrize("copies", [2, 7, 40])
def test_mail_of_one_recipient_and_millisecond_arrives_across_page_edges(
    kind: Kind, copies: int
) -> None:
    step = 4 * S * copies
    mail = _journal(range(T0 - 4 * H, T0 + H, step), copies)
    lab = Laboratory(Service(kind, mail, page_size=100), start_time=4).run(T0 + 2 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert lab.gaps == ()


def test_more_mail_of_one_recipient_and_millisecond_than_a_page_holds_is_declared() -> None:
    crowd = [Mail(T0 + 10 * M, f"r{n}", to="journal@contoso.example") for n in range(150)]
    others = _journal(range(T0, T0 + H, 30 * S), 1)
    lab = Laboratory(Service("graph", [*crowd, *others], page_size=100)).run(T0 + 3 * H)
    assert {row.received for row in lab.missing()} == {T0 + 10 * M}
    (gap,) = lab.gaps
    assert gap.cause is Cause.INCOMPLETE


@pytest.mark.parametrize("exclusive", ["start", "end", "both"])
@both
def test_bounds_that_are_not_inside_lose_nothing(kind: Kind, exclusive: str) -> None:
    mail = _journal(range(T0 - 4 * H + S, T0 + H, 10 * S), 1)
    service = Service(kind, mail, page_size=100)

    def shown(asked: Asked, rows: list[Mail]) -> list[Mail]:
        first = asked.start + (exclusive != "end")
        last = asked.end - (exclusive != "start")
        return [row for row in rows if first <= row.received <= last]

    service.shown = shown
    lab = Laboratory(service, start_time=4).run(T0 + 10 * H)
    assert lab.missing() == []


def _ending(then: Callable[[str | None], str | None], usual: Pager) -> Pager:
    """Pages as usual, but after the last one the token of which ``then`` gives the next."""

    def pager(rows: list[Mail], asked: Asked, size: int) -> tuple[list[Mail], str | None]:
        if asked.token and asked.token.startswith("end"):
            return [], then(asked.token)
        page, token = usual(rows, asked, size)
        return page, token or then(None)

    return pager


def _to_itself(token: str | None) -> str | None:
    return "end"


def _without_end(token: str | None) -> str | None:
    return f"end{int((token or 'end0')[3:]) + 1}"


def _in_a_circle_of_three(token: str | None) -> str | None:
    return f"end{(int((token or 'end0')[3:]) + 1) % 3}"


@both
@pytest.mark.parametrize("then", [_to_itself, _without_end, _in_a_circle_of_three])
def test_links_to_empty_pages_lose_nothing_and_end(
    kind: Kind, then: Callable[[str | None], str | None]
) -> None:
    mail = _journal(range(T0 - 3 * H, T0 + H, 20 * S), 1)
    plain = Laboratory(Service(kind, mail, page_size=100), start_time=3).run(T0 + 3 * H)
    service = Service(kind, mail, page_size=100)
    service.pager = _ending(then, service.pager)
    lab = Laboratory(service, start_time=3).run(T0 + 3 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.repeats() == 0
    assert len(service.given) < 8 * len(plain.service.given)


def _chains(length: int, where: str, usual: Pager) -> Pager:
    """Pages as usual, but empty ones come before the first page, before each page, or behind the last one."""

    def pager(rows: list[Mail], asked: Asked, size: int) -> tuple[list[Mail], str | None]:
        text, _, token = (asked.token or "").rpartition("~")
        passed = int(text or (0 if where == "each" or not token else length))
        if where != "behind" and passed < length:
            return [], f"{passed + 1}~{token}"
        if where == "behind" and token == "end":
            return [], f"{passed + 1}~end" if passed < length else None
        page, following = usual(rows, replace(asked, token=token or None), size)
        if following is None:
            return page, "1~end" if where == "behind" else None
        return page, f"~{following}"

    return pager


@both
@pytest.mark.parametrize("where", ["first", "each", "behind"])
@pytest.mark.parametrize("length", [3, 19])
def test_chains_of_empty_pages_hide_no_rows(kind: Kind, where: str, length: int) -> None:
    mail = _journal(range(T0 - 2 * H, T0 + H, 30 * S), 1)
    plain = Laboratory(Service(kind, mail, 100), policy(lookback=1), start_time=2)
    plain.run(T0 + 4 * H)
    service = Service(kind, mail, page_size=100)
    service.pager = _chains(length, where, service.pager)
    lab = Laboratory(service, policy(lookback=1), start_time=2).run(T0 + 4 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.repeats() == 0
    requests_a_page = 8 if where == "behind" else length + 2
    assert len(service.given) < requests_a_page * len(plain.service.given)


def _chained_if_empty(following: Callable[[int], int], behind: int, usual: Pager) -> Pager:
    """Pages as usual where there are rows, behind so many empty ones; else empty ones, after each of which comes the
    one whose number ``following`` gives.
    """

    def pager(rows: list[Mail], asked: Asked, size: int) -> tuple[list[Mail], str | None]:
        text, _, token = (asked.token or "").rpartition("~")
        passed = int(text or 0)
        if not rows:
            return [], f"{following(passed)}~"
        if passed < behind and not token:
            return [], f"{passed + 1}~"
        page, token_of_next = usual(rows, replace(asked, token=token or None), size)
        return page, token_of_next and f"~{token_of_next}"

    return pager


def _next_one(number: int) -> int:
    return number + 1


def _next_of_twelve(number: int) -> int:
    return number % 12 + 1


@both
@pytest.mark.parametrize("following", [_next_one, _next_of_twelve])
def test_empty_pages_without_end_cost_a_tenant_without_mail_little(
    kind: Kind, following: Callable[[int], int]
) -> None:
    mail = [Mail(T0 - 30 * M, "a"), Mail(T0 + 5 * H, "b")]
    settings = policy(frequency=60)
    plain = Laboratory(Service(kind, mail, page_size=100), settings).run(T0 + 12 * H)
    service = Service(kind, mail, page_size=100)
    service.pager = _chained_if_empty(following, 0, service.pager)
    lab = Laboratory(service, settings).run(T0 + 12 * H)
    assert len(service.given) < 4.5 * len(plain.service.given)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
@pytest.mark.parametrize("behind", [1, 3, 19])
def test_rows_behind_empty_pages_arrive_soon_after_a_day_of_chains_that_led_nowhere(
    kind: Kind, behind: int
) -> None:
    """Later chains may lead to rows all the same."""
    first, second = T0 + 24 * H + 7 * M, T0 + 25 * H
    service = Service(kind, [Mail(first, "first"), Mail(second, "second")], page_size=100)
    service.pager = _chained_if_empty(_next_one, behind, service.pager)
    lab = Laboratory(service, policy(frequency=60)).run(T0 + 26 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    delays = (7 * M, 7 * M) if behind <= 2 else (30 * M, 8 * M)
    accepted = lab.accepted_at()
    assert accepted["first"] - first <= delays[0]
    assert accepted["second"] - second <= delays[1]


@both
@pytest.mark.parametrize("behind", [1, 3, 19])
def test_rows_behind_empty_pages_are_found_by_the_last_read_if_no_window_is_long(
    kind: Kind, behind: int
) -> None:
    mail = [Mail(T0 + 12 * H + n * 20 * M, f"r{n}") for n in range(3)]
    service = Service(kind, mail, page_size=100)
    service.pager = _chained_if_empty(_next_one, behind, service.pager)
    lab = Laboratory(service, policy(frequency=60, lookback=1)).run(T0 + 16 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert lab.gaps == ()


class _Asked(Service):
    """Its client asks for pages of 50 rows, of which it may give fewer."""

    def client(self, transport: Transport, clock: Clock, log: Log) -> ODataClient:
        client = super().client(transport, clock, log)
        client.page_size = 50
        return client


@both
def test_pages_smaller_than_was_asked_for_are_planned_with(kind: Kind) -> None:
    """As with a service of which as many are asked for: by the bound that is told, requests and fresh mail."""
    mail = [Mail(T0 - 6 * H + n * 6 * S, f"r{n}") for n in range(6000)]
    settings = policy(delay=1, frequency=60)
    plain = Laboratory(Service(kind, mail, page_size=10), settings, start_time=6)
    capped = Laboratory(_Asked(kind, mail, page_size=10), settings, start_time=6)
    for lab in (plain, capped):
        lab.run(T0 + 4 * H)
    assert capped.said("info", "warning")[-1] == plain.said("info", "warning")[-1]
    assert len(capped.service.given) < 1.1 * len(plain.service.given)
    assert _latest(capped) < _latest(plain) + 10 * S


def _latest(lab: Laboratory) -> int:
    """The longest delay from receipt to acceptance in two hours of mail, in milliseconds."""
    accepted = lab.accepted_at()
    judged = [row for row in lab.service.mail if T0 + H < row.received < T0 + 3 * H]
    return max(accepted[row.id] - row.received for row in judged)


class _LinkedElsewhere(Service):
    """Each last page links to another host, as behind a gateway that writes its own name."""

    def body(self, asked: Asked, page: list[Mail], link: str | None = None) -> Fields:
        return super().body(asked, page, link or (page and "https://gateway.example/next") or None)


@both
def test_a_last_page_that_links_to_another_host_loses_nothing_and_ends(kind: Kind) -> None:
    mail = _journal(range(T0 - H, T0 + 2 * H, 20 * S), 1)
    plain = Laboratory(Service(kind, mail, page_size=100)).run(T0 + 9 * H)
    lab = Laboratory(_LinkedElsewhere(kind, mail, page_size=100)).run(T0 + 9 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.repeats() == 0
    assert len(lab.service.given) < 2.5 * len(plain.service.given)


def _own(status: int, message: str = "An error has occurred.") -> Answer:
    error = {"code": "UnknownError", "message": message}
    return Answer(status, {}, orjson.dumps({"error": error}))


@both
@pytest.mark.parametrize(
    "answer",
    [
        _own(401),
        _own(403),
        _own(404),
        _own(413),
        _own(400, "The result exceeds the maximum size."),
        _own(500),
        Answer(302, {}, b""),
        Answer(200, {}, b"<html>"),
    ],
)
def test_whatever_answers_the_link_of_each_last_page_nothing_is_lost_or_blamed(
    kind: Kind, answer: Answer
) -> None:
    mail = _journal(range(T0 - H, T0 + 2 * H, 20 * S), 1)
    service = Service(kind, mail, page_size=100)
    service.pager = _ending(lambda token: "end", service.pager)
    service.instead = lambda asked, rows: answer if asked.token == "end" else None
    lab = Laboratory(service, policy(lookback=2), start_time=1).run(T0 + 6 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.saved.oldest > from_ms(T0 + H), "time becomes final"
    assert not any("permission" in text or "role" in text for text in lab.said())


def test_an_application_that_loses_its_permission_amid_a_window_waits_for_it() -> None:
    """The first page of the same window is refused, too: so it is not the fault of the link."""
    mail = _journal(range(T0 - H, T0 + H, 20 * S), 1)
    service = Service("reporting", mail, page_size=100)
    service.pager = _ending(lambda token: None if token else "end", service.pager)
    lost = range(T0 + 30 * M, T0 + 50 * M)
    asked_at: list[int] = []

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        if not asked_at and asked.now in lost and asked.token == "end":
            asked_at.append(asked.now)
        return _own(403) if asked_at and asked.now in lost else None

    service.instead = instead
    lab = Laboratory(service, start_time=1).run(T0 + 2 * H)
    assert asked_at
    assert any("role" in text for text in lab.said())
    assert lab.missing() == []


class _Unconditional(Service):
    """It heeds the times of a filter only."""

    def _asked(self, url: str, now: int) -> Asked:
        return replace(super()._asked(url, now), recipient=None, trace_id=None)


@pytest.mark.parametrize("rows", [10, 15])
def test_a_condition_that_the_service_ignores_declares_nothing(rows: int) -> None:
    crowd = [Mail(T0 + 20 * M, f"m{n}", to=f"u{n}@contoso.example") for n in range(rows)]
    service = _Unconditional("graph", crowd, page_size=10)
    service.pager = by_position
    lab = Laboratory(service, policy(lookback=0)).run(T0 + 2 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
@pytest.mark.parametrize(("rows", "page_size"), [(600, 100), (600, None), (1001, None)])
def test_an_id_that_the_service_ignores_declares_nothing(
    kind: Kind, rows: int, page_size: int | None
) -> None:
    name = "0b5a7c5e-0000-4000-8000-000000000001"
    large = [Mail(T0 + 20 * M, name, to=f"u{n}@contoso.example") for n in range(rows)]
    mail = [*large, *_journal(range(T0 - H, T0 + 2 * H, 10 * S), 1)]
    service = _Unconditional(kind, mail, page_size)
    lab = Laboratory(service, policy(lookback=1)).run(T0 + 4 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert any("rows of other messages" in text for text in lab.said("warning"))


class _LinkedToOtherTime(Service):
    """Its pages are smaller than is asked for, and their links lead to the page of an hour earlier."""

    def client(self, transport: Transport, clock: Clock, log: Log) -> ODataClient:
        client = super().client(transport, clock, log)
        client.page_size = 2000
        return client

    def _asked(self, url: str, now: int) -> Asked:
        asked = super()._asked(url, now)
        if not asked.token:
            return asked
        return replace(asked, start=asked.start - H, end=asked.end - H, token=None)


@both
def test_links_to_the_rows_of_other_time_lose_nothing(kind: Kind) -> None:
    mail = _journal(range(T0 - 2 * H, T0 + 2 * H, 4 * S), 1)
    lab = Laboratory(_LinkedToOtherTime(kind, mail, page_size=40), start_time=2).run(T0 + 12 * H)
    assert lab.missing() == []
    assert lab.gaps == ()
    assert lab.repeats() == 0


@both
def test_a_last_page_that_links_to_the_first_one_loses_nothing_and_ends(kind: Kind) -> None:
    service = Service(kind, _journal(range(T0 - H, T0 + H // 2, 60 * S), 1), page_size=100)
    usual = service.pager

    def pager(rows: list[Mail], asked: Asked, size: int) -> tuple[list[Mail], str | None]:
        page, token = usual(rows, asked, size)
        first = "-1" if kind == "reporting" else f"{asked.end + 1} "
        return page, token or first

    service.pager = pager
    lab = Laboratory(service, start_time=1).run(T0 + 2 * H)
    assert lab.missing() == []
    assert len(service.given) < 1300


@pytest.mark.parametrize(
    ("kind", "page_size", "recipients"),
    [
        ("reporting", 2000, 2000),
        ("graph", 5000, 5000),
        ("reporting", 100, 200),
        ("graph", 100, 200),
        ("graph", 100, 220),
    ],
)
def test_a_full_millisecond_that_is_complete_is_no_gap(
    kind: Kind, page_size: int, recipients: int
) -> None:
    name = "0b5a7c5e-0000-4000-8000-000000000001"
    mail = [Mail(T0 + 20 * M, name, to=f"u{n}@contoso.example") for n in range(recipients)]
    service = Service(kind, mail, page_size)
    lab = Laboratory(service, policy(lookback=0), start_time=0).run(T0 + 2 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert lab.gaps == ()
    assert lab.said("error", "critical") == []


@both
def test_rows_that_a_listing_leaves_out_of_a_large_message_are_asked_for_by_its_id(
    kind: Kind,
) -> None:
    name = "0b5a7c5e-0000-4000-8000-000000000001"
    mail = [Mail(T0 + 20 * M + n, name, to=f"u{n}@contoso.example") for n in range(1500)]
    service = Service(kind, mail)
    service.shown = lambda asked, rows: rows if asked.trace_id else rows[:1000]
    lab = Laboratory(service, policy(lookback=1)).run(T0 + 3 * H)
    assert lab.missing() == []


def _message_to_many(at: int) -> list[Mail]:
    name = "0b5a7c5e-0000-4000-8000-000000000001"
    return [Mail(at, name, to=f"u{n}@contoso.example") for n in range(1500)]


def _listing_shows(most: int) -> Callable[[Asked, list[Mail]], list[Mail]]:
    return lambda asked, rows: rows if asked.trace_id else rows[:most]


@both
def test_a_large_message_of_which_a_listing_shows_few_rows_is_completed(kind: Kind) -> None:
    """Of the thousand rows that a listing shows at most, some may not be there yet or any more."""
    service = Service(kind, _message_to_many(T0 + 20 * M), page_size=400)
    service.shown = _listing_shows(600)
    lab = Laboratory(service, policy(lookback=1)).run(T0 + 3 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


@both
def test_a_large_message_is_completed_however_often_the_process_ends_while_it_is(
    kind: Kind,
) -> None:
    service = Service(kind, _message_to_many(T0 + 20 * M))
    service.shown = _listing_shows(1000)
    stops = 12

    def instead(asked: Asked, rows: list[Mail]) -> Answer | None:
        nonlocal stops
        if asked.trace_id and stops:
            stops -= 1
            raise Stopped
        return None

    service.instead = instead
    lab = Laboratory(service, policy(lookback=1))
    while lab.clock.ms < T0 + 6 * H:
        lab.run(T0 + 6 * H)
    assert stops == 0
    assert lab.missing() == []
    assert lab.gaps == ()


@both
@pytest.mark.parametrize("status", [400, 413, 500])
def test_a_large_message_that_cannot_be_completed_is_declared_until_it_can(
    kind: Kind, status: int
) -> None:
    received, repaired = T0 + 20 * M, T0 + 8 * H
    service = Service(kind, [*_message_to_many(received), Mail(received + H, "later")])
    service.shown = _listing_shows(1000)
    service.instead = lambda asked, rows: (
        Answer(status, {}, b"") if asked.trace_id and asked.now < repaired else None
    )
    lab = Laboratory(service, policy(lookback=1)).run(repaired)
    assert lab.missing()
    (gap,) = lab.gaps
    assert gap == Gap(Window(from_ms(received), from_ms(received + 1)), Cause.INCOMPLETE)
    lab.run(repaired + 6 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


_SHUFFLES = Random(1)


def _ties_shuffled(asked: Asked, rows: list[Mail]) -> list[Mail]:
    shuffled = _SHUFFLES.sample(rows, len(rows))
    return sorted(shuffled, key=lambda row: -row.received)


def _shuffled(asked: Asked, rows: list[Mail]) -> list[Mail]:
    return _SHUFFLES.sample(rows, len(rows))


def _oldest_first(asked: Asked, rows: list[Mail]) -> list[Mail]:
    return rows[::-1]


def _by_partition(asked: Asked, rows: list[Mail]) -> list[Mail]:
    return sorted(rows, key=lambda row: (int(row.id[1:]) % 2, -row.received))


@both
@pytest.mark.parametrize("lookback", [0, 4])
@pytest.mark.parametrize("order", [_ties_shuffled, _shuffled, _oldest_first, _by_partition])
def test_no_order_of_the_rows_loses_any(
    kind: Kind, lookback: int, order: Callable[[Asked, list[Mail]], list[Mail]]
) -> None:
    mail = [Mail(T0 - 8 * H + n // 7 * M, f"r{n}") for n in range(4000)]
    service = Service(kind, mail, page_size=50)
    service.shown, service.pager = order, by_position
    lab = Laboratory(service, policy(lookback=lookback), start_time=8).run(T0 + 10 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0


def test_a_row_that_pages_leave_out_because_another_one_vanishes_comes_with_the_next_read() -> None:
    usual = range(T0, T0 + 4 * H, 20 * S)
    burst = range(T0 + H, T0 + H + 10 * M, S)
    mail = [Mail(at, f"r{at}") for at in sorted({*usual, *burst})]
    service = Service("reporting", mail, page_size=100)
    left_out: list[Mail] = []

    def without_the_newest(asked: Asked, rows: list[Mail]) -> list[Mail]:
        if asked.token is None or asked.now > T0 + H + 20 * M:
            return rows
        left_out.append(rows[int(asked.token) + 1])
        return rows[1:]

    service.shown = without_the_newest
    lab = Laboratory(service, policy(frequency=600)).run(T0 + 4 * H)
    assert left_out
    arrived = lab.accepted_at()
    ages = [arrived[row.id] - row.received for row in left_out]
    assert max(ages) > 15 * M
    assert max(ages) < 35 * M
    assert lab.repeats() == 0
    assert lab.gaps == ()


def test_a_cursor_by_time_over_pages_in_another_order_loses_nothing() -> None:
    mail = [Mail(T0 - 30 * H + n * 20 * S, f"r{n}", to=f"u{n % 9}@x") for n in range(5000)]
    service = Service("graph", mail, page_size=100)

    def pager(rows: list[Mail], asked: Asked, size: int) -> tuple[list[Mail], str | None]:
        page, token = after_recipient(rows, asked, size)
        return page[::-1], token

    service.pager = pager
    lab = Laboratory(service, policy(history=90), start_time=30).run(T0 + 10 * H)
    assert lab.missing() == []


@both
def test_a_full_millisecond_whose_link_is_refused_is_declared_and_arrives_in_the_end(
    kind: Kind,
) -> None:
    received, repaired = T0 + 20 * M, T0 + 9 * H
    many = [Mail(received, f"m{n}", to=f"u{n}@contoso.example") for n in range(230)]
    service = Service(kind, [*many, *(Mail(T0 + n * M, f"r{n}") for n in range(300))], 100)
    service.instead = lambda asked, rows: (
        Answer(400, {}, b"") if asked.token and asked.now < repaired else None
    )
    lab = Laboratory(service, policy(lookback=1)).run(repaired)
    assert {row.received for row in lab.missing()} == {received}
    assert {gap.cause for gap in lab.gaps} == {Cause.INCOMPLETE}
    lab.run(repaired + 8 * H)
    assert lab.missing() == []
    assert lab.gaps == ()


class LinksEverywhere(Service):
    """Writes a next link into every answer, behind the last page one that it refuses."""

    def body(self, asked: Asked, page: list[Mail], link: str | None = None) -> Fields:
        return super().body(asked, page, link or GONE)

    def answer(self, url: str, now: int) -> Answer:
        return Answer(400, {}, b"") if url == GONE else super().answer(url, now)


@both
def test_links_of_empty_pages_that_are_refused_cost_no_window(kind: Kind) -> None:
    lab = Laboratory(LinksEverywhere(kind, [Mail(T0 + n * 7 * M, f"r{n}") for n in range(8)]))
    lab.run(T0 + 6 * H)
    assert lab.missing() == []
    assert lab.repeats() == 0
    assert lab.gaps == ()
    assert len(lab.service.given) < 6 * 60 * 3
