"""A process that ends, one way or the other, is continued by the next one on the same data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from random import Random

import pytest

from sandbox import Delay, Report, Rule
from tests.end_to_end.scene import OpenScene, Scene

CHUNK_SIZE = 50
KILLS = 4
SEEDS = (1, 2)


def slow(scene: Scene) -> Scene:
    """The same scene with an intake that takes its time for each small batch of thousands of rows."""
    scene.world.faults.add(Rule(Delay(0.02), "intake", times=None))
    assert scene.rows > 2500
    return scene


@pytest.fixture
def scenes(open_scene: OpenScene) -> list[Scene]:
    """As many as there are seeds, none of them started."""
    return [
        slow(open_scene(messages_per_minute=50, page_size=250, chunk_size=CHUNK_SIZE))
        for _ in SEEDS
    ]


def run_until_events(scene: Scene, number: int) -> None:
    counts = scene.world.intake.counts
    scene.start()
    scene.process.wait_until(lambda: counts.events >= number)
    assert not scene.delivered


def test_after_sigterm_in_a_backlog_the_next_process_continues_without_loss_or_repeat(
    scenes: list[Scene],
) -> None:
    scene = scenes[0]
    run_until_events(scene, scene.rows // 2)
    assert scene.process.stop().status == 0
    before = scene.world.intake.counts.events
    assert before < scene.rows

    scene.start()
    scene.wait_until_delivered()
    scene.process.stop()
    report = scene.report()
    assert report.ok, report


def run_with_kills(scene: Scene, seed: int) -> Report:
    """Kill a process several times on its way through the backlog; what the last one leaves."""
    rng = Random(seed)
    shares = [rng.uniform(0.02, 0.9 / KILLS) for _ in range(KILLS)]
    for share in accumulate(shares):
        run_until_events(scene, round(share * scene.rows))
        assert scene.process.kill().status == -9
    scene.start()
    scene.wait_until_delivered()
    scene.process.stop()
    return scene.report()


def test_sigkill_at_any_moment_loses_nothing_and_repeats_the_batch_in_flight_at_most(
    scenes: list[Scene],
) -> None:
    with ThreadPoolExecutor() as together:
        reports = list(together.map(run_with_kills, scenes, SEEDS))
    for report in reports:
        assert report.complete, report
        assert not report.unknown
        assert len(report.repeated) <= KILLS * CHUNK_SIZE
