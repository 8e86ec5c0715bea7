"""Mail of odd kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.claims.oddities.table import Table, entered
from tests.claims.service import (
    Asked,
    Fields,
    H,
    M,
    Mail,
)
from tests.claims.worlds import Span, World

LARGE = "0b5a7c5e-0000-4000-8000-000000000001"
"""The trace id of a message to very many."""

TABLE: Table = {}
_oddity = partial(entered, TABLE)


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
