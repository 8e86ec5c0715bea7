"""A trigger survives answers of the playbook API that are none, and its log lines arrive afterwards."""

from __future__ import annotations

import pytest

from sandbox import Answer, Rule, html_page
from tests.end_to_end.scene import OpenScene, Scene

ODD_LIST = Answer(200, b'[["secret"]]')
ENDLESS = Answer(200, b" " * 2_000_000)


@pytest.fixture(scope="module")
def scene(open_scene: OpenScene) -> Scene:
    """A trigger whose secret is the platform's, which gives it at the fourth time that it is asked."""
    scene = open_scene(secrets_by_node=True)
    for fault in (html_page(), ODD_LIST, ENDLESS):
        scene.world.faults.add(Rule(fault, "playbook", path="/secrets"))
    scene.world.faults.add(Rule(html_page(500), "playbook", path="/logs"))
    scene.start()
    return scene


def test_odd_answers_for_the_secrets_delay_the_start_only(scene: Scene) -> None:
    scene.wait_until_delivered()
    asked = [
        each.status
        for each in scene.world.request_log.entries("playbook")
        if "secrets" in each.path
    ]
    assert asked == [200, 200, 200, 200]
    assert scene.report().ok


def test_log_lines_that_were_not_taken_arrive_later_once_and_in_order(scene: Scene) -> None:
    accepted = "The Sekoia.io intake accepts the events."
    scene.process.wait_until(lambda: accepted in scene.world.playbook.messages())
    dates = [line["date"] for line in scene.world.playbook.logs]
    assert dates == sorted(dates)
    assert scene.world.playbook.messages().count(accepted) == 1
    assert scene.said("Logs could not be sent: status 500")
    assert scene.process.stop().status == 0
