"""What a user is told of a wrong secret and of a configuration that cannot be used."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.ports import unclaimed_ports
from tests.end_to_end.scene import OpenScene, Scene
from tests.s3 import s3_server

MISTAKES: dict[str, Any] = {
    "tenant_id": "not an identifier",
    "client_secret": "",
    "intake_key": "   ",
    "intake_server": "http://intake.example",
    "timedelta": "soon",
    "start_time": "1.5",
    "frequency": "a minute",
    "lookback": "forever",
    "chunk_size": "none",
}
LIMITED: dict[str, Any] = {"frequency": 9, "lookback": "73", "chunk_size": 10_001}
"""Beyond the limits, with the nearest numbers: 10, 72 and 10000."""
UNKNOWN: dict[str, Any] = {"tenantid": "x", "Timedelta": 3}

OBSERVED_SECONDS = 4.0
"""For that long nothing more is asked of Microsoft after a refusal; the next probe is a minute away."""


@pytest.fixture(scope="module")
def scenes(open_scene: OpenScene) -> dict[str, Scene]:
    """A process with a wrong secret, one with all mistakes at once, one with unknown fields, one with numbers
    beyond their limits."""
    opened = {
        "wrong secret": open_scene(),
        "mistakes": open_scene(client_id=None, **MISTAKES),
        "unknown": open_scene(**UNKNOWN),
        "limited": open_scene(**LIMITED),
    }
    app = opened["wrong secret"].world.app
    app.secrets = {"another secret": None}
    for scene in opened.values():
        scene.start()
    opened["wrong secret"].wait_until_log("error")
    opened["mistakes"].wait_until_log("critical")
    opened["wrong secret"].process.wait_until_quiet(OBSERVED_SECONDS)
    return opened


def test_a_wrong_client_secret_is_one_error_that_says_what_to_do_and_does_not_stop_the_trigger_yet(
    scenes: dict[str, Scene],
) -> None:
    (message,) = scenes["wrong secret"].world.playbook.messages("error", "critical")
    assert "must be the Value" in message
    assert "Certificates & secrets" in message
    assert "AADSTS7000215" in message
    assert scenes["wrong secret"].world.playbook.messages("critical") == []


def test_a_wrong_client_secret_is_not_tried_again_and_again(scenes: dict[str, Scene]) -> None:
    assert 0 < scenes["wrong secret"].requests_to_microsoft <= 10
    assert scenes["wrong secret"].world.intake.counts.requests == 0


def test_all_mistakes_of_a_configuration_are_told_in_one_critical_log_without_values(
    scenes: dict[str, Scene],
) -> None:
    (message,) = scenes["mistakes"].world.playbook.messages("critical")
    for name in ("client_id", *MISTAKES):
        assert f"{name} " in message
    for value in ("not an identifier", "intake.example", "soon", "a minute", "forever"):
        assert value not in message


def test_with_mistakes_in_its_configuration_the_trigger_calls_nobody(
    scenes: dict[str, Scene],
) -> None:
    request_log = scenes["mistakes"].world.request_log
    assert [request_log.count(service) for service in ("entra", "reporting", "intake")] == [0, 0, 0]


def test_fields_that_are_not_known_are_warned_of_by_name_and_hinder_nothing(
    scenes: dict[str, Scene],
) -> None:
    scene = scenes["unknown"]
    scene.wait_until_delivered()
    scene.process.stop()
    warnings = scene.world.playbook.messages("warning")
    assert len(warnings) == len(UNKNOWN)
    for name in UNKNOWN:
        assert any(f" {name}." in warning for warning in warnings)
    assert scene.report().ok


def test_numbers_beyond_their_limits_are_said_once_at_the_start_and_hinder_nothing(
    scenes: dict[str, Scene],
) -> None:
    scene = scenes["limited"]
    scene.wait_until_delivered()
    used = {"frequency": 10, "lookback": 72, "chunk_size": 10_000}
    assert f"message_trace_frequency_seconds {used['frequency']}.0" in scene.metrics()
    scene.process.stop()
    assert scene.world.playbook.messages("warning") == [
        f"{name} is beyond its limits; {number} is used instead, the nearest number that is allowed."
        for name, number in used.items()
    ]
    assert scene.world.playbook.messages("error", "critical") == []
    assert scene.report().ok


def test_line_breaks_at_the_ends_of_values_hinder_nothing(open_scene: OpenScene) -> None:
    scene = open_scene()
    values = scene.process.environment
    for name in {"TOKEN", "URL_CALLBACK", "URL_LOGS", "URL_SECRETS", "INTAKE_URL"} & values.keys():
        values[name] += "\n"
    scene.start()
    scene.wait_until_delivered()
    scene.process.stop()
    assert scene.world.playbook.messages("info")
    assert scene.report().ok


NOT_STARTED: dict[str, tuple[dict[str, str], str]] = {
    "no module configuration": (
        {"MODULE_CONFIGURATION": ""},
        "The trigger cannot start: module_configuration is missing. Each is a file",
    ),
    "a module configuration that is torn": (
        {"MODULE_CONFIGURATION": '{"a": '},
        "The trigger cannot start: module_configuration is not JSON. Each is a file",
    ),
    "no token and no callback": (
        {"TOKEN": "", "URL_CALLBACK": "", "URL_SECRETS": "", "URL_LOGS": ""},
        "The trigger cannot start: token is missing, url_callback is missing. Each is a file",
    ),
    "values that cannot be used": (
        {"MODULE_CONFIGURATION": "[]", "TOKEN": "to\nken", "URL_SECRETS": "http://[x"},
        "The trigger cannot start: module_configuration is not a JSON object such as {}, token holds a "
        "line break, a space around it, or another character than ASCII's, url_secrets is not an "
        "address that begins with http:// or https://. Each is a file",
    ),
    "an object storage without its values": (
        {"FILE_BACKEND": "S3"},
        "The trigger cannot start: file_backend is S3, but aws_s3_endpoint_url is missing, ",
    ),
}


@pytest.mark.parametrize("mistake", NOT_STARTED)
def test_a_process_that_cannot_start_names_what_is_wrong_in_one_line(
    open_scene: OpenScene, mistake: str
) -> None:
    scene = open_scene()
    variables, sentence = NOT_STARTED[mistake]
    scene.process.environment.update(variables)
    scene.start()
    assert scene.process.wait_until_ended() == 2
    (line,) = scene.process.output.splitlines()
    assert sentence in line
    assert "Have the person who runs the image" in line
    assert ("message-trace run" in line) == ("" in variables.values())


@pytest.mark.parametrize("wrong", ["address", "bucket"])
def test_a_storage_that_cannot_be_reached_at_the_start_is_said_at_once(
    open_scene: OpenScene, wrong: str
) -> None:
    """In the words of ``check``, and it is tried again for half a minute."""
    with s3_server() as store:
        dead = {"AWS_S3_ENDPOINT_URL": f"http://127.0.0.1:{unclaimed_ports(1)[0]}"}
        other = {"AWS_BUCKET_NAME": "another"}
        scene = open_scene()
        scene.process.environment.update(store | (dead if wrong == "address" else other))
        scene.start()
        scene.process.wait_until(lambda: scene.said("cannot be reached. Check aws_bucket_name"), 20)
        assert scene.process.stop().status == 0
    assert "Traceback" not in scene.process.output


def test_an_error_tracker_that_cannot_be_used_hinders_nothing(open_scene: OpenScene) -> None:
    scene = open_scene()
    scene.process.environment["SENTRY_DSN"] = "no address"
    scene.start()
    scene.wait_until_delivered()
    assert scene.said("because sentry_dsn or environment cannot be used")
    assert "Traceback" not in scene.process.output


def test_the_log_is_in_utc_wherever_the_machine_is(open_scene: OpenScene) -> None:
    scene = open_scene()
    scene.process.environment["TZ"] = "Asia/Tokyo"
    scene.start()
    scene.wait_until_delivered()
    stamp = scene.process.output[:19]
    logged = datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - logged) < timedelta(minutes=10)


def test_ports_that_cannot_be_used_are_named_and_hold_up_no_mail(open_scene: OpenScene) -> None:
    scene = open_scene()
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        scene.process.environment.update({"LIVENESS_PORT": str(port), "METRICS_PORT": "80200"})
        scene.start()
        scene.wait_until_delivered()
        assert scene.process.stop().status == 0
    assert scene.report().ok
    liveness, metrics = scene.world.playbook.messages("error")
    assert f"Port {port} of liveness_port cannot be used (Address already in use)" in liveness
    assert "Port 80200 of metrics_port cannot be used (it is not a port number)" in metrics
    assert "Traceback" not in scene.process.output


def test_a_name_of_no_trigger_is_answered_with_those_that_there_are(open_scene: OpenScene) -> None:
    scene = open_scene()
    scene.process.command[-1] = "oauth"
    scene.start()
    assert scene.process.wait_until_ended() == 2
    output = scene.process.output
    assert output.startswith("Enter a trigger or an action to start, not oauth: ")
    assert {
        "message_trace_graph",
        "search_message_trace",
        "validate_module_configuration",
    } <= set(output.split())
