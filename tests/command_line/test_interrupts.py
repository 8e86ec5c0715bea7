"""Ctrl-C ends every command at once, with a status of its own and without a stack trace."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Hang, Rule, Sandbox
from sandbox.process import ROOT
from tests.command_line.conftest import PATIENCE, wait_until
from tests.command_line.test_process import COMMAND, environment

INTERRUPTED = 130
SOON = 8.0
"""Seconds; a request that hangs would take ten or more."""


@pytest.fixture(autouse=True)
def _heeded() -> Iterator[None]:
    """Lets no process inherit that interrupts are ignored, as they are for tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def world() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running
    assert running.failures == []


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The keyboard of a terminal, and the terminal."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def started(
    arguments: list[str], variables: dict[str, str], stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={**variables, "TERM": "dumb", "PYTHONUNBUFFERED": "1"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupted(process: subprocess.Popen[str], signals: int = 1) -> str:
    """What a process printed that had to end soon after as many interrupts."""
    began = time.monotonic()
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert time.monotonic() - began < SOON
    assert process.returncode == INTERRUPTED, out + err
    assert "Traceback" not in out + err
    return out + err


WINDOW = ["--from", "30m ago", "--to", "3m ago"]
WAITS = {
    "check, for the platform": (["check"], "playbook", None),
    "check, for the network": (["check"], "reporting", "HEAD"),
    "check, for a token": (["check"], "entra", "POST"),
    "peek, for a page": (["peek", *WINDOW], "reporting", "GET"),
}


@pytest.mark.parametrize(
    ("wait", "signals"), [*((wait, 1) for wait in WAITS), (next(iter(WAITS)), 2)]
)
def test_an_interrupt_ends_a_command_that_waits(
    world: Sandbox, tmp_path: Path, wait: str, signals: int
) -> None:
    command, service, method = WAITS[wait]
    rule = world.faults.add(Rule(Hang(), service, method, times=None))
    process = started([*command, "--trigger", "oauth"], environment(world, tmp_path))
    wait_until(lambda: rule.struck, process)
    interrupted(process, signals)


def test_a_replay_that_is_interrupted_says_how_much_it_has_sent(
    world: Sandbox, tmp_path: Path
) -> None:
    rule = world.faults.add(Rule(Hang(), "intake", nth=2, times=None))
    variables = environment(world, tmp_path)
    settings = json.loads(variables["TRIGGER_CONFIGURATION"])
    variables["TRIGGER_CONFIGURATION"] = json.dumps({**settings, "chunk_size": 10})
    process = started(["replay", *WINDOW, "--yes", "--trigger", "oauth"], variables)
    wait_until(lambda: rule.struck, process)
    output = interrupted(process)
    assert "\n10 of " in output
    assert "Interrupted." in output


def test_an_interrupt_ends_the_question_for_a_secret_and_gives_the_terminal_back(
    world: Sandbox, tmp_path: Path, terminal: tuple[int, int]
) -> None:
    variables = environment(world, tmp_path)
    values = json.loads(variables.pop("TRIGGER_CONFIGURATION"))
    del values["client_secret"]
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(values))
    before = termios.tcgetattr(terminal[1])
    process = started(
        ["check", "--trigger", "oauth", "--config", str(file)], variables, terminal[1]
    )
    wait_until(lambda: termios.tcgetattr(terminal[1]) != before, process)
    assert "client_secret (not shown)" in interrupted(process)
    assert termios.tcgetattr(terminal[1]) == before


def test_an_interrupt_ends_the_question_whether_to_send(
    world: Sandbox, tmp_path: Path, terminal: tuple[int, int]
) -> None:
    arguments = ["replay", *WINDOW, "--trigger", "oauth"]
    process = started(arguments, environment(world, tmp_path), terminal[1])
    assert process.stderr
    asked = ""
    while "Send them?" not in asked:
        asked += process.stderr.read(1)
    interrupted(process)
    assert world.intake.counts.events == 0


SIGNALLED = """
import os, runpy, signal, sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupted())
runpy.run_module("office365_message_trace", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("name", ["typer", "requests", "office365_message_trace.cli.app"])
def test_an_interrupt_while_a_command_is_imported_ends_it(name: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", SIGNALLED.format(name=name), "status"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (INTERRUPTED, "", "")


def test_an_interrupt_that_is_ignored_ends_nothing() -> None:
    """A shell ignores it for jobs in the background, so that Ctrl-C ends only the one in front."""
    ignored = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    process = subprocess.run(
        [sys.executable, "-c", ignored + SIGNALLED.format(name="typer"), "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert process.returncode == 0
    assert "check" in process.stdout
