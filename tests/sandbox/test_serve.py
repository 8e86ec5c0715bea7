"""`python -m sandbox serve`: what it prints can be pasted, and its faults are found by ``check``."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from sandbox import Sandbox
from sandbox.process import ROOT
from sandbox.serve import happened, shell_settings
from sandbox.switches import SWITCHES
from tests.sandbox.client import Client

FOUND = {
    "wrong-secret": "The client secret is wrong.",
    "expired-secret": "The client secret has expired.",
    "no-permission": "The token lacks the permission ExchangeMessageTrace.Read.All",
    "no-principal": "Microsoft Graph has no message trace in this tenant yet",
    "wrong-key": "The Sekoia.io intake refuses the intake key.",
    "intake-down": "The Sekoia.io intake does not answer as it should",
    "wrong-clock": "This machine's clock is 3 hours behind Microsoft's.",
}
"""What `check` says of a fault with the Graph trigger."""
FOUND_BY_OAUTH = {
    "no-role": "Microsoft 365 refuses the report",
    "retired": "The Reporting Web Service has no message trace here.",
}
PASSING = {"throttled", "unavailable", "dropped", "late"}
"""Faults that a trigger overcomes: `check` may find them or not."""


class Terminal(NamedTuple):
    """What the sandbox printed before it waits, and a shell beside it."""

    printed: list[str]
    entry: Path

    @property
    def commands(self) -> list[str]:
        return [line.strip() for line in self.printed if line.startswith("  ")]

    def paste(self, *commands: str) -> subprocess.CompletedProcess[str]:
        """The commands as they are pasted into another terminal; `message-trace` is there."""
        return subprocess.run(
            ["sh", "-c", "\n".join(commands)],
            env={**os.environ, "PATH": f"{os.environ['PATH']}:{self.entry}"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """A folder as `make` leaves it in the virtual environment."""
    (tmp_path / "message-trace").symlink_to(ROOT / "office365_message_trace" / "message-trace")
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "python").chmod(0o755)
    return tmp_path


@contextmanager
def serving(entry: Path, *arguments: str) -> Iterator[Terminal]:
    command = [sys.executable, "-m", "sandbox", "serve", "--rate", "2", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        printed = []
        for line in process.stdout:
            printed.append(line.rstrip("\n"))
            if "message-trace status" in line:
                break
        try:
            yield Terminal(printed, entry)
        finally:
            process.send_signal(signal.SIGTERM)
            rest = process.stdout.read().splitlines()
            assert process.wait(10) == 0
            printed += filter(None, rest)


def test_the_commands_that_it_prints_work_as_pasted(entry: Path) -> None:
    with serving(entry) as terminal:
        settings, check, peek, to_screen, run, status = terminal.commands
        assert terminal.paste(settings, check).returncode == 0
        assert "forwarded by the trigger" in terminal.paste(settings, peek).stdout
        lines = terminal.paste(settings, to_screen.partition("#")[0] + "| head -1").stdout
        assert '"senderAddress"' in lines
        forwarded = terminal.paste(
            settings, f"timeout -s INT 12 {run.partition('#')[0]}; {status}"
        ).stdout
        assert "The trigger was stopped" in forwarded
    happenings = [line for line in terminal.printed if " UTC  tokens " in line]
    assert re.search(r"batches [1-9]\d*, events [1-9]", happenings[-1])
    assert len(happenings) == len(set(happenings)), "a line is printed when something happens"


@pytest.mark.parametrize("trigger", ["graph", "oauth", "basic"])
def test_both_services_and_every_credential_are_there(entry: Path, trigger: str) -> None:
    with serving(entry, "--trigger", trigger) as terminal:
        checked = terminal.paste(terminal.commands[0], "message-trace check")
        assert checked.returncode == 0, checked
        if trigger != "basic":
            other = {"graph": "oauth", "oauth": "graph"}[trigger]
            checked = terminal.paste(terminal.commands[0], f"message-trace check --trigger {other}")
            assert checked.returncode == 0, checked


@pytest.mark.parametrize("fault", [*FOUND, *FOUND_BY_OAUTH])
def test_a_fault_is_switched_on_and_found(entry: Path, fault: str) -> None:
    trigger = "graph" if fault in FOUND else "oauth"
    with serving(entry, "--trigger", trigger, "--fault", fault) as terminal:
        assert f"Fault: {SWITCHES[fault].meaning}." in terminal.printed
        checked = terminal.paste(*terminal.commands[:2])
    assert checked.returncode > 0
    assert {**FOUND, **FOUND_BY_OAUTH}[fault] in checked.stdout


@pytest.mark.parametrize("fault", sorted(PASSING))
def test_a_passing_fault_is_overcome(entry: Path, fault: str) -> None:
    with serving(entry, "--fault", fault) as terminal:
        shown = terminal.paste(
            terminal.commands[0], "timeout -s INT 30 message-trace run --print | head -1"
        )
    assert '"senderAddress"' in shown.stdout


def test_every_fault_is_tried_here() -> None:
    assert set(SWITCHES) == {*FOUND, *FOUND_BY_OAUTH, *PASSING}


def test_what_happened_is_counted(world: Sandbox, client: Client) -> None:
    client.trace()
    client.trace(filter="nonsense")
    assert happened(world) == "tokens 2, pages 1, refused 1, batches 0, events 0"


def test_the_settings_are_read_by_a_shell_as_they_are(world: Sandbox) -> None:
    words = [shlex.split(line) for line in shell_settings(world, "basic")]
    assert all(word[0] == "export" and len(word) == 2 for word in words)
    given = dict(word[1].split("=", 1) for word in words)
    assert given["MESSAGE_TRACE_ACCOUNT_PASSWORD"] == world.identity.account_password
