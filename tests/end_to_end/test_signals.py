"""However a stop is signalled, while pages are being delivered, it is heeded at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Timer
from typing import Self

import pytest

from sandbox.ports import unclaimed_ports
from sandbox.process import ROOT, VOLUME
from tests.end_to_end.scene import OpenScene, Scene

AT_ONCE = 2
"""Processes that run at the same time."""
STOPS = 100
BURSTS = 40
MANY_ROWS = 400.0
"""Messages a minute: enough for pages to be under way all the time."""
SHORTEST_RUN = 1.0
"""Seconds from the start of a process to the signal at most; all is delivered a little later, unless the
machine is busy."""
LONGEST_RUN = 32.0
STORMS = 10
ENDS = {signal.SIGTERM: 0, signal.SIGINT: 130}
"""The exit status by the signal."""
TOO_LONG = 20.0
"""Seconds after which a process counts as one that never ends."""


@dataclass(frozen=True)
class Stop:
    """Signals to a process: the first after ``seconds``, others so many microseconds later each."""

    seconds: float
    signals: Sequence[signal.Signals] = (signal.SIGTERM,)
    pauses: Sequence[float] = ()


class Forks:
    """A program that starts the module's process without importing it each time."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self._environment = scene.process.environment
        self._folder = folder
        self._runs = count()

    def __enter__(self) -> Self:
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.forks"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (VOLUME, ROOT)))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._program.communicate()

    def status_after(self, stop: Stop) -> int:
        """The exit status of a new process after ``stop``; that of a kill if it took `TOO_LONG`."""
        process = int(self._told("started", self._line()))
        time.sleep(stop.seconds)
        os.kill(process, stop.signals[0])
        with suppress(ProcessLookupError):  # it has ended
            for number, pause in zip(stop.signals[1:], stop.pauses, strict=True):
                until = time.perf_counter() + pause / 1e6
                while time.perf_counter() < until:
                    pass
                os.kill(process, number)
        patience = Timer(TOO_LONG, os.kill, (process, signal.SIGKILL))
        patience.start()
        status = int(self._told("ended"))
        patience.cancel()
        return status

    def _line(self) -> str:
        liveness, metrics = unclaimed_ports(2)
        folder = self._folder / str(next(self._runs))
        folder.mkdir(parents=True)
        return json.dumps(
            {
                **self._environment,
                "LIVENESS_PORT": str(liveness),
                "METRICS_PORT": str(metrics),
                "SANDBOX_DATA_FOLDER": str(folder),
                "OUTPUT": str(folder / "output.txt"),
            }
        )

    def _told(self, word: str, line: str = "") -> str:
        assert self._program.stdin
        assert self._program.stdout
        if line:
            self._program.stdin.write(line + "\n")
            self._program.stdin.flush()
        said, _, value = self._program.stdout.readline().partition(" ")
        assert said == word
        return value


@pytest.fixture(scope="module")
def scene(open_scene: OpenScene) -> Scene:
    scene = open_scene(messages_per_minute=MANY_ROWS)
    scene.process.environment["TRIGGER"] = scene.process.command[-1]
    return scene


@pytest.fixture
def forks(scene: Scene, tmp_path: Path) -> Iterator[list[Forks]]:
    opened = [Forks(scene, tmp_path / str(number)) for number in range(AT_ONCE)]
    with opened[0], opened[1]:
        yield opened


def statuses(forks: list[Forks], stops: Sequence[Stop]) -> list[int]:
    def run(share: int) -> list[int]:
        return [forks[share].status_after(stop) for stop in stops[share::AT_ONCE]]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [status for share in pool.map(run, range(AT_ONCE)) for status in share]


@pytest.fixture
def run(forks: list[Forks], scene: Scene) -> float:
    """Seconds after which processes are in the middle of the delivery, on this machine as it is now."""
    counts, seconds = scene.world.intake.counts, SHORTEST_RUN
    while seconds < LONGEST_RUN:
        before = counts.events
        assert set(statuses(forks, [Stop(seconds)] * AT_ONCE)) == {0}
        if counts.events - before >= scene.rows // 10:
            break
        seconds *= 2
    return seconds


def test_a_signal_at_any_instant_of_the_delivery_ends_the_process(
    forks: list[Forks], scene: Scene, run: float
) -> None:
    chance = random.Random(1)
    before = scene.world.intake.counts.events
    stops = [
        Stop(chance.uniform(0, run), [chance.choice([signal.SIGTERM, signal.SIGINT])])
        for _ in range(STOPS)
    ]
    wanted = [ENDS[stop.signals[0]] for share in range(AT_ONCE) for stop in stops[share::AT_ONCE]]
    assert statuses(forks, stops) == wanted
    assert scene.world.intake.counts.events - before > STOPS


def test_a_burst_of_signals_ends_the_process_like_one(forks: list[Forks], run: float) -> None:
    chance = random.Random(2)
    stops = []
    for _ in range(BURSTS):
        more = chance.randint(1, 4)
        pauses = [chance.uniform(0, 200) for _ in range(more)]
        stops.append(Stop(chance.uniform(0, run), [signal.SIGTERM] * (more + 1), pauses))
    assert set(statuses(forks, stops)) == {0}


def test_signals_that_come_until_the_end_change_nothing(forks: list[Forks], run: float) -> None:
    chance = random.Random(3)
    many = 1000
    stops = [
        Stop(chance.uniform(0.3, 1) * run, [signal.SIGTERM] * (many + 1), [1000.0] * many)
        for _ in range(STORMS)
    ]
    assert set(statuses(forks, stops)) == {0}
