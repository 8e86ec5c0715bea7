"""A desk at which somebody types commands: a sandbox, a storage, and what the commands print."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from time import monotonic, sleep
from typing import Any, Literal, NamedTuple

import pytest
from sekoia_automation import constants
from sekoia_automation.storage import get_data_path

from office365_message_trace.cli.app import main
from sandbox import MailFlowOptions, Sandbox, SandboxOptions

PATIENCE = 30.0
"""Seconds that a process has for anything."""


class Said(NamedTuple):
    """How a command ended: its exit status, its results, and what it said beside them."""

    status: int
    out: str
    err: str

    def lines(self, level: str) -> list[str]:
        """What follows the mark ``level`` in the results."""
        mark = f"{level:<8}"
        return [text.removeprefix(mark) for text in self.out.splitlines() if text.startswith(mark)]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Desk:
    """Runs commands against ``world`` as the platform would let them: by environment variables.

    ``variables`` go before those of the world; what is entered into ``opened`` ends with the desk.
    """

    def __init__(
        self,
        world: Sandbox,
        data: Path,
        patch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        opened: ExitStack,
    ) -> None:
        self.world = world
        self.data = data
        self.patch = patch
        self.variables: dict[str, str] = {}
        self.opened = opened
        self._capsys = capsys

    def run(
        self,
        command: str,
        *arguments: str,
        trigger: Literal["oauth", "basic", "graph"] = "oauth",
        variables: dict[str, str] | None = None,
        **settings: Any,
    ) -> Said:
        """The command with ``--trigger``; ``settings`` join the configuration."""
        environment = self.world.environment(trigger, **settings)
        for name, value in {**environment, **self.variables, **(variables or {})}.items():
            self.patch.setenv(name, value)
        return self.type(command, "--trigger", trigger, *arguments)

    def type(self, *arguments: str) -> Said:
        """The command as it is typed, in the environment as it is."""
        get_data_path.cache_clear()
        self.patch.setattr(constants, "DATA_STORAGE", str(self.data))
        self.patch.setattr(sys, "argv", ["office365_message_trace", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self._capsys.readouterr()
        return Said(int(ended.value.code or 0), out, err)

    @property
    def requests(self) -> int:
        """Made of anybody since the world began."""
        return self.world.request_log.count()


def wait_until(happened: Callable[[], object], process: Popen[str]) -> None:
    """Wait for what a process brings about that must not end before."""
    end = monotonic() + PATIENCE
    while not happened():
        assert process.poll() is None, process.communicate()
        assert monotonic() < end
        sleep(0.01)


@pytest.fixture
def options() -> SandboxOptions:
    """What the world is like; tests override it."""
    return SandboxOptions(mail=MailFlowOptions(messages_per_minute=2))


@pytest.fixture
def desk(
    options: SandboxOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Desk]:
    """A desk with an empty storage, whatever the machine's own settings are."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    data = tmp_path / "data"
    data.mkdir()
    with Sandbox(options) as world, ExitStack() as opened:
        yield Desk(world, data, monkeypatch, capsys, opened)
    get_data_path.cache_clear()
    assert world.failures == []
