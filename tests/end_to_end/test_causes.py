"""What a running trigger says of a cause on the way is word for word what ``check`` says of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from sandbox import Answer, Rule
from sandbox.process import ROOT
from tests.end_to_end.scene import OpenScene, Scene
from tests.ways import CERTIFICATES, answers, authority, listening, over_tls

SAID = re.compile(
    r" - WARNING - (.+) Trying again until it works; nothing is lost meanwhile\. \[\w"
)
PROXIED = {"NO_PROXY": "", "no_proxy": ""}
CAUSES = {
    "name": "The name nowhere.invalid cannot be resolved (it is unknown to DNS).",
    "certificate": "The certificate of 127.0.0.1 has expired, or the clock of this machine is ahead.",
    "file of authorities": "The certificate authorities that REQUESTS_CA_BUNDLE names cannot be used",
    "interception": "The certificate of 127.0.0.1 is not trusted",
    "proxy": "The proxy http://127.0.0.1:9 cannot be used (Connection refused).",
    "password of the proxy": "does not accept the user name and password in HTTPS_PROXY",
    "address of the proxy": "HTTPS_PROXY is not an address such as",
}


@pytest.fixture(scope="module")
def scenes(open_scene: OpenScene) -> Iterator[dict[str, Scene]]:
    """A process for each cause, each until it has said something."""
    opened = {name: open_scene() for name in CAUSES}
    with ExitStack() as servers:
        expired = servers.enter_context(listening(over_tls(CERTIFICATES["expired"]())))
        proxy = servers.enter_context(listening(answers("407 canary")))
        world = opened["certificate"].world
        bundle = opened["certificate"].process.data.parent / "authorities.pem"
        bundle.write_bytes(world.ca_file.read_bytes() + authority().cert_pem.bytes())
        variables: dict[str, dict[str, str]] = {
            "name": {"MESSAGE_TRACE_LOGIN_URL": "https://nowhere.invalid"},
            "certificate": {
                "MESSAGE_TRACE_LOGIN_URL": f"https://127.0.0.1:{expired}",
                "REQUESTS_CA_BUNDLE": str(bundle),
            },
            "file of authorities": {"REQUESTS_CA_BUNDLE": "/nowhere/authorities.pem"},
            "interception": {"REQUESTS_CA_BUNDLE": ""},
            "proxy": {"HTTPS_PROXY": "http://user:canary@127.0.0.1:9", **PROXIED},
            "password of the proxy": {
                "HTTPS_PROXY": f"http://user:canary@127.0.0.1:{proxy}",
                **PROXIED,
            },
            "address of the proxy": {"HTTPS_PROXY": "http://user:can#ary@host:3128", **PROXIED},
        }
        for name, scene in opened.items():
            scene.process.environment.update(variables[name])
            scene.start()
        for scene in opened.values():
            scene.process.wait_until(lambda scene=scene: SAID.search(scene.process.output))  # type: ignore[misc]
            scene.process.stop()
        yield opened


@pytest.mark.parametrize("cause", CAUSES)
def test_a_trigger_and_check_name_the_same_cause(scenes: dict[str, Scene], cause: str) -> None:
    process = scenes[cause].process
    said = SAID.search(process.output)
    assert said is not None
    assert CAUSES[cause] in said[1]
    command = [sys.executable, "-m", "office365_message_trace", "check", "--trigger", "oauth"]
    environment = {**os.environ, **process.environment}
    checked = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert checked.returncode == 2
    failures = [line for line in checked.stdout.splitlines() if line.startswith("failure network")]
    assert any(f": {said[1]} [" in line for line in failures)
    for shown in (process.output, checked.stdout, checked.stderr):
        assert "canary" not in shown
        assert "ary@" not in shown
        assert "Traceback" not in shown


@pytest.mark.parametrize("cause", CAUSES)
def test_it_is_said_once_and_not_in_a_loop(scenes: dict[str, Scene], cause: str) -> None:
    assert len(SAID.findall(scenes[cause].process.output)) == 1


def test_a_trigger_that_gets_no_secrets_says_so_at_once_and_ends_within_a_minute(
    open_scene: OpenScene,
) -> None:
    scene = open_scene()
    scene.world.faults.add(Rule(Answer(401), "playbook", path="/secrets", times=None))
    scene.start()
    scene.process.wait_until(
        lambda: scene.said("Sekoia.io's playbook API does not answer as it should"), 20
    )
    assert scene.process.wait_until_ended(60) == 1
    assert scene.said("The trigger cannot start")
    assert scene.said("(it refuses the secrets). [status 401]")
    assert not scene.said("Traceback")
