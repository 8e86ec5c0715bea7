"""The module as the platform starts it: what it is given, what it delivers, how it looks from outside."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.end_to_end.scene import OpenScene, Scene

NODE_SECRETS: dict[str, dict[str, Any]] = {
    "no secret": {},
    "an empty secret": {"client_secret": ""},
    "a placeholder": {"client_secret": "{{ secret }}"},
    "null": {"client_secret": None},
}


@pytest.fixture(scope="module")
def scenes(open_scene: OpenScene) -> dict[str, Scene]:
    """One running process for each way of being configured."""
    opened = {
        "oauth": open_scene("oauth"),
        "basic": open_scene("basic"),
        "connector": open_scene("oauth"),
        "certificate by node": open_scene("oauth", secrets_by_node=True, credential="certificate"),
        "basic account by node": open_scene("basic", secrets_by_node=True),
        **{
            name: open_scene("oauth", secrets_by_node=True, **given)
            for name, given in NODE_SECRETS.items()
        },
    }
    variables = opened["connector"].process.environment
    variables["CONNECTOR_CONFIGURATION"] = variables.pop("TRIGGER_CONFIGURATION")
    for scene in opened.values():
        scene.start()
    return opened


def assert_exactly_once(scene: Scene) -> None:
    scene.wait_until_delivered()
    report = scene.report()
    assert report.ok, report
    assert report.events == report.rows > 1000


@pytest.mark.parametrize("trigger", ["oauth", "basic"])
def test_every_row_of_the_first_start_arrives_exactly_once_over_several_pages(
    scenes: dict[str, Scene], trigger: str
) -> None:
    assert_exactly_once(scenes[trigger])
    pages = scenes[trigger].world.request_log.count("reporting", 200)
    assert scenes[trigger].rows / 200 <= pages <= scenes[trigger].rows / 200 + 3


def test_a_connector_configuration_does_in_place_of_a_trigger_configuration(
    scenes: dict[str, Scene],
) -> None:
    assert_exactly_once(scenes["connector"])


@pytest.mark.parametrize("given", NODE_SECRETS)
def test_the_secret_of_the_node_counts_whatever_the_configuration_holds_in_its_place(
    scenes: dict[str, Scene], given: str
) -> None:
    scene = scenes[given]
    assert_exactly_once(scene)
    configuration = json.loads(scene.process.environment["TRIGGER_CONFIGURATION"])
    assert configuration.get("client_secret") != scene.world.identity.client_secret


def test_a_certificate_may_be_a_secret_of_the_node(scenes: dict[str, Scene]) -> None:
    scene = scenes["certificate by node"]
    assert_exactly_once(scene)
    assert "client_certificate" not in scene.process.environment["TRIGGER_CONFIGURATION"]
    assert scene.world.playbook.messages("warning", "error", "critical") == []


def test_the_password_of_an_account_may_be_a_secret_of_the_node(scenes: dict[str, Scene]) -> None:
    assert_exactly_once(scenes["basic account by node"])


@pytest.mark.parametrize("trigger", ["oauth", "basic"])
def test_health_answers_200_while_there_is_nothing_to_do(
    scenes: dict[str, Scene], trigger: str
) -> None:
    scenes[trigger].wait_until_delivered()
    assert scenes[trigger].health().status_code == 200


def test_the_metric_of_the_dashboards_counts_every_event(scenes: dict[str, Scene]) -> None:
    scene = scenes["oauth"]
    scene.wait_until_delivered()
    name = r"symphony_module_common_forwarded_events_total\{[^}]*\} ([0-9.]+)"
    (count,) = re.findall(name, scene.metrics())
    assert float(count) == scene.rows
