"""Draws worlds of several oddities."""

from __future__ import annotations

from random import Random

from tests.claims.judgement import judge
from tests.claims.laboratory import T0, Laboratory, policy
from tests.claims.oddities import answers, intake, pages, processes
from tests.claims.oddities import mail as mails
from tests.claims.service import (
    H,
    Kind,
    M,
    Mail,
    S,
    Service,
    shown_after,
)
from tests.claims.worlds import Place, Span, World

CALM_HOURS = 4
"""At the end of a run, in which nothing is odd that does not last."""

TABLE = answers.TABLE | pages.TABLE | mails.TABLE | intake.TABLE | processes.TABLE


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
