"""Clocks that are wrong, and processes that come and go."""

from __future__ import annotations

from functools import partial

from tests.claims.laboratory import policy
from tests.claims.oddities.table import Table, entered
from tests.claims.service import (
    D,
    H,
    M,
    S,
)
from tests.claims.worlds import Span, World

TABLE: Table = {}
_oddity = partial(entered, TABLE)


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
