"""In worlds of several oddities, which seeds draw, no promise of `docs/guarantees.md` is broken.

``run_drawn`` runs other seeds than these.
"""

from __future__ import annotations

import pytest

from tests.claims.judgement import judge
from tests.claims.oddities.drawing import draw, run_drawn
from tests.claims.worlds import World

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed{seed:03}")
def test_no_drawn_world_breaks_a_promise(seed: int) -> None:
    broken = run_drawn(seed)
    assert not broken, "\n".join(broken)


def _run(seed: int) -> World:
    world = draw(seed)
    world.run()
    return world


def _outcome(world: World) -> tuple[object, ...]:
    return str(world), world.service.given, world.lab.intake.accepted, world.lab.logged


QUICK = 12
"""A seed whose world takes little time."""


def test_a_seed_gives_the_same_run_each_time() -> None:
    assert _outcome(_run(QUICK)) == _outcome(_run(QUICK))


def test_the_judge_notices_a_row_that_does_not_arrive() -> None:
    world = _run(QUICK)
    accepted = world.lab.intake.accepted
    name = next(row.id for row in world.service.mail if row.received > world.begin)
    accepted[:] = [(at, event) for at, event in accepted if name not in event.values()]
    (broken,) = judge(world)
    assert broken.startswith(f"missing: 1, such as {name} ")


def test_the_judge_notices_a_row_that_is_repeated_or_late() -> None:
    world = _run(QUICK)
    world.lab.intake.accepted.append((world.end, world.lab.intake.accepted[0][1]))
    (broken,) = judge(world)
    assert broken.startswith("1 repeats")
    del world.lab.intake.accepted[0]
    (broken,) = judge(world)
    assert broken.startswith("late: 1")


def test_the_judge_notices_an_error_that_nothing_deserves() -> None:
    world = _run(QUICK)
    world.facts.errors = len(world.lab.said("error"))
    world.lab.log("Something failed.", "error")
    (broken,) = judge(world)
    assert "error lines" in broken
