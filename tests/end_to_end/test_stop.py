"""SIGTERM ends the process within a second, whatever it waits for, and a restart completes the work."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from sandbox import Answer, Hang, Rule
from sandbox.process import Exit
from tests.end_to_end.scene import OpenScene, Reach, Scene

LONGEST_STOP = 1.0
"""Seconds from the signal to the end of the process, that the product promises."""
TRIES = 3
"""Other work on the machine can slow a stop down but never speed it up: the fastest one counts."""
UNMEASURED = {"COVERAGE_PROCESS_START": "", "COVERAGE_PROCESS_CONFIG": ""}
"""What is timed is the product, without coverage's work at its end."""


def until_said(text: str) -> Reach:
    return lambda scene: scene.process.wait_until(lambda: scene.said(text))


def until_struck(*services: str) -> Reach:
    return lambda scene: scene.wait_until_struck(*services)


def until_delivered(scene: Scene) -> None:
    scene.process.wait_until(lambda: scene.delivered)


def always(fault: Answer | Hang, service: str, path: str | None = None, nth: int = 1) -> Reach:
    rule = Rule(fault, service, path=path, nth=nth, times=None)

    def add(scene: Scene) -> None:
        scene.world.faults.add(rule)

    return add


def no_trouble(scene: Scene) -> None:
    """Everything works."""


def block_storage(scene: Scene) -> None:
    (scene.process.data / "message_trace").touch()  # where a folder should be


def unblock_storage(scene: Scene) -> None:
    (scene.process.data / "message_trace").unlink()


def forget_intake_key(scene: Scene) -> None:
    scene.world.intake.keys.clear()


def know_intake_key(scene: Scene) -> None:
    scene.world.intake.keys.add(scene.world.identity.intake_key)


def spoil_settings(scene: Scene) -> None:
    scene.process.environment["CONNECTOR_CONFIGURATION"] = scene.process.environment.pop(
        "TRIGGER_CONFIGURATION"
    )
    scene.process.environment["TRIGGER_CONFIGURATION"] = "{}"


def mend_settings(scene: Scene) -> None:
    scene.process.environment["TRIGGER_CONFIGURATION"] = scene.process.environment.pop(
        "CONNECTOR_CONFIGURATION"
    )


def withdraw_secret(scene: Scene) -> None:
    scene.world.app.secrets.clear()


def give_secret(scene: Scene) -> None:
    scene.world.app.secrets[scene.world.identity.client_secret] = None


def shrink_pages(scene: Scene) -> None:
    """Make pages so small that the request budget does not suffice."""
    scene.world.reporting.options.page_size = 10


def widen_pages(scene: Scene) -> None:
    """And let five minutes pass for the budget, which a restart does not refill."""
    scene.world.reporting.options.page_size = 200
    (record,) = scene.process.data.rglob("quota.json")
    record.unlink()


def silence_all(scene: Scene) -> None:
    """From the third page on, neither Microsoft nor the platform answers."""
    always(Hang(), "reporting", nth=3)(scene)
    always(Hang(), "playbook", "/logs")(scene)


@dataclass(frozen=True)
class Wait:
    """Something to be waiting for: how it comes to that, and how the trouble is ended afterwards."""

    reach: Reach
    trouble: Reach = no_trouble
    mend: Reach = no_trouble


WAITS = {
    "idle between reads": Wait(Scene.wait_until_delivered),
    "no answer from Microsoft": Wait(until_struck("reporting"), always(Hang(), "reporting", nth=3)),
    "no answer from the intake": Wait(until_struck("intake"), always(Hang(), "intake", nth=3)),
    "no answer from Entra ID": Wait(until_struck("entra"), always(Hang(), "entra", "/token")),
    "a pause after a 503 of Microsoft": Wait(
        until_said("[status 503]"), always(Answer(503), "reporting", nth=3)
    ),
    "a pause that the intake asked for": Wait(
        until_said("[status 429]"),
        always(Answer(429, headers={"Retry-After": "300"}), "intake", nth=3),
    ),
    "a pause after a 503 of Entra ID": Wait(
        until_said("[status 503"), always(Answer(503), "entra", "/token")
    ),
    "a pause for the request budget": Wait(
        until_said("request budget is used up"), shrink_pages, widen_pages
    ),
    "a refused intake key": Wait(
        until_said("refuses the intake key"), forget_intake_key, know_intake_key
    ),
    "a refused client secret": Wait(
        until_said("The client secret is wrong"), withdraw_secret, give_secret
    ),
    "a better configuration": Wait(
        until_said("The configuration cannot be used"), spoil_settings, mend_settings
    ),
    "a storage that cannot be used": Wait(
        until_said("the trigger's own state"), block_storage, unblock_storage
    ),
    "no answer from the logs endpoint": Wait(until_delivered, always(Hang(), "playbook", "/logs")),
    "no answer from anybody": Wait(until_struck("reporting", "playbook"), silence_all),
    "no answer from the secrets endpoint": Wait(
        until_struck("playbook"), always(Hang(), "playbook", "/secrets")
    ),
}


@dataclass
class Story:
    """A running scene and the wait that it is to be stopped in."""

    wait: Wait
    scene: Scene
    exits: list[Exit] = field(default_factory=list)

    @property
    def fastest(self) -> float:
        return min((each.seconds for each in self.exits), default=float("inf"))

    def stopped(self) -> list[Exit]:
        """How it ended; it is stopped when first asked, and again if that took too long."""
        while self.fastest >= LONGEST_STOP and len(self.exits) < TRIES:
            if self.exits:
                self.scene.start()
            self.scene.wait_until_started()
            self.wait.reach(self.scene)
            self.exits.append(self.scene.process.stop())
        return self.exits


@pytest.fixture(scope="module")
def stories(open_scene: OpenScene) -> dict[str, Story]:
    """A running process for each wait."""
    opened = {name: Story(wait, open_scene()) for name, wait in WAITS.items()}
    for story in opened.values():
        story.wait.trouble(story.scene)
        story.scene.process.environment.update(UNMEASURED)
        story.scene.start()
    for story in opened.values():  # so that no start disturbs the measurements
        story.scene.wait_until_started()
    return opened


@pytest.fixture(scope="module")
def resumed(stories: dict[str, Story]) -> dict[str, Scene]:
    """The processes started again, their disturbances ended, after all of them were stopped."""
    for story in stories.values():
        try:
            story.stopped()
        except TimeoutError:  # it did not come to its wait, as its own test says
            story.scene.process.kill()
    for story in stories.values():
        story.scene.world.faults.clear()
        story.wait.mend(story.scene)
        for name in UNMEASURED:
            story.scene.process.environment.pop(name)
        story.scene.start()
    return {name: story.scene for name, story in stories.items()}


@pytest.mark.parametrize("wait", WAITS)
def test_sigterm_ends_within_a_second_a_process_that_waits_for(
    stories: dict[str, Story], wait: str
) -> None:
    exits = stories[wait].stopped()
    assert {each.status for each in exits} == {0}
    assert min(each.seconds for each in exits) < LONGEST_STOP


@pytest.mark.parametrize("wait", WAITS)
def test_a_restart_delivers_everything_once_after_a_stop_during(
    resumed: dict[str, Scene], wait: str
) -> None:
    scene = resumed[wait]
    scene.wait_until_delivered()
    report = scene.report()
    assert report.ok, report
