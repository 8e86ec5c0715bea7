"""Two real processes on one storage: the one that started last goes on, the other ends by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from office365_message_trace.collect.ownership import REPLACED
from office365_message_trace.collect.tenant_folders import INTAKE_CHANGED
from sandbox import Delay, Rule
from sandbox.process import TriggerProcess
from tests.end_to_end.scene import OpenScene, Scene

CHUNK_SIZE = 50
GIVES_WAY_WITHIN = 30.0
"""Seconds after the start of the other one, in which it takes two seconds to come to its claim."""


def neighbour(scene: Scene, folder: Path) -> TriggerProcess:
    """A second process like the scene's, on the same storage."""
    process = TriggerProcess(scene.world, folder)
    for name, value in scene.process.environment.items():
        if not name.endswith("_PORT"):
            process.environment[name] = value
    return process


def backlog(open_scene: OpenScene) -> Scene:
    """A scene in the middle of a backlog that an intake takes slowly."""
    scene = open_scene(messages_per_minute=50, page_size=250, chunk_size=CHUNK_SIZE)
    scene.world.faults.add(Rule(Delay(0.02), "intake", times=None))
    scene.start()
    scene.process.wait_until(lambda: scene.world.intake.counts.events >= scene.rows // 4)
    return scene


def completed(scene: Scene, second: TriggerProcess) -> None:
    """Let the second process complete the work, and end."""
    second.wait_until(lambda: scene.delivered)
    second.wait_until_quiet(0.5)
    report = scene.report()
    assert report.complete, report
    assert len(report.repeated) <= CHUNK_SIZE, "more than the batch that was on its way"
    assert second.stop().status == 0


@dataclass
class HandOver:
    """A process that has nothing to do, and another one on its storage, started later.

    `seconds` will be how long it took until the first one had ended, with `status`.
    """

    scene: Scene
    second: TriggerProcess
    seconds: Future[float]

    @property
    def status(self) -> int:
        return self.scene.process.wait_until_ended()


@pytest.fixture(scope="module", autouse=True)
def hand_over(
    open_scene: OpenScene, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HandOver]:
    """It takes its time, in which other tests run."""
    scene = open_scene()
    scene.start()
    scene.wait_until_delivered()
    with (
        neighbour(scene, tmp_path_factory.mktemp("second")) as second,
        ThreadPoolExecutor(1) as aside,
    ):
        second.start()
        began = time.monotonic()

        def until_ended() -> float:
            scene.process.wait_until_ended(2 * GIVES_WAY_WITHIN)
            return time.monotonic() - began

        yield HandOver(scene, second, aside.submit(until_ended))


def test_one_in_a_backlog_gives_way_at_its_next_push_and_logs_it(
    open_scene: OpenScene, tmp_path: Path
) -> None:
    scene = backlog(open_scene)
    with neighbour(scene, tmp_path) as second:
        second.start()
        assert scene.process.wait_until_ended(GIVES_WAY_WITHIN) == 0
        assert not scene.delivered
        assert scene.world.playbook.messages("error") == [REPLACED]
        assert scene.world.playbook.messages("critical") == []
        completed(scene, second)
        assert REPLACED not in second.output
    activity = json.loads((scene.process.data / "message_trace" / "activity.json").read_text())
    assert activity["problems"] == []


def test_one_that_was_suspended_ends_the_push_that_was_under_way_and_begins_no_other(
    open_scene: OpenScene, tmp_path: Path
) -> None:
    scene = backlog(open_scene)
    scene.process.suspend()
    with neighbour(scene, tmp_path) as second:
        second.start()
        completed(scene, second)
        accepted = scene.world.intake.counts.events
        scene.process.resume()
        assert scene.process.wait_until_ended(GIVES_WAY_WITHIN) == 0
    assert scene.said("Another process has taken over")
    assert scene.world.intake.counts.events - accepted <= CHUNK_SIZE


def test_another_intake_key_is_reported_and_nothing_is_sent_again(open_scene: OpenScene) -> None:
    scene = open_scene()
    scene.start()
    scene.wait_until_delivered()
    assert scene.process.stop().status == 0
    scene.world.intake.keys.add("another-key")
    settings = json.loads(scene.process.environment["TRIGGER_CONFIGURATION"])
    settings["intake_key"] = "another-key"
    scene.process.environment["TRIGGER_CONFIGURATION"] = json.dumps(settings)
    scene.start()
    scene.wait_until_log("warning")
    scene.process.wait_until_quiet()
    assert scene.process.stop().status == 0
    assert scene.world.playbook.messages("warning") == [INTAKE_CHANGED]
    assert scene.report().ok
    stored = [path for path in scene.process.data.rglob("*") if path.is_file()]
    who = scene.world.identity
    for path in stored:
        text = path.read_bytes().decode(errors="replace")
        assert not any(each in text for each in ("another-key", who.intake_key, who.tenant_id))


def test_one_that_has_nothing_to_do_gives_way_within_half_a_minute(hand_over: HandOver) -> None:
    assert hand_over.seconds.result() <= GIVES_WAY_WITHIN
    assert hand_over.status == 0
    hand_over.second.wait_until_quiet(0.5)
    assert hand_over.scene.report().ok
    assert hand_over.second.stop().status == 0
