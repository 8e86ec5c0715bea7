"""A trigger signs in with the module's application where it has none of its own, and is what it was where it has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.end_to_end.scene import OpenScene, Scene
from tests.end_to_end.tracker import open_tracker

NONE: dict[str, Any] = {"tenant_id": "", "client_id": None, "client_secret": ""}
SECRET = "canary~of~the~module~secret"  # of the sandbox


def with_module(scene: Scene, **values: Any) -> Scene:
    """The scene with the application of its world in the module's configuration, or with ``values``."""
    who = scene.world.identity
    configuration = {"tenant_id": who.tenant_id, "client_id": who.client_id, **values}
    scene.process.environment["MODULE_CONFIGURATION"] = json.dumps(configuration)
    return scene


@pytest.mark.parametrize("by_platform", [False, True], ids=["configuration", "platform's secrets"])
def test_a_trigger_without_credentials_collects_with_the_module_s(
    open_scene: OpenScene, by_platform: bool
) -> None:
    scene = open_scene(messages_per_minute=2, frequency=10, **NONE)
    scene.world.app.secrets = {SECRET: None}
    if by_platform:
        with_module(scene, client_secret=None)
        scene.world.playbook.module_secrets = {"client_secret": SECRET}
    else:
        with_module(scene, client_secret=SECRET)
    with open_tracker() as tracker:
        scene.process.environment["SENTRY_DSN"] = tracker.dsn
        scene.start()
        scene.wait_until_delivered()
        scene.world.app.secrets = {}
        scene.world.entra.revoke_all()
        scene.process.stop()
        scene.start()
        scene.wait_until_log("error", "critical")
        scene.process.stop()
        assert tracker.events
    assert scene.report().ok
    reports = b"".join(tracker.envelopes).decode(errors="replace")
    for text in (reports, scene.process.output, str(scene.world.playbook.logs)):
        assert SECRET not in text


def test_a_trigger_with_all_its_own_values_does_not_look_at_the_module_s(
    open_scene: OpenScene,
) -> None:
    scene = with_module(
        open_scene(messages_per_minute=2),
        tenant_id="wrong.example",
        client_id="wrong",
        client_certificate="wrong",
    )
    scene.start()
    scene.wait_until_delivered()
    assert scene.process.stop().status == 0
    assert scene.report().ok
    assert scene.world.playbook.messages("warning", "error", "critical") == []


def test_a_mistake_in_the_module_s_values_stops_the_trigger_and_says_where_it_is(
    open_scene: OpenScene,
) -> None:
    scene = with_module(open_scene(messages_per_minute=2, **NONE), tenant_id="a/b", client_id="")
    scene.start()
    scene.wait_until_log("critical")
    (told,) = scene.world.playbook.messages("critical")
    assert "tenant_id holds characters that no identifier has" in told
    assert "client_id is empty; enter a value." in told or "client_id is missing" in told
    assert "From the configuration of the module come tenant_id." in told
    assert scene.requests_to_microsoft == 0
    scene.process.stop()
