"""The image as a container engine builds it: what it holds, and that it collects when it may do little else.

Needs podman or docker, and the base image on this machine: that of the Dockerfile, or the one that the variable
``IMAGE_BASE`` names.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.end_to_end.scene import Scene
from tests.test_deploy import DOCKERFILE, ROOT, SERVICES, version

(DOCUMENTED_BASE,) = re.findall(r"^ARG BASE=(\S+)", DOCKERFILE, re.MULTILINE)
BASE = os.environ.get("IMAGE_BASE") or DOCUMENTED_BASE
IMAGE = "localhost/office365-message-trace:tests"
CONTAINER = "message-trace-tests"
TRIGGER = SERVICES["trigger"]
RUN = [
    *("run", "--rm", "--name", CONTAINER, "--network", "host", "--read-only"),
    *("--memory", TRIGGER["mem_limit"]),
    *(f"--cap-drop={each}" for each in TRIGGER["cap_drop"]),
    *(f"--security-opt={each}" for each in TRIGGER["security_opt"]),
    *(f"--tmpfs={each}" for each in TRIGGER["tmpfs"]),
]
"""With the limits that compose sets, on the network of this machine, where the sandbox is."""

GENERATED = shutil.ignore_patterns(".venv", ".git", ".*_cache", ".hypothesis", "__pycache__")
PRIVATE = ("settings.json", ".env", "deploy/settings.json", "deploy/.env")


def ended(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@cache
def program() -> str:
    """The engine that has the base image; empty for none."""
    found = filter(None, map(shutil.which, ("podman", "docker")))
    return next(
        (each for each in found if not ended([each, "image", "inspect", BASE]).returncode), ""
    )


def engine(*words: str) -> subprocess.CompletedProcess[str]:
    return ended([program(), *words])


def run(entrypoint: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the image to its end."""
    return engine(*RUN, f"--entrypoint={entrypoint}", IMAGE, *arguments)


@pytest.fixture(scope="module", autouse=True)
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Built from a checkout that only its owner may read, in which settings lie about."""
    if not program():
        pytest.skip(f"neither podman nor docker has the image {BASE}")
    checkout = tmp_path_factory.mktemp("image") / "checkout"
    shutil.copytree(ROOT, checkout, ignore=GENERATED)
    for name in PRIVATE:
        (checkout / name).write_text("secret")
    for path in checkout.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    # an index that only this machine reaches may serve the packages
    options = ("--network", "host", "--build-arg", f"BASE={BASE}", "--tag", IMAGE)
    built = engine("build", *options, str(checkout))
    assert built.returncode == 0, built.stderr
    yield
    engine("rm", "--force", "--volumes", CONTAINER)
    engine("image", "rm", "--force", IMAGE)


def test_the_image_holds_the_module_and_nothing_of_the_checkout_besides() -> None:
    files = run("find", "/app", "-type", "f", "-printf", r"%P\n").stdout.split()
    module = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "office365_message_trace").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    manifests = {path.name for path in ROOT.glob("*.json")} - {*PRIVATE}
    assert set(files) == module | manifests | {"main.py", "logo.png", "requirements.txt"}


def test_its_user_reads_everything_and_writes_nothing() -> None:
    assert run("id", "--user").stdout == "1000\n"
    assert run("find", "/app", "!", "-readable").stdout == ""
    for folder in ("/app", "/home/sekoiaio-runtime"):
        assert "Read-only file system" in run("touch", f"{folder}/x").stderr


def test_the_command_line_is_found_by_its_name() -> None:
    assert run("message-trace", "--version").stdout == f"message-trace {version()}\n"


def test_without_settings_it_says_in_one_line_what_is_missing_and_ends() -> None:
    refused = engine(*RUN, IMAGE, "message_trace_graph")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "module_configuration is missing" in line


def test_without_a_trigger_it_names_those_that_there_are() -> None:
    refused = engine(*RUN, IMAGE)
    assert refused.returncode == 2
    assert "message_trace_graph" in refused.stderr


def test_it_collects_on_a_volume_answers_for_its_health_and_stops_when_told(tmp_path: Path) -> None:
    with Scene(tmp_path, messages_per_minute=2) as scene:
        environment = scene.process.environment
        authority = environment["REQUESTS_CA_BUNDLE"]
        Path(authority).chmod(0o644)
        environment["REQUESTS_CA_BUNDLE"] = "/ca.pem"
        given = scene.world.environment().keys() | {"LIVENESS_PORT", "METRICS_PORT"}
        scene.process.command = [
            *(program(), *RUN, "--volume=/symphony_data", f"--volume={authority}:/ca.pem:ro"),
            *(f"--env={name}" for name in sorted(given)),
            *(IMAGE, "message_trace_oauth"),
        ]
        scene.start()
        scene.wait_until_delivered()
        assert scene.health().status_code == 200
        (check,) = re.findall(r"HEALTHCHECK .* CMD (\[.*\])", DOCKERFILE)
        assert engine("exec", CONTAINER, *json.loads(check)).returncode == 0
        files = engine("exec", CONTAINER, "find", "/symphony_data", "-type", "f", "-user", "1000")
        assert files.stdout
        stopped = scene.process.stop()
        assert stopped.status == 0
        assert stopped.seconds < int(TRIGGER["stop_grace_period"].removesuffix("s"))
        assert scene.report().complete
