"""The order of rows, what windows mean, pages and their links."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from zlib import crc32

from office365_message_trace.transport.session import Answer
from tests.claims.oddities.effects import answer_instead, own_refusal
from tests.claims.oddities.table import Table, entered
from tests.claims.service import (
    Asked,
    Mail,
    Pager,
    S,
    by_position,
)
from tests.claims.worlds import Span, World

Page = tuple[list[Mail], str | None]

TABLE: Table = {}
_oddity = partial(entered, TABLE)


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
    answer_instead(world, lambda asked, rows: answer if asked.token == "refused" else None)
