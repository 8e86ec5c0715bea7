"""The module as a process of its own, started the way the platform starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from sandbox.ports import unclaimed_ports
from sandbox.world import Sandbox

ROOT = Path(__file__).resolve().parents[1]
VOLUME = Path(__file__).resolve().parent / "volume"

COLLECTING = ("entra", "reporting", "graph", "intake")
"""The services that are asked while rows are collected."""

TriggerName = Literal["oauth", "basic", "graph"]

POLL_SECONDS = 0.01
PATIENCE_SECONDS = 30.0
"""After which a process that was asked to stop is killed."""


class Exit(NamedTuple):
    """How a process ended: its exit status (negative: that signal), and how long it took."""

    status: int
    seconds: float


def run_action(
    world: Sandbox,
    folder: Path,
    action: str,
    arguments: Any,
    home: Path = ROOT,
    main: Path = ROOT / "main.py",
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run `python <main> <action>` against a running sandbox to its end; the platform is told the result.

    `folder/data` is the volume. The manifest is the one in `home`. `variables` are added to the environment.
    The credential test, `validate_module_configuration`, takes no arguments.
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **world.action_environment(arguments)}
    search_path = [str(VOLUME), environment.get("PYTHONPATH", "")]
    environment |= {
        "PYTHONPATH": os.pathsep.join(filter(None, search_path)),
        "SANDBOX_DATA_FOLDER": str(data),
        **variables,
    }
    return subprocess.run(
        [sys.executable, str(main), action],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


class TriggerProcess:
    """`python main.py message_trace_<trigger>` against a running sandbox.

    `folder` is made if need be: `folder/data` is the volume that the module stores in, and
    `folder/output.txt` takes what it prints. `settings` join the trigger's configuration. Change
    `environment` before `start` at will. A process that ended can be started again, on the same data
    and ports. Leaving the `with` block kills what still runs.
    """

    def __init__(
        self,
        world: Sandbox,
        folder: Path,
        trigger: Literal["oauth", "basic", "graph"] = "oauth",
        **settings: Any,
    ) -> None:
        self._world = world
        self.data = folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.output_file = folder / "output.txt"
        self.output_file.touch()
        self.command = [sys.executable, "main.py", f"message_trace_{trigger}"]
        search_path = [str(VOLUME), os.environ.get("PYTHONPATH", "")]
        liveness, metrics = unclaimed_ports(2)
        self.environment = {
            **world.environment(trigger, **settings),
            "LIVENESS_PORT": str(liveness),
            "METRICS_PORT": str(metrics),
            "PYTHONPATH": os.pathsep.join(filter(None, search_path)),
            "PYTHONUNBUFFERED": "1",
            "SANDBOX_DATA_FOLDER": str(self.data),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Nothing is started yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing running."""
        if self.running:
            self.kill()

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """Everything printed so far, standard error included, of every start."""
        return self.output_file.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start the process; the environment of this one is there too, beneath `environment`."""
        if self.running:
            raise RuntimeError("it runs already")
        with self.output_file.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> Exit:
        """Ask it to stop (SIGTERM) and wait for its end, `PATIENCE_SECONDS` at most."""
        return self._end(signal.SIGTERM)

    def kill(self) -> Exit:
        """End it at once (SIGKILL), wherever it is."""
        return self._end(signal.SIGKILL)

    def suspend(self) -> None:
        """Hold it where it is (SIGSTOP)."""
        self._started().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `suspend`."""
        self._started().send_signal(signal.SIGCONT)

    def wait_until_ended(self, timeout: float = PATIENCE_SECONDS) -> int:
        """The exit status, once it has ended by itself; TimeoutExpired after `timeout` seconds."""
        return self._started().wait(timeout)

    def wait_until(self, happened: Callable[[], object], timeout: float = 60.0) -> None:
        """Return as soon as `happened()` is true; it is asked every `POLL_SECONDS`.

        Raises RuntimeError if the process ends before, and TimeoutError after `timeout` seconds,
        both with the end of what it printed.
        """
        deadline = time.monotonic() + timeout
        while not happened():
            if self._ends_within(POLL_SECONDS):
                raise RuntimeError(f"the process ended by itself:\n{self.output[-2000:]}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {timeout} seconds:\n{self.output[-2000:]}")

    def wait_until_quiet(self, seconds: float = 1.0, timeout: float = 60.0) -> None:
        """Return once nothing was asked of Microsoft or the intake for `seconds`.

        Logs do not count. Raises as `wait_until` does.
        """
        seen, since = -1, time.monotonic()

        def quiet() -> bool:
            nonlocal seen, since
            requests = sum(map(self._world.request_log.count, COLLECTING))
            if requests != seen:
                seen, since = requests, time.monotonic()
            return time.monotonic() - since >= seconds

        self.wait_until(quiet, timeout)

    def _end(self, signal_number: signal.Signals) -> Exit:
        process = self._started()
        patience = threading.Timer(PATIENCE_SECONDS, process.kill)
        patience.start()
        began = time.monotonic()
        process.send_signal(signal_number)
        status = process.wait()
        seconds = time.monotonic() - began
        patience.cancel()
        return Exit(status, seconds)

    def _ends_within(self, seconds: float) -> bool:
        try:
            self._started().wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process
