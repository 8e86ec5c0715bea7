"""CPU, time and memory of a piece of work, done in a process of its own."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

MIB = 1024 * 1024

_Given = TypeVar("_Given")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a piece of work took. Times are seconds; CPU is user and system, of all threads."""

    wall: float
    cpu: float
    peak: int
    """The most memory that the process ever had in use, in bytes, its imports included."""


def measured(work: Callable[[], None]) -> Usage:
    """Do `work` and say what it took; meant for a process that does nothing else."""
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return Usage(time.monotonic() - wall, time.process_time() - cpu, peak_memory())


def in_new_process(work: Callable[[_Given], _Result], given: _Given) -> _Result:
    """The result of `work`, a module's function, in a fresh interpreter."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        return process.submit(work, given).result()


def peak_memory() -> int:
    """The largest resident set that this process had, in bytes.

    Linux lets `ru_maxrss` begin with what the parent had; its own count begins with the program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].removesuffix("kB")) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
