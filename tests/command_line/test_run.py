"""``run``: a trigger without the platform, from a settings file to the intake or to the screen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox import MailFlowOptions, Sandbox, SandboxOptions
from sandbox.clock import wall_clock
from sandbox.ports import unclaimed_ports
from sandbox.process import ROOT
from tests.command_line.conftest import PATIENCE, Desk, wait_until
from tests.command_line.test_process import COMMAND

KEPT = ("REQUESTS_CA_BUNDLE", "MESSAGE_TRACE_LOGIN_URL", "MESSAGE_TRACE_GRAPH_URL")


@pytest.fixture
def world() -> Iterator[Sandbox]:
    """A tenant whose mail of an hour is all there."""
    end = wall_clock() - timedelta(minutes=12)
    mail = MailFlowOptions(messages_per_minute=2, since=end - timedelta(minutes=40), until=end)
    with Sandbox(SandboxOptions(mail=mail)) as running:
        yield running
    assert running.failures == []


@pytest.fixture(autouse=True)
def _heeded_signals() -> Iterator[None]:
    """Restore SIGINT and SIGHUP: child processes inherit that a background job ignores the one, nohup the other."""
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hangup)


def settings_file(world: Sandbox, folder: Path, **changes: str | None) -> Path:
    """What somebody enters who has no platform."""
    values = json.loads(world.environment("graph")["TRIGGER_CONFIGURATION"])
    values |= {"intake_server": world.url("intake"), "event_format": "graph", **changes}
    file = folder / "settings.json"
    file.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
    return file


_STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _leave_nothing_running() -> Iterator[None]:
    yield
    while _STARTED:
        process = _STARTED.pop()
        with process:
            process.terminate()


def started(world: Sandbox, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = world.environment("graph")
    liveness, metrics = unclaimed_ports(2)
    variables = {
        **{name: value for name, value in os.environ.items() if name not in environment},
        **{name: environment[name] for name in KEPT},
        "LIVENESS_PORT": str(liveness),
        "METRICS_PORT": str(metrics),
        "MESSAGE_TRACE_STATE": str(folder / "state"),
        "HTTP_PROXY": "http://127.0.0.1:9",  # the stand-in is asked directly
    }
    process = subprocess.Popen(
        [*COMMAND, "run", *arguments],
        cwd=ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    _STARTED.append(process)
    return process


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def test_a_settings_file_is_all_that_a_trigger_needs_to_forward_to_an_intake(
    world: Sandbox, tmp_path: Path
) -> None:
    process = started(world, tmp_path, "--config", str(settings_file(world, tmp_path)))
    wait_until(lambda: world.intake.counts.events, process)
    status, out, err = stopped(process, signal.SIGTERM)
    assert (status, out) == (0, "")
    assert 'Starting "Office 365 Message Trace (Graph API)", events go to https://' in err
    assert "Logs could not be sent" not in err
    assert (tmp_path / "state" / "message_trace_graph" / "state-0.json").exists()

    again = started(world, tmp_path, "--config", str(settings_file(world, tmp_path)))
    before = world.request_log.count("graph")
    wait_until(lambda: world.request_log.count("graph") > before, again)
    assert stopped(again, signal.SIGINT)[0] == 130
    report = world.check(wall_clock() - timedelta(hours=1), wall_clock(), wall_clock())
    assert report.repeated == []


def test_events_on_the_screen_are_lines_of_json_and_nothing_is_kept(
    world: Sandbox, tmp_path: Path
) -> None:
    settings = settings_file(world, tmp_path, intake_key=None, intake_server=None)
    process = started(world, tmp_path, "--print", "--config", str(settings))
    assert process.stdout
    event = json.loads(process.stdout.readline())
    assert {"senderAddress", "recipientAddress", "subject"} <= set(event)
    assert stopped(process, signal.SIGTERM)[0] == 0
    assert world.intake.counts.requests == 0
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("read", [False, True], ids=["before any mail", "when no more mail comes"])
def test_a_reader_that_has_gone_ends_the_trigger(
    world: Sandbox, tmp_path: Path, read: bool
) -> None:
    settings = settings_file(world, tmp_path)
    process = started(world, tmp_path, "--print", "--config", str(settings))
    assert process.stdout
    if read:
        assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == 141
    assert process.stderr
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP], ids=lambda each: each.name)
def test_a_trigger_ends_with_the_command_however_that_is_killed(
    world: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    process = started(world, tmp_path, "--config", str(settings_file(world, tmp_path)))
    wait_until(lambda: world.intake.counts.events, process)
    process.send_signal(number)
    process.communicate(timeout=PATIENCE)  # until nobody has the other end of its pipes
    assert process.returncode == -number


def test_settings_that_no_process_can_be_given_are_refused(desk: Desk, tmp_path: Path) -> None:
    settings = settings_file(desk.world, tmp_path, organization="x" * 200_000)
    said = desk.type("run", "--trigger", "graph", "--config", str(settings))
    assert said.status == 2
    assert "is not a JSON object with settings" in said.err


def test_what_is_missing_is_told_at_once(desk: Desk, tmp_path: Path) -> None:
    settings = settings_file(desk.world, tmp_path, client_secret=None, intake_server=None)
    began = time.monotonic()
    said = desk.type("run", "--config", str(settings))
    assert time.monotonic() - began < 2
    assert said.status == 2
    assert "client_secret is missing; enter the value of a client secret" in said.err
    assert desk.requests == 0
