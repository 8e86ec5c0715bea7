"""Commands on machines whose clocks are wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from sandbox import MailFlowOptions, Sandbox, SandboxOptions, make_row
from sandbox.process import ROOT, VOLUME, TriggerProcess

HOUR = timedelta(hours=1)
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def world() -> Iterator[Sandbox]:
    with Sandbox(SandboxOptions(mail=MailFlowOptions(messages_per_minute=2))) as world:
        yield world
    assert world.failures == []


@pytest.fixture
def command(world: Sandbox, tmp_path: Path) -> Command:
    """Runs a command on a machine whose clock is so far ahead, with the state of the test's triggers."""

    def run(ahead: timedelta, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "office365_message_trace", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                **world.environment("graph"),
                "MESSAGE_TRACE_TRIGGER": "graph",
                "PYTHONPATH": str(VOLUME),
                "SANDBOX_CLOCK_AHEAD": str(ahead.total_seconds()),
                "SANDBOX_DATA_FOLDER": str(tmp_path / "process" / "data"),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def trigger(world: Sandbox, tmp_path: Path) -> Iterator[Callable[[timedelta], None]]:
    """Starts a trigger on a machine whose clock is so far ahead, and waits until it forwards mail."""
    with ExitStack() as running:

        def start(ahead: timedelta) -> None:
            process = TriggerProcess(
                world, tmp_path / "process", "graph", start_time=1, timedelta=0
            )
            process.environment["SANDBOX_CLOCK_AHEAD"] = str(ahead.total_seconds())
            running.enter_context(process)
            before = world.intake.counts.events
            process.start()
            process.wait_until(lambda: world.intake.counts.events > before)
            process.wait_until_quiet()
            running.callback(process.kill)

        yield start


def test_mail_of_a_dead_trigger_does_not_look_fresh_by_a_clock_that_is_behind(
    trigger: Callable[[timedelta], None], command: Command, tmp_path: Path
) -> None:
    trigger(timedelta(0))
    right = command(timedelta(0), "status", "--json")
    assert (right.returncode, json.loads(right.stdout)["verdict"]["level"]) == (0, "ok")
    wrong = command(-3 * HOUR, "status")
    assert wrong.returncode == 1
    assert wrong.stdout.startswith("warning It is not known if mail is late: ")
    assert "This machine's clock is 3 hours behind a time in the trigger's state" in wrong.stdout
    told = json.loads(command(-3 * HOUR, "status", "--json").stdout)
    assert told["late"] is None
    assert told["lag_seconds"] < 60
    details = command(-3 * HOUR, "status", "--verbose").stdout
    assert "clock: this machine's is behind, so all ages below are the least" in details
    assert "requests: at most " in details

    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "data.json").write_text("{}")
    (tmp_path / "process" / "data" / "data").symlink_to(".")
    of_all = command(-3 * HOUR, "status", "--all", str(folder))
    assert of_all.returncode == 1
    assert "data    warning   It is not known if mail is late" in of_all.stdout


def test_mail_of_a_living_trigger_does_not_look_late_by_a_clock_that_is_ahead(
    trigger: Callable[[timedelta], None], command: Command
) -> None:
    trigger(3 * HOUR)
    right = command(timedelta(0), "status")
    assert right.stdout.startswith("ok      Mail is forwarded")
    same = command(3 * HOUR, "status", "--verbose")
    assert same.returncode == 1
    assert same.stdout.startswith("warning It is not known if mail is late: ")
    assert "The clock of the trigger's machine was 3 hours ahead of Microsoft's" in same.stdout
    assert "that of the trigger's machine was 3 hours ahead of Microsoft's" in same.stdout


@pytest.mark.parametrize("ahead", [-3 * HOUR, 3 * HOUR])
def test_windows_are_those_of_microsofts_time(
    world: Sandbox, command: Command, ahead: timedelta
) -> None:
    world.tenant.add(make_row(world.now() - timedelta(minutes=30), Subject="half an hour ago"))
    seen = json.loads(command(ahead, "peek", "--from", "1h", "--json", "--limit", "0").stdout)
    assert "half an hour ago" in {each["row"]["subject"] for each in seen["shown"]}
    world.intake.events.clear()
    sent = command(ahead, "replay", "--from", "1h", "--to", "now", "--yes")
    assert sent.returncode == 0
    assert "half an hour ago" in {json.loads(each)["subject"] for each in world.intake.events}
