"""What the trigger's process costs before its first request."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.world import Sandbox

_PROJECT = Path(__file__).resolve().parents[1]
_PATIENCE = 60.0  # seconds
_POLL = 0.002  # seconds


@dataclass(frozen=True, slots=True)
class StartUp:
    """CPU seconds of the process, user and system, from its start."""

    token: float
    """To its first request, which goes to Entra ID."""
    page: float
    """To its first request for a page."""


def start_up(folder: Path) -> StartUp:
    """Run `main.py message_trace_oauth` against a sandbox until it asks for a page."""
    with Sandbox() as world:
        # The SDK stores in a folder below a fixed one, or anywhere if the path is absolute.
        environment = {**os.environ, **world.environment(), "SUB_FOLDER": str(folder)}
        with subprocess.Popen(
            [sys.executable, "main.py", "message_trace_oauth"],
            cwd=_PROJECT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as child:
            try:
                return StartUp(_cpu_at(world, "entra", child), _cpu_at(world, "reporting", child))
            finally:
                child.terminate()


def _cpu_at(world: Sandbox, service: str, child: subprocess.Popen[bytes]) -> float:
    """CPU seconds of `child` when it first asks `service`."""
    process = psutil.Process(child.pid)
    deadline = time.monotonic() + _PATIENCE
    while not world.request_log.count(service):
        if child.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"main.py asked nothing of {service}")
        time.sleep(_POLL)
    used = process.cpu_times()
    return used.user + used.system
